//! The first bytes of a msgpack value: what kind it is, and how much belongs to it.

use rmp::Marker;

/// What follows the head of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// So many bytes.
    Bytes(u64),
    /// So many values.
    Values(u64),
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing.
    Nil,
    /// A truth value.
    Bool(bool),
    /// A whole number that is all in the first byte.
    Small(i8),
    /// A whole number in the bytes behind.
    Unsigned,
    /// A whole number in the bytes behind, in two's complement.
    Signed,
    /// A number with a fraction. Nothing that we read has any.
    Float,
    /// A string or bytes, of either family.
    Raw,
    /// A list.
    List,
    /// A map.
    Map,
    /// An extension: its type is the first byte behind.
    Extension,
}

/// Head of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// What it is.
    pub(super) kind: Kind,
    /// How many bytes the head has.
    pub(super) bytes: usize,
    /// What follows it.
    pub(super) rest: Rest,
}

/// Why there is no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoHead {
    /// More bytes are needed.
    Short,
    /// Byte 0xc1, which no value starts with.
    Reserved,
}

impl Head {
    /// Reads the head at the start of `bytes`.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, NoHead> {
        let marker = Marker::from_u8(*bytes.first().ok_or(NoHead::Short)?);
        let length = |size| big_endian(bytes, size).ok_or(NoHead::Short);
        let (kind, size, rest) = match marker {
            Marker::Reserved => return Err(NoHead::Reserved),
            Marker::Null => (Kind::Nil, 0, Rest::Bytes(0)),
            Marker::False => (Kind::Bool(false), 0, Rest::Bytes(0)),
            Marker::True => (Kind::Bool(true), 0, Rest::Bytes(0)),
            Marker::FixPos(value) => (Kind::Small(value.cast_signed()), 0, Rest::Bytes(0)),
            Marker::FixNeg(value) => (Kind::Small(value), 0, Rest::Bytes(0)),
            Marker::U8 => (Kind::Unsigned, 0, Rest::Bytes(1)),
            Marker::U16 => (Kind::Unsigned, 0, Rest::Bytes(2)),
            Marker::U32 => (Kind::Unsigned, 0, Rest::Bytes(4)),
            Marker::U64 => (Kind::Unsigned, 0, Rest::Bytes(8)),
            Marker::I8 => (Kind::Signed, 0, Rest::Bytes(1)),
            Marker::I16 => (Kind::Signed, 0, Rest::Bytes(2)),
            Marker::I32 => (Kind::Signed, 0, Rest::Bytes(4)),
            Marker::I64 => (Kind::Signed, 0, Rest::Bytes(8)),
            Marker::F32 => (Kind::Float, 0, Rest::Bytes(4)),
            Marker::F64 => (Kind::Float, 0, Rest::Bytes(8)),
            // The type of an extension is a byte more than its length says.
            Marker::FixExt1 => (Kind::Extension, 0, Rest::Bytes(2)),
            Marker::FixExt2 => (Kind::Extension, 0, Rest::Bytes(3)),
            Marker::FixExt4 => (Kind::Extension, 0, Rest::Bytes(5)),
            Marker::FixExt8 => (Kind::Extension, 0, Rest::Bytes(9)),
            Marker::FixExt16 => (Kind::Extension, 0, Rest::Bytes(17)),
            Marker::Ext8 => (Kind::Extension, 1, Rest::Bytes(length(1)? + 1)),
            Marker::Ext16 => (Kind::Extension, 2, Rest::Bytes(length(2)? + 1)),
            Marker::Ext32 => (Kind::Extension, 4, Rest::Bytes(length(4)? + 1)),
            Marker::FixStr(length) => (Kind::Raw, 0, Rest::Bytes(u64::from(length))),
            Marker::Str8 | Marker::Bin8 => (Kind::Raw, 1, Rest::Bytes(length(1)?)),
            Marker::Str16 | Marker::Bin16 => (Kind::Raw, 2, Rest::Bytes(length(2)?)),
            Marker::Str32 | Marker::Bin32 => (Kind::Raw, 4, Rest::Bytes(length(4)?)),
            Marker::FixArray(length) => (Kind::List, 0, Rest::Values(u64::from(length))),
            Marker::Array16 => (Kind::List, 2, Rest::Values(length(2)?)),
            Marker::Array32 => (Kind::List, 4, Rest::Values(length(4)?)),
            Marker::FixMap(length) => (Kind::Map, 0, Rest::Values(u64::from(length) * 2)),
            Marker::Map16 => (Kind::Map, 2, Rest::Values(length(2)? * 2)),
            Marker::Map32 => (Kind::Map, 4, Rest::Values(length(4)? * 2)),
        };
        Ok(Self { kind, bytes: size + 1, rest })
    }
}

/// The number in the `size` bytes behind the first.
fn big_endian(bytes: &[u8], size: usize) -> Option<u64> {
    let number = bytes.get(1..=size)?;
    Some(number.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

//! Values that structs are made of: numbers, texts, identifiers, lists and maps of them.

use std::collections::BTreeMap;

use common::ids::{Cid, PeerId};
use multiaddr::Multiaddr;

use super::head::Kind;
use super::{Decode, DecodeError, Encode, Reader, Writer};

/// Most elements of a list or map; a garbage collection names each block that it removed.
pub(super) const ELEMENTS_MAX: usize = 2_000_000;

impl Encode for () {
    /// Go's empty struct.
    fn encode(&self, to: &mut Writer) {
        to.map(0);
    }
}

impl Decode for () {
    /// Anything: fields of a newer peer are passed over.
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        from.skip()
    }
}

impl Encode for bool {
    fn encode(&self, to: &mut Writer) {
        to.bool(*self);
    }
}

impl Decode for bool {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let head = from.peek()?;
        if !matches!(head.kind, Kind::Bool(_) | Kind::Nil) {
            return Err(from.unexpected("a truth value"));
        }
        from.body(head)?;
        Ok(head.kind == Kind::Bool(true))
    }
}

/// Takes a whole number of any size and sign; nil is 0.
fn number(from: &mut Reader<'_>) -> Result<i128, DecodeError> {
    let head = from.peek()?;
    let is_signed = match head.kind {
        Kind::Nil => return from.body(head).map(|_| 0),
        Kind::Small(value) => return from.body(head).map(|_| i128::from(value)),
        Kind::Unsigned => false,
        Kind::Signed => true,
        Kind::Bool(_) | Kind::Float | Kind::Raw | Kind::List | Kind::Map | Kind::Extension => {
            return Err(from.unexpected("a whole number"));
        }
    };
    let bytes = from.body(head)?;
    let is_negative = is_signed && bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let start = if is_negative { -1 } else { 0 };
    Ok(bytes.iter().fold(start, |number, byte| number << 8 | i128::from(*byte)))
}

/// Takes a whole number that fits the type.
fn fitting<T: TryFrom<i128>>(from: &mut Reader<'_>) -> Result<T, DecodeError> {
    let number = number(from)?;
    T::try_from(number).map_err(|_| DecodeError::Content(format!("{number} is out of range")))
}

impl Encode for i64 {
    fn encode(&self, to: &mut Writer) {
        to.int(*self);
    }
}

impl Decode for i64 {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        fitting(from)
    }
}

impl Decode for i32 {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        fitting(from)
    }
}

impl Encode for u64 {
    fn encode(&self, to: &mut Writer) {
        to.uint(*self);
    }
}

impl Decode for u64 {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        fitting(from)
    }
}

impl Encode for str {
    fn encode(&self, to: &mut Writer) {
        to.raw(self.as_bytes());
    }
}

impl Encode for String {
    fn encode(&self, to: &mut Writer) {
        to.raw(self.as_bytes());
    }
}

impl Decode for String {
    /// Go's strings may be any bytes; what is no UTF-8 is replaced, as Go's own JSON does.
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::from_utf8_lossy(from.raw()?).into_owned())
    }
}

impl Encode for Cid {
    fn encode(&self, to: &mut Writer) {
        to.raw(&Cid::encode(self));
    }
}

impl Decode for Cid {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Cid::decode(from.raw()?).map_err(DecodeError::content)
    }
}

impl Encode for PeerId {
    fn encode(&self, to: &mut Writer) {
        to.raw(&PeerId::encode(self));
    }
}

impl Decode for PeerId {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        PeerId::decode(from.raw()?).map_err(DecodeError::content)
    }
}

impl Encode for Multiaddr {
    fn encode(&self, to: &mut Writer) {
        to.raw(self.as_ref());
    }
}

impl Decode for Multiaddr {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes = from.raw()?;
        if bytes.is_empty() {
            return Err(DecodeError::content("empty multiaddress"));
        }
        let address = Self::try_from(bytes.to_vec());
        address.map_err(|error| DecodeError::Content(format!("invalid multiaddress: {error}")))
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if from.is_absent()? { Ok(None) } else { T::decode(from).map(Some) }
    }
}

impl<T: Encode> Encode for [T] {
    fn encode(&self, to: &mut Writer) {
        to.list(self.len());
        for element in self {
            to.put(element);
        }
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, to: &mut Writer) {
        to.put(self.as_slice());
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = within(from.list()?)?;
        let mut list = Self::new();
        for _ in 0..count {
            list.push(from.take()?);
        }
        Ok(list)
    }
}

impl Encode for BTreeMap<String, String> {
    fn encode(&self, to: &mut Writer) {
        to.map(self.len());
        for (key, value) in self {
            to.put(key);
            to.put(value);
        }
    }
}

impl Decode for BTreeMap<String, String> {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = within(from.map()?)?;
        let mut map = Self::new();
        for _ in 0..count {
            let key = from.take()?;
            map.insert(key, from.take()?);
        }
        Ok(map)
    }
}

fn within(count: usize) -> Result<usize, DecodeError> {
    let max = ELEMENTS_MAX;
    if count > max { Err(DecodeError::TooMany { count, max }) } else { Ok(count) }
}

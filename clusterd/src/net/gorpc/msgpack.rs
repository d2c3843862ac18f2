//! The dialect of msgpack that Go peers speak: ugorji's default handle, in its old form.
//!
//! Written as Go writes it: strings and bytes are the "raw" family without `str8` and `bin`, signed
//! numbers have signed markers, structs are maps with their empty fields left out, a time is a raw
//! string without extension header. Read as liberally as Go reads: either family for text and bytes,
//! any whole number that fits, nil or a list for a struct, keys that nobody knows. Every key is optional.
//! Source: `msgpack.go` of ugorji/go/codec 1.2.12.

mod head;
mod reader;
mod scalar;
mod scan;
mod time;
mod writer;

pub use reader::{DecodeError, Reader};
pub use scan::{DEPTH_MAX, ScanError, Scanner};
pub use writer::{Fields, Writer};

/// A value that can be written.
pub trait Encode {
    /// Appends the value.
    fn encode(&self, to: &mut Writer);
}

/// A value that can be read.
pub trait Decode: Sized {
    /// Takes the next value.
    ///
    /// # Errors
    /// [`DecodeError`] when the next value is no such value.
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// The bytes of a value.
#[must_use]
pub fn to_bytes(value: &impl Encode) -> Vec<u8> {
    let mut writer = Writer::default();
    value.encode(&mut writer);
    writer.into_bytes()
}

/// Reads bytes that are one value, as a whole.
///
/// # Errors
/// [`DecodeError`], also when bytes are left over.
pub fn from_bytes<T: Decode>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes);
    let value = T::decode(&mut reader)?;
    if reader.is_at_end() { Ok(value) } else { Err(DecodeError::Excess) }
}

#[cfg(test)]
mod tests;

//! Writes values as Go writes them.

use super::Encode;

/// Values of the raw family up to this length have their length in the first byte.
const FIXED_LENGTH_MAX: usize = 31;
/// Lists and maps up to this many elements have their number in the first byte.
const FIXED_COUNT_MAX: usize = 15;

/// Bytes that values are appended to.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// How many bytes were written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Nothing: Go's nil, and its undefined CID.
    pub fn nil(&mut self) {
        self.bytes.push(0xc0);
    }

    /// A truth value.
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(if value { 0xc3 } else { 0xc2 });
    }

    /// A signed number, with signed markers alone.
    pub fn int(&mut self, value: i64) {
        // A negative number of one byte: 0xe0 to 0xff are -32 to -1.
        if let Ok(small) = i8::try_from(value) {
            if small < -32 {
                self.bytes.push(0xd0);
            }
            self.bytes.extend_from_slice(&small.to_be_bytes());
        } else if let Ok(number) = i16::try_from(value) {
            self.marked(0xd1, &number.to_be_bytes());
        } else if let Ok(number) = i32::try_from(value) {
            self.marked(0xd2, &number.to_be_bytes());
        } else {
            self.marked(0xd3, &value.to_be_bytes());
        }
    }

    /// An unsigned number, with unsigned markers alone.
    pub fn uint(&mut self, value: u64) {
        if let Ok(number) = u8::try_from(value) {
            if number > 0x7f {
                self.bytes.push(0xcc);
            }
            self.bytes.push(number);
        } else if let Ok(number) = u16::try_from(value) {
            self.marked(0xcd, &number.to_be_bytes());
        } else if let Ok(number) = u32::try_from(value) {
            self.marked(0xce, &number.to_be_bytes());
        } else {
            self.marked(0xcf, &value.to_be_bytes());
        }
    }

    /// A string or bytes: Go's old form does not tell them apart.
    pub fn raw(&mut self, value: &[u8]) {
        self.count(0xa0, FIXED_LENGTH_MAX, [0xda, 0xdb], value.len());
        self.bytes.extend_from_slice(value);
    }

    /// The head of a list; its elements follow.
    pub fn list(&mut self, count: usize) {
        self.count(0x90, FIXED_COUNT_MAX, [0xdc, 0xdd], count);
    }

    /// The head of a map; its keys and values follow in turn.
    pub fn map(&mut self, count: usize) {
        self.count(0x80, FIXED_COUNT_MAX, [0xde, 0xdf], count);
    }

    /// A struct, as a map of the fields that `fill` puts in.
    pub fn fields(&mut self, fill: impl FnOnce(&mut Fields)) {
        let mut fields = Fields { count: 0, pairs: Self::default() };
        fill(&mut fields);
        self.map(fields.count);
        self.bytes.append(&mut fields.pairs.bytes);
    }

    /// Appends a value.
    pub fn put(&mut self, value: &(impl Encode + ?Sized)) {
        value.encode(self);
    }

    fn marked(&mut self, marker: u8, bytes: &[u8]) {
        self.bytes.push(marker);
        self.bytes.extend_from_slice(bytes);
    }

    fn count(&mut self, fixed: u8, fixed_max: usize, [short, long]: [u8; 2], count: usize) {
        match (u8::try_from(count), u16::try_from(count), u32::try_from(count)) {
            (Ok(count), ..) if usize::from(count) <= fixed_max => self.bytes.push(fixed | count),
            (_, Ok(count), _) => self.marked(short, &count.to_be_bytes()),
            (.., Ok(count)) => self.marked(long, &count.to_be_bytes()),
            // Nothing of ours comes near 4 GiB; msgpack has no form for it.
            _ => self.marked(long, &u32::MAX.to_be_bytes()),
        }
    }
}

/// The fields of a struct that is being written.
#[derive(Debug)]
pub struct Fields {
    count: usize,
    pairs: Writer,
}

impl Fields {
    /// A field that is always written.
    pub fn put(&mut self, key: &str, value: &(impl Encode + ?Sized)) -> &mut Self {
        self.count += 1;
        self.pairs.raw(key.as_bytes());
        self.pairs.put(value);
        self
    }

    /// A field that is left out when it is the type's empty value, as Go's `omitempty` does.
    pub fn put_if<T: Encode + ?Sized>(
        &mut self,
        condition: bool,
        key: &str,
        value: &T,
    ) -> &mut Self {
        if condition { self.put(key, value) } else { self }
    }

    /// A field that is left out when there is none.
    pub fn put_some<T: Encode>(&mut self, key: &str, value: Option<&T>) -> &mut Self {
        match value {
            Some(value) => self.put(key, value),
            None => self,
        }
    }

    /// A text that is left out when empty.
    pub fn put_text(&mut self, key: &str, value: &str) -> &mut Self {
        self.put_if(!value.is_empty(), key, value)
    }
}

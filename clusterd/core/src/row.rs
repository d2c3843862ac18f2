//! Varints, byte runs and texts of stored rows.

/// Appends a number in 7-bit groups, lowest first, as protobuf does.
pub(crate) fn put_uvarint(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

/// The front of a text, cut between characters.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Reads a row from its front; every method gives `None` at its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowReader<'a>(pub(crate) &'a [u8]);

impl<'a> RowReader<'a> {
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    pub(crate) fn uvarint(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if shift == 63 && bits > 1 {
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub(crate) fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(front)
    }

    /// A varint length and so many bytes.
    pub(crate) fn run(&mut self) -> Option<&'a [u8]> {
        let bytes = usize::try_from(self.uvarint()?).ok()?;
        self.take(bytes)
    }
}

/// One field of a protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    /// Wire type 0.
    Number(u64),
    /// Wire type 2.
    Bytes(&'a [u8]),
    /// Wire types 1 and 5, which no message of ours has.
    Fixed,
}

/// The fields of a protobuf message in wire order, without copying; ends early at damage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) RowReader<'a>);

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Field<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let tag = self.0.uvarint()?;
        let field = match tag & 7 {
            0 => Field::Number(self.0.uvarint()?),
            1 => self.0.take(8).map(|_| Field::Fixed)?,
            2 => Field::Bytes(self.0.run()?),
            5 => self.0.take(4).map(|_| Field::Fixed)?,
            _ => return None,
        };
        Some((tag >> 3, field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_survive_and_overlong_ones_end() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut row = Vec::new();
            put_uvarint(&mut row, number);
            assert_eq!(RowReader(&row).uvarint(), Some(number));
        }
        assert_eq!(RowReader(&[0x80; 11]).uvarint(), None);
        assert_eq!(RowReader(&[0xff; 10]).uvarint(), None);
    }
}

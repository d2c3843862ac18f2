//! Finds where a msgpack value ends while its bytes arrive, without building anything from them.

use thiserror::Error;

use super::head::{Head, NoHead, Rest};

/// How deep lists and maps may nest. Go's types go 4 deep.
pub const DEPTH_MAX: usize = 32;

/// Why bytes are not taken for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ScanError {
    /// A byte that starts no value.
    #[error("byte 0xc1 at {at} starts no msgpack value")]
    Reserved {
        /// Where, counted from the start of the value.
        at: usize,
    },
    /// The value is longer than it may be.
    #[error("the value is longer than {max} bytes")]
    TooLong {
        /// The most bytes that are taken.
        max: usize,
    },
    /// Too many lists and maps inside one another.
    #[error("the value nests deeper than {DEPTH_MAX}")]
    TooDeep,
}

/// How far the search for the end of one value has come. It looks at each byte once.
#[derive(Debug)]
pub struct Scanner {
    max: usize,
    at: usize,
    /// Values still owed at each level, the outermost first; the last is not 0.
    owed: Vec<u64>,
}

impl Scanner {
    /// Looks for the end of a value of at most `max` bytes.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { max, at: 0, owed: vec![1] }
    }

    /// Goes on with all bytes that came since the value began; gives its length once it is there.
    ///
    /// # Errors
    /// [`ScanError`], as early as it is certain: the bytes need not all have come.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Option<usize>, ScanError> {
        while !self.owed.is_empty() {
            // What a length promised may not be there yet.
            let Some(rest) = bytes.get(self.at..) else {
                return Ok(None);
            };
            let head = match Head::read(rest) {
                Ok(head) => head,
                Err(NoHead::Short) => return Ok(None),
                Err(NoHead::Reserved) => return Err(ScanError::Reserved { at: self.at }),
            };
            self.take(head)?;
        }
        Ok(Some(self.at).filter(|end| *end <= bytes.len()))
    }

    fn take(&mut self, head: Head) -> Result<(), ScanError> {
        // A value has at least one byte.
        let (Rest::Bytes(rest) | Rest::Values(rest)) = head.rest;
        let too_long = ScanError::TooLong { max: self.max };
        let rest = usize::try_from(rest).map_err(|_| too_long)?;
        let end = (self.at + head.bytes).checked_add(rest).ok_or(too_long)?;
        if end > self.max {
            return Err(too_long);
        }
        if let Some(owed) = self.owed.last_mut() {
            *owed -= 1;
        }
        match head.rest {
            Rest::Bytes(_) => self.at = end,
            Rest::Values(values) => {
                self.at += head.bytes;
                if values > 0 && self.owed.len() > DEPTH_MAX {
                    return Err(ScanError::TooDeep);
                }
                self.owed.push(values);
            }
        }
        while self.owed.last() == Some(&0) {
            self.owed.pop();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(bytes: &[u8], max: usize) -> Result<Option<usize>, ScanError> {
        Scanner::new(max).advance(bytes)
    }

    #[test]
    fn the_end_is_found_in_front_of_the_next_value() {
        let cases: [(&[u8], usize); 8] = [
            (&[0xc0], 1),
            (&[0x90], 1),
            (&[0x80], 1),
            (&[0xa2, b'h', b'i'], 3),
            (&[0xda, 0, 1, 7], 4),
            (&[0x82, 0xa1, b'a', 0x91, 0x80, 0xa1, b'b', 0xd1, 1, 2], 10),
            (&[0xc7, 2, 0xff, 1, 2], 5),
            (&[0xdd, 0, 0, 0, 1, 0xde, 0, 1, 0xc2, 0xc3], 10),
        ];
        for (value, expected) in cases {
            let mut bytes = value.to_vec();
            bytes.extend_from_slice(&[0x81, 0xa1]);
            assert_eq!(length(&bytes, 100), Ok(Some(expected)), "{value:?}");
        }
    }

    #[test]
    fn bytes_may_come_one_by_one() {
        let bytes = [0x82, 0xa1, b'a', 0x92, 0xcd, 1, 2, 0xda, 0, 2, 9, 9, 0xa1, b'b', 0xc0];
        let mut scanner = Scanner::new(100);
        for end in 0..bytes.len() {
            assert_eq!(scanner.advance(&bytes[..end]), Ok(None), "{end}");
        }
        assert_eq!(scanner.advance(&bytes), Ok(Some(bytes.len())));
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_its_bytes_come() {
        let too_long = Err(ScanError::TooLong { max: 10 });
        assert_eq!(length(&[0xdb, 0xff, 0xff, 0xff, 0xff], 10), too_long);
        assert_eq!(length(&[0xc9, 0xff, 0xff, 0xff, 0xff, 0], 10), too_long);
        assert_eq!(length(&[0xdf, 0xff, 0xff, 0xff, 0xff], 10), too_long);
        assert_eq!(length(&[0xda, 0, 8], 10), too_long);
        assert_eq!(length(&[0xda, 0, 7], 10), Ok(None));
    }

    #[test]
    fn nesting_has_a_limit_and_0xc1_starts_nothing() {
        assert_eq!(length(&[0x91; DEPTH_MAX], 100), Ok(None));
        assert_eq!(length(&[0x91; DEPTH_MAX + 1], 100), Err(ScanError::TooDeep));
        assert_eq!(length(&[0x91, 0xc1], 100), Err(ScanError::Reserved { at: 1 }));
    }
}

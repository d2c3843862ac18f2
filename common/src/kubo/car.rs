//! The roots that a CAR file names at its beginning. Source: <https://ipld.io/specs/transport/car>.

use crate::ids::Cid;

/// What a file of version 2 begins with.
const PRAGMA: &[u8] = b"\x0a\xa1\x67version\x02";
/// Where its header says how far away the file of version 1 is, which it holds.
const DATA_OFFSET_AT: usize = PRAGMA.len() + 16;
/// Most roots that are read.
const ROOTS_MAX: u64 = 10_000;

/// The roots of a CAR file of version 1 or 2; `None` when they do not stand whole in `start`, or it is no
/// such file.
#[must_use]
pub fn roots(start: &[u8]) -> Option<Vec<Cid>> {
    let first = match start.starts_with(PRAGMA) {
        false => start,
        true => {
            let offset = start.get(DATA_OFFSET_AT..DATA_OFFSET_AT + 8)?;
            let offset = u64::from_le_bytes(offset.try_into().ok()?);
            start.get(usize::try_from(offset).ok()?..)?
        }
    };
    let mut reader = Reader(first);
    reader.skip_varint()?;
    // A map of `roots` and `version`, in this order. Source: DAG-CBOR.
    reader.expect(b"\xa2\x65roots")?;
    let count = reader.head(ARRAY)?;
    if count > ROOTS_MAX {
        return None;
    }
    (0..count).map(|_| reader.link()).collect()
}

/// Major types of CBOR.
const BYTES: u8 = 2;
const ARRAY: u8 = 4;

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn expect(&mut self, bytes: &[u8]) -> Option<()> {
        (self.take(bytes.len())? == bytes).then_some(())
    }

    fn skip_varint(&mut self) -> Option<()> {
        for _ in 0..10 {
            if self.byte()? < 0x80 {
                return Some(());
            }
        }
        None
    }

    /// The number in a head of a major type.
    fn head(&mut self, major: u8) -> Option<u64> {
        let head = self.byte()?;
        if head >> 5 != major {
            return None;
        }
        let bytes = match head & 0x1f {
            small @ 0..=23 => return Some(small.into()),
            24 => self.take(1)?,
            25 => self.take(2)?,
            26 => self.take(4)?,
            _ => return None,
        };
        Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A link: tag 42 around a binary CID behind a zero.
    fn link(&mut self) -> Option<Cid> {
        self.expect(b"\xd8\x2a")?;
        let length = usize::try_from(self.head(BYTES)?).ok()?;
        let (zero, cid) = self.take(length)?.split_first()?;
        (*zero == 0).then(|| Cid::decode(cid).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CID: &str = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354";

    fn version_1(cids: &[&str]) -> Vec<u8> {
        let mut header = b"\xa2\x65roots".to_vec();
        header.push(0x80 | u8::try_from(cids.len()).unwrap());
        for cid in cids {
            let cid = cid.parse::<Cid>().unwrap().encode();
            header.extend_from_slice(b"\xd8\x2a\x58");
            header.push(u8::try_from(cid.len() + 1).unwrap());
            header.push(0);
            header.extend_from_slice(&cid);
        }
        header.extend_from_slice(b"\x67version\x01");
        [&[u8::try_from(header.len()).unwrap()], header.as_slice(), b"blocks"].concat()
    }

    #[test]
    fn both_versions_name_their_roots() {
        let root: Cid = CID.parse().unwrap();
        assert_eq!(roots(&version_1(&[CID])), Some(vec![root]));
        assert_eq!(roots(&version_1(&[])), Some(Vec::new()));
        let header = [PRAGMA, &[0; 16], &60_u64.to_le_bytes(), &[0; 16], &[0; 9]].concat();
        assert_eq!(roots(&[header, version_1(&[CID])].concat()), Some(vec![root]));
    }

    #[test]
    fn what_is_cut_off_or_something_else_names_none() {
        let whole = version_1(&[CID]);
        for end in 0..45 {
            assert_eq!(roots(&whole[..end]), None, "{end}");
        }
        assert_eq!(roots(b"this is no CAR file at all"), None);
        assert_eq!(roots(PRAGMA), None);
    }
}

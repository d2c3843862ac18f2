//! Keys of the pinset: a CID as bytes that sort as its canonical text does.

use common::ids::Cid;
use data_encoding::BASE32_NOPAD;

/// A version 0 CID: its 32 digest bytes follow. Texts `Qm…` have one length, so they sort as the bytes.
const TAG_V0: u8 = 1;
/// A version 1 CID: its base32 digits follow, five bits each, renumbered in ASCII order.
const TAG_V1: u8 = 2;
/// No CID at all: the key's text follows. Go's set takes any key, so ours must keep it.
const TAG_FOREIGN: u8 = 0xff;

/// What every version 0 CID starts with: sha2-256, 32 bytes.
const V0_PREFIX: [u8; 2] = [0x12, 0x20];

/// A key of the replicated set as the store has it. Byte order is the order of the CIDs' canonical
/// texts (bytewise, `Qm…` before `b…`), so that a scan is a listing in Kubo's order.
///
/// No key is a prefix of another: a multihash says its own length.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PinKey(Vec<u8>);

impl PinKey {
    /// The key of a CID.
    #[must_use]
    pub fn from_cid(cid: &Cid) -> Self {
        let bytes = cid.encode();
        match cid.inner().version() {
            cid::Version::V0 => {
                let mut key = Vec::with_capacity(bytes.len());
                key.push(TAG_V0);
                key.extend_from_slice(bytes.get(V0_PREFIX.len()..).unwrap_or_default());
                Self(key)
            }
            cid::Version::V1 => Self(pack(&bytes)),
        }
    }

    /// The CID, unless the key is foreign or damaged.
    #[must_use]
    pub fn to_cid(&self) -> Option<Cid> {
        cid_of(&self.0)
    }

    /// The key that an element or tombstone names. A missing slash is added, as Go's datastore does.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let bare = text.strip_prefix('/').unwrap_or(text);
        let cid = BASE32_NOPAD.decode(bare.as_bytes()).ok().and_then(|b| Cid::decode(&b).ok());
        if let Some(cid) = cid {
            return Self::from_cid(&cid);
        }
        let mut key = Vec::with_capacity(bare.len() + 1);
        key.push(TAG_FOREIGN);
        key.extend_from_slice(bare.as_bytes());
        Self(key)
    }

    /// The text that elements and tombstones carry: `/` and the binary CID as upper-case base32.
    /// Source: `wire.md` 4.1, go-ds-crdt.
    #[must_use]
    pub fn to_text(&self) -> String {
        match (self.to_cid(), self.0.split_first()) {
            (Some(cid), _) => text_of(&cid),
            (None, Some((_, bare))) => format!("/{}", String::from_utf8_lossy(bare)),
            (None, None) => "/".to_owned(),
        }
    }

    /// The stored bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Takes bytes that came from the store.
    #[must_use]
    pub fn from_stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The stored bytes, owned.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// The text that elements and tombstones carry for a CID.
pub(crate) fn text_of(cid: &Cid) -> String {
    // The text of a usual CID has 59 bytes.
    let mut text = String::with_capacity(64);
    text.push('/');
    BASE32_NOPAD.encode_append(&cid.encode(), &mut text);
    text
}

impl std::fmt::Debug for PinKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PinKey({})", self.to_text())
    }
}

/// Reads the CID back from stored bytes; `None` for a foreign or damaged key.
#[must_use]
pub fn cid_of(key: &[u8]) -> Option<Cid> {
    let (&tag, rest) = key.split_first()?;
    match tag {
        TAG_V0 => Cid::decode(&[&V0_PREFIX, rest].concat()).ok(),
        TAG_V1 => {
            let bytes = unpack(rest);
            // The reader stops at the multihash's end; the last byte may be padding.
            cid::Cid::read_bytes(bytes.as_slice()).ok().map(Cid::from)
        }
        _ => None,
    }
}

/// Appends the canonical text of a key's CID; `false` (and nothing appended) when it has none.
/// The common shapes cost no allocation.
pub fn push_cid_text(key: &[u8], out: &mut Vec<u8>) -> bool {
    match key.split_first() {
        Some((&TAG_V0, digest)) if digest.len() == 32 => {
            push_base58(digest, out);
            true
        }
        // 36 bytes of CID are 58 digits are 37 bytes of key.
        Some((&TAG_V1, digits)) if digits.len() == 37 => {
            push_digits(digits, 58, out);
            true
        }
        Some(_) | None => cid_of(key).is_some_and(|cid| {
            out.extend_from_slice(cid.to_string().as_bytes());
            true
        }),
    }
}

/// Renumbers a base32 digit: `2`…`7` stand before `a`…`z` in ASCII, but count after them.
fn by_ascii(digit: u8) -> u8 {
    if digit < 26 { digit + 6 } else { digit - 26 }
}

fn by_value(rank: u8) -> u8 {
    if rank < 6 { rank + 26 } else { rank - 6 }
}

/// Cuts bytes into groups of `from` bits (zeros fill the last when `fill`), maps each, and joins
/// groups of `to` bits into bytes.
fn regroup(bytes: &[u8], map: fn(u8) -> u8, fill: bool, out: &mut Vec<u8>) {
    let (mut read, mut read_bits) = (0u32, 0u32);
    let (mut written, mut written_bits) = (0u32, 0u32);
    let mut push = |digit: u8, out: &mut Vec<u8>| {
        written = written << 5 | u32::from(map(digit));
        written_bits += 5;
        if written_bits >= 8 {
            written_bits -= 8;
            out.push((written >> written_bits & 0xff) as u8);
        }
    };
    for byte in bytes {
        read = read << 8 | u32::from(*byte);
        read_bits += 8;
        while read_bits >= 5 {
            read_bits -= 5;
            push((read >> read_bits & 0x1f) as u8, out);
        }
    }
    if fill && read_bits > 0 {
        push((read << (5 - read_bits) & 0x1f) as u8, out);
    }
    if fill && written_bits > 0 {
        out.push((written << (8 - written_bits) & 0xff) as u8);
    }
}

fn pack(cid: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(cid.len() + 2);
    key.push(TAG_V1);
    regroup(cid, by_ascii, true, &mut key);
    key
}

fn unpack(digits: &[u8]) -> Vec<u8> {
    let mut cid = Vec::with_capacity(digits.len());
    regroup(digits, by_value, false, &mut cid);
    cid
}

/// `b` and so many digits.
fn push_digits(packed: &[u8], digits: usize, out: &mut Vec<u8>) {
    const ASCII: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
    out.push(b'b');
    let end = out.len() + digits;
    for five in packed.chunks(5) {
        let mut bits = 0u64;
        for at in 0..5 {
            bits = bits << 8 | u64::from(five.get(at).copied().unwrap_or(0));
        }
        for at in (0..8).rev() {
            out.push(ASCII[(bits >> (at * 5) & 0x1f) as usize]);
        }
    }
    out.truncate(end);
}

/// Base58btc of a version 0 CID: always 46 digits, divided out ten at a time.
fn push_base58(digest: &[u8], out: &mut Vec<u8>) {
    const ASCII: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    const DIGITS: usize = 46;
    /// 58^5, the largest power whose remainder and next limb fit 64 bits.
    const CHUNK: u64 = 656_356_768;
    let mut limbs = [0u64; 9];
    limbs[0] = u64::from(u16::from_be_bytes(V0_PREFIX));
    for (limb, four) in limbs[1..].iter_mut().zip(digest.chunks_exact(4)) {
        *limb = four.iter().fold(0, |limb, byte| limb << 8 | u64::from(*byte));
    }
    let mut text = [b'1'; DIGITS + 4];
    let mut from = 0;
    for end in (1..=10).rev().map(|chunk| chunk * 5) {
        let mut rest = 0;
        for limb in &mut limbs[from..] {
            let value = rest << 32 | *limb;
            *limb = value / CHUNK;
            rest = value % CHUNK;
        }
        while from < 8 && limbs[from] == 0 {
            from += 1;
        }
        for place in text[end - 5..end].iter_mut().rev() {
            *place = ASCII[(rest % 58) as usize];
            rest /= 58;
        }
    }
    out.extend_from_slice(&text[4..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use multihash_codetable::{Code, MultihashDigest};
    use proptest::prelude::*;

    fn cid() -> impl Strategy<Value = Cid> {
        let digest = proptest::collection::vec(any::<u8>(), 0..=64);
        let codec = prop_oneof![Just(0x55u64), Just(0x70), Just(0x71), any::<u64>()];
        (digest, codec, 0..4u8).prop_map(|(digest, codec, shape)| match shape {
            0 => cid::Cid::new_v0(Code::Sha2_256.digest(&digest)).unwrap().into(),
            1 => cid::Cid::new_v1(codec, Code::Sha2_256.digest(&digest)).into(),
            2 => cid::Cid::new_v1(codec, Code::Sha2_512.digest(&digest)).into(),
            // Identity: the content itself, of any length.
            _ => cid::Cid::new_v1(codec, multihash::Multihash::wrap(0, &digest).unwrap()).into(),
        })
    }

    proptest! {
        #[test]
        fn keys_sort_as_texts_and_lead_back_to_the_cid(a in cid(), b in cid()) {
            let (key_a, key_b) = (PinKey::from_cid(&a), PinKey::from_cid(&b));
            prop_assert_eq!(key_a.to_cid(), Some(a));
            prop_assert_eq!(key_a.cmp(&key_b), a.to_string().cmp(&b.to_string()));
            prop_assert!(a == b || !key_b.as_bytes().starts_with(key_a.as_bytes()));
            prop_assert_eq!(PinKey::from_text(&key_a.to_text()), key_a.clone());
            let mut text = Vec::new();
            prop_assert!(push_cid_text(key_a.as_bytes(), &mut text));
            prop_assert_eq!(String::from_utf8(text).unwrap(), a.to_string());
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut text = Vec::new();
            assert_eq!(push_cid_text(&bytes, &mut text), cid_of(&bytes).is_some());
            assert!(PinKey::from_stored(bytes).to_text().starts_with('/'));
        }
    }

    #[test]
    fn texts_are_gos() {
        let cid: Cid = "QmS4mv1XCXeEpemfHMy6ND7HGqBVyM7cg3zADSrkuXNow5".parse().unwrap();
        let text = "/CIQDOXM2BNQIMOPQY6EFXZVNCSDPMXY2KUSYNRLWUPMI2FMEKD4INIA";
        assert_eq!(PinKey::from_cid(&cid).to_text(), text);
        assert_eq!(PinKey::from_text("K"), PinKey::from_text("/K"));
        assert_eq!(PinKey::from_text("K").to_text(), "/K");
    }
}

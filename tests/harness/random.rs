//! Random choices that a number repeats, and content that nobody has seen before.

use data_encoding::BASE32_NOPAD;

use std::time::{SystemTime, UNIX_EPOCH};

/// A fast generator: incompressible to Kubo's chunker and different in each run. Not for secrets.
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (SplitMix64).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Starts where the clock stands.
    #[must_use]
    pub fn from_clock() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::seeded(now.as_secs() ^ u64::from(now.subsec_nanos()).rotate_left(32))
    }

    /// Starts at a known place.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.bits() % (limit.max(1) as u64)).unwrap_or(0)
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            let word = self.bits().to_le_bytes();
            part.copy_from_slice(&word[..part.len()]);
        }
    }

    /// Puts `items` into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let place = self.below(last + 1);
            items.swap(last, place);
        }
    }

    /// The CID of a block that nobody has: version 1, raw.
    pub fn cid_of_nothing(&mut self) -> String {
        // Version 1, raw, SHA2-256 of 32 bytes. Source: multiformats/cid, multiformats/multicodec.
        let mut cid = [0; 36];
        cid[..4].copy_from_slice(&[0x01, 0x55, 0x12, 0x20]);
        self.fill(&mut cid[4..]);
        format!("b{}", BASE32_NOPAD.encode(&cid).to_ascii_lowercase())
    }
}

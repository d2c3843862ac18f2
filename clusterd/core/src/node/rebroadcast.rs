//! Telling the heads again: whoever missed an announcement hears of it at the next one.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher};

use common::ids::PeerId;

use crate::input::Time;
use crate::pinset::codec::BlockId;
use crate::pinset::heads::Heads;

/// Most announced heads that are remembered; those beyond are told once more than needed.
const SEEN_MAX: usize = 65_536;
/// Most heads in one announcement: 40 bytes each, and a message must stay below 1 MiB.
const HEADS_MAX: usize = 16_384;
/// Up to so many hundredths less or more than the mean time, so that peers do not speak at once.
const SCATTER: u64 = 30;

/// When to announce, and what others said meanwhile.
///
/// Source: `crdt.go` of go-ds-crdt 0.6 (`rebroadcast`).
#[derive(Debug)]
pub(super) struct Rebroadcast {
    peer: Vec<u8>,
    every: u64,
    count: u64,
    due: Time,
    seen: BTreeSet<BlockId>,
}

impl Rebroadcast {
    pub(super) fn new(peer: &PeerId, every: u64, now: Time) -> Self {
        let (peer, every) = (peer.encode(), every.max(1000));
        let mut new = Self { peer, every, count: 0, due: now, seen: BTreeSet::new() };
        new.plan(now);
        new
    }

    /// Others heard of these.
    pub(super) fn saw(&mut self, heads: &[BlockId]) {
        let room = SEEN_MAX.saturating_sub(self.seen.len());
        self.seen.extend(heads.iter().take(room));
    }

    /// The announcements that are due now.
    pub(super) fn take(&mut self, heads: &Heads, now: Time) -> Vec<Vec<BlockId>> {
        if self.due > now {
            return Vec::new();
        }
        let seen = std::mem::take(&mut self.seen);
        self.plan(now);
        let untold = heads.iter().map(|(id, _)| id).filter(|id| !seen.contains(id));
        let untold: Vec<BlockId> = untold.collect();
        untold.chunks(HEADS_MAX).map(<[BlockId]>::to_vec).collect()
    }

    pub(super) fn due(&self) -> Time {
        self.due
    }

    fn plan(&mut self, now: Time) {
        // The same each time, yet different for each peer and each turn.
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.peer);
        hasher.write_u64(self.count);
        self.count += 1;
        let percent = 100 - SCATTER + hasher.finish() % (2 * SCATTER + 1);
        self.due = now.plus_millis(self.every.saturating_mul(percent) / 100);
    }
}

//! Telling the heads again: whoever missed an announcement hears of it at the next one.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher};

use common::ids::PeerId;

use crate::input::Time;
use crate::mutant::{self, Mutant};
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
        if mutant::is(Mutant::SeenKeptForever) {
            self.seen.clone_from(&seen);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    fn peer(number: u8) -> PeerId {
        // The multihash of an ed25519 key: identity, 36 bytes, key type, 32 bytes.
        PeerId::decode(&[&[0, 36, 8, 1, 18, 32], [number; 32].as_slice()].concat()).unwrap()
    }

    fn heads(names: &[&str]) -> Heads {
        let (mut store, mut heads) = (MemoryStore::default(), Heads::default());
        names.iter().for_each(|name| heads.add(&mut store, BlockId::of(name.as_bytes()), 1));
        heads
    }

    fn turns(peer: PeerId) -> Vec<u64> {
        let (mut told, heads) = (Rebroadcast::new(&peer, 60_000, Time(0)), heads(&["a"]));
        let mut turns = Vec::new();
        for _ in 0..200 {
            let due = told.due();
            assert!(told.take(&heads, Time(due.0 - 1)).is_empty());
            assert_eq!(told.take(&heads, due), [[BlockId::of(b"a")]]);
            turns.push(told.due().0 - due.0);
        }
        turns
    }

    #[test]
    fn turns_scatter_around_the_mean_and_each_peer_has_its_own() {
        let ours = turns(peer(1));
        assert!(ours.iter().all(|turn| (42_000..=78_000).contains(turn)));
        let mean = ours.iter().sum::<u64>() / ours.len() as u64;
        assert!((57_000..63_000).contains(&mean), "{mean}");
        assert_eq!(ours, turns(peer(1)));
        assert_ne!(ours, turns(peer(2)));
    }

    #[test]
    fn what_others_told_is_left_out_once() {
        let mut told = Rebroadcast::new(&peer(1), 60_000, Time(0));
        let (a, b) = (BlockId::of(b"a"), BlockId::of(b"b"));
        told.saw(&[a]);
        assert_eq!(told.take(&heads(&["a", "b"]), told.due()), [[b]]);
        told.saw(&[b]);
        assert!(told.take(&heads(&["b"]), told.due()).is_empty());
        assert_eq!(told.take(&heads(&["b"]), told.due()), [[b]]);
    }
}

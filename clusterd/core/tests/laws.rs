//! Properties: replicas agree whatever the order, no bytes make a decoder panic, allocations keep their laws.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};

use clusterd_core::allocator::{Candidate, Metric, NotEnough, Wish, allocate};
use clusterd_core::input::Time;
use clusterd_core::pinset::Pinset;
use clusterd_core::pinset::codec::{Block, BlockId};
use clusterd_core::pinset::key::PinKey;
use clusterd_core::pinset::pin_row::PinRow;
use clusterd_core::pinset::record::{decode_pin, encode_pin};
use clusterd_core::pinset::set::block_bytes;
use clusterd_core::pinset::walk::Walk;
use clusterd_core::store::{MemoryStore, Space, Store};
use clusterd_core::tracker::phase::Unsettled;
use common::ids::PeerId;
use common::pin::Replication;
use proptest::prelude::*;

/// A replica and the blocks that it has.
struct Replica {
    store: MemoryStore,
    pinset: Pinset,
    walk: Walk,
}

/// What somebody does at a replica.
#[derive(Debug, Clone)]
enum Act {
    Put(usize, u8, u8),
    Remove(usize, u8),
    /// One replica hears of another's heads and takes all it can get.
    Hear {
        by: usize,
        of: usize,
    },
}

const REPLICAS: usize = 3;

fn act() -> impl Strategy<Value = Act> {
    let replica = 0..REPLICAS;
    prop_oneof![
        (replica.clone(), 0..4u8, any::<u8>())
            .prop_map(|(at, key, value)| Act::Put(at, key, value)),
        (replica.clone(), 0..4u8).prop_map(|(at, key)| Act::Remove(at, key)),
        (replica.clone(), replica).prop_map(|(by, of)| Act::Hear { by, of }),
    ]
}

fn key(key: u8) -> PinKey {
    PinKey::from_text(&format!("/K{key}"))
}

impl Replica {
    fn new() -> Self {
        let store = MemoryStore::default();
        let pinset = Pinset::load(&store).unwrap();
        Self { store, pinset, walk: Walk::default() }
    }

    fn seal(&mut self) {
        self.pinset.seal(&mut self.store).unwrap();
        self.store.commit().unwrap();
    }

    /// Walks from another replica's heads, fetching from it; `newest_first` turns the order round.
    fn hear(&mut self, other: &MemoryStore, heads: &[BlockId], newest_first: bool) {
        self.walk.heads_seen(&self.pinset, &self.store, heads).unwrap();
        let mut fetch = self.walk.fetches(Time(0));
        while !fetch.is_empty() {
            let id = if newest_first { fetch.remove(0) } else { fetch.pop().unwrap() };
            let bytes = block_bytes(other, &id).unwrap().unwrap();
            let (pinset, store) = (&mut self.pinset, &mut self.store);
            self.walk.fetched(pinset, store, (id, &bytes), Time(0)).unwrap().unwrap();
            fetch.extend(self.walk.fetches(Time(0)));
        }
        self.store.commit().unwrap();
        assert!(self.walk.is_idle());
    }

    fn heads(&self) -> Vec<BlockId> {
        self.pinset.heads().iter().map(|(id, _)| id).collect()
    }

    fn values(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let rows = self.store.scan(Space::Pins, &[], None, usize::MAX).unwrap();
        let value = |key: &[u8], row: &[u8]| PinRow::parse(row).unwrap().value(key);
        rows.into_iter().map(|(key, row)| (key.clone(), value(&key, &row))).collect()
    }
}

fn hear(replicas: &mut [Replica], by: usize, of: usize, newest_first: bool) {
    if by != of {
        let (heads, store) = (replicas[of].heads(), replicas[of].store.clone());
        replicas[by].hear(&store, &heads, newest_first);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn replicas_that_heard_of_each_other_agree(acts in proptest::collection::vec(act(), 1..40)) {
        let mut replicas: Vec<Replica> = (0..REPLICAS).map(|_| Replica::new()).collect();
        for (step, act) in acts.into_iter().enumerate() {
            match act {
                Act::Put(at, name, value) => {
                    let Replica { store, pinset, .. } = &mut replicas[at];
                    pinset.put(store, &key(name), vec![value, 1]).unwrap();
                    // Some changes share a block.
                    if step % 3 != 0 {
                        replicas[at].seal();
                    }
                }
                Act::Remove(at, name) => {
                    let Replica { store, pinset, .. } = &mut replicas[at];
                    pinset.remove(store, &key(name)).unwrap();
                    if step % 3 != 0 {
                        replicas[at].seal();
                    }
                }
                Act::Hear { by, of } => {
                    replicas[of].seal();
                    replicas[by].seal();
                    hear(&mut replicas, by, of, step % 2 == 0);
                }
            }
        }
        replicas.iter_mut().for_each(Replica::seal);
        for _ in 0..2 {
            for by in 0..REPLICAS {
                for of in 0..REPLICAS {
                    hear(&mut replicas, by, of, by < of);
                }
            }
        }
        // A newcomer learns all from the heads alone.
        let mut late = Replica::new();
        late.hear(&replicas[0].store.clone(), &replicas[0].heads(), true);
        for other in replicas.iter().chain([&late]) {
            prop_assert_eq!(other.values(), replicas[0].values());
            prop_assert_eq!(other.heads(), replicas[0].heads());
        }
        // Hearing again changes nothing.
        let before = replicas[1].heads();
        hear(&mut replicas, 1, 0, true);
        prop_assert_eq!(replicas[1].heads(), before);
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(pin) = decode_pin(&bytes) {
            prop_assert_eq!(decode_pin(&encode_pin(&pin)).unwrap(), pin);
        }
        if let Ok(block) = Block::decode(&bytes) {
            prop_assert_eq!(Block::decode(&block.encode()).unwrap(), block);
        }
        if let Some(row) = PinRow::parse(&bytes) {
            prop_assert!(row.name().len() <= bytes.len());
            prop_assert!(row.pin(&bytes).is_none() || row.is_pin());
        }
        if let Some(unsettled) = Unsettled::decode(&bytes) {
            prop_assert!(Unsettled::decode(&unsettled.encode()).is_some());
        }
        prop_assert!(BlockId::from_text(&String::from_utf8_lossy(&bytes)).is_none());
    }

    #[test]
    fn damaged_blocks_make_no_panic(at in 0..2000usize, bit in 0..8u8) {
        let blocks: serde_json::Value =
            serde_json::from_str(include_str!("vectors/crdt-blocks.json")).unwrap();
        for block in blocks.as_array().unwrap() {
            let hex = block["raw_hex"].as_str().unwrap();
            let mut bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            if let Ok(block) = Block::decode(&bytes) {
                let elements = block.delta.elements.iter();
                prop_assert!(elements.filter_map(|e| decode_pin(&e.value).ok()).count() <= 1);
            }
        }
    }

    #[test]
    fn allocations_keep_their_laws(
        (groups, weights) in (proptest::collection::vec(0..3u8, 8), proptest::collection::vec(any::<u16>(), 8)),
        present in proptest::collection::vec(any::<bool>(), 8),
        current in proptest::collection::btree_set(0..8usize, 0..5),
        preferred in proptest::collection::btree_set(0..8usize, 0..4),
        (min, more) in (1..5i32, 0..4i32),
    ) {
        let candidates: Vec<Candidate> = (0..8)
            .filter(|at| present[*at])
            .map(|at| candidate(at, groups[at], i64::from(weights[at])))
            .collect();
        let (current, preferred): (Vec<PeerId>, Vec<PeerId>) =
            (current.into_iter().map(peer).collect(), preferred.into_iter().map(peer).collect());
        let replication = Replication::from_stored(min, min + more);
        let wish = Wish { replication, current: &current, preferred: &preferred };
        let (min, max) = (usize::try_from(min).unwrap(), usize::try_from(min + more).unwrap());
        let alive: BTreeSet<PeerId> = candidates.iter().map(|candidate| candidate.peer).collect();
        let held: BTreeSet<PeerId> = current.iter().filter(|p| alive.contains(p)).copied().collect();
        match allocate(&wish, &candidates) {
            Err(NotEnough { needed, found }) => {
                prop_assert_eq!((needed, found), (min, alive.len()));
                prop_assert!(alive.len() < min);
            }
            Ok(chosen) if held.len() >= min && held.len() <= max => {
                prop_assert_eq!(chosen, current);
            }
            Ok(chosen) => {
                let set: BTreeSet<PeerId> = chosen.iter().copied().collect();
                prop_assert_eq!(set.len(), chosen.len());
                prop_assert_eq!(chosen.len(), alive.len().min(max));
                prop_assert!(set.is_subset(&alive));
                prop_assert!(held.len() > max || held.is_subset(&set));
                // Nobody is taken while a preferred peer is left out.
                let left_out = preferred.iter().any(|p| alive.contains(p) && !set.contains(p));
                let mut others = set.iter().filter(|p| !held.contains(p) && !preferred.contains(p));
                prop_assert!(held.len() > max || !left_out || others.next().is_none());
            }
        }
    }
}

fn peer(number: usize) -> PeerId {
    let digest = [u8::try_from(number).unwrap(); 32];
    // The multihash of an ed25519 key: identity, 36 bytes, key type, 32 bytes.
    PeerId::decode(&[&[0, 36, 8, 1, 18, 32], digest.as_slice()].concat()).unwrap()
}

fn candidate(number: usize, group: u8, weight: i64) -> Candidate {
    let group = Metric { value: format!("g{group}"), weight: 0, is_group: true };
    let space = Metric { value: weight.to_string(), weight, is_group: false };
    Candidate { peer: peer(number), metrics: vec![group, space] }
}

#[test]
fn groups_take_turns_and_free_space_decides_inside_them() {
    let candidates =
        [candidate(1, 1, 10), candidate(2, 1, 30), candidate(3, 1, 20), candidate(4, 2, 5)];
    let replication = Replication::from_stored(1, 4);
    let wish = Wish { replication, current: &[], preferred: &[] };
    // Group 1 has more space in all, so it begins.
    assert_eq!(allocate(&wish, &candidates), Ok(vec![peer(2), peer(4), peer(3), peer(1)]));
    let wish = Wish { preferred: &[peer(1)], ..wish };
    assert_eq!(allocate(&wish, &candidates).unwrap()[0], peer(1));
    let wish = Wish { replication: Replication::Everywhere, ..wish };
    assert_eq!(allocate(&wish, &candidates), Ok(Vec::new()));
}

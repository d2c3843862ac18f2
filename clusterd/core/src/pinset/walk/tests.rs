//! Any history, told in any order, fetched in any order, with failures and crashes: Go's outcome.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use super::want::{AGAIN_AFTER, AGAIN_AFTER_MAX};
use super::*;
use crate::pinset::delta::{Delta, Element};
use crate::pinset::key::PinKey;
use crate::pinset::pin_row::PinRow;
use crate::pinset::set;
use crate::store::MemoryStore;

/// One block: links to earlier ones, what it puts, and which earlier additions it removes.
type Plan = (Vec<usize>, Vec<(u8, u8)>, Vec<(u8, usize)>);

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let links = proptest::collection::vec(0..6usize, 0..3);
    let puts = proptest::collection::vec((0..3u8, 0..3u8), 0..3);
    let removals = proptest::collection::vec((0..3u8, 0..8usize), 0..2);
    proptest::collection::vec((links, puts, removals), 1..14)
}

/// The blocks of a history, the earliest first.
fn blocks(plans: &[Plan]) -> Vec<(BlockId, Vec<u8>)> {
    let mut made: Vec<(BlockId, Vec<u8>, u64)> = Vec::new();
    for (number, (links, puts, removals)) in plans.iter().enumerate() {
        let back = |distance: &usize| number.checked_sub(distance + 1);
        let links: BTreeSet<usize> = links.iter().filter_map(back).collect();
        let height = links.iter().map(|at| made[*at].2).max().unwrap_or(0) + 1;
        let mut links: Vec<BlockId> = links.into_iter().map(|at| made[at].0).collect();
        links.sort();
        let puts: BTreeMap<u8, u8> = puts.iter().copied().collect();
        // Blocks that say the same would be one.
        let own = Element { key: format!("/N{number}"), id: String::new(), value: vec![1] };
        let put = |(key, value)| Element {
            key: format!("/K{key}"),
            id: String::new(),
            value: vec![value, 1],
        };
        let elements = puts.into_iter().map(put).chain([own]).collect();
        let bury = |(key, distance): &(u8, usize)| {
            let id = made[back(distance)?].0.to_text();
            Some(Element { key: format!("/K{key}"), id, value: Vec::new() })
        };
        let tombstones = removals.iter().filter_map(bury).collect();
        let bytes = Block { links, delta: Delta { elements, tombstones, priority: height } };
        let bytes = bytes.encode();
        made.push((BlockId::of(&bytes), bytes, height));
    }
    made.into_iter().map(|(id, bytes, _)| (id, bytes)).collect()
}

/// Go's way, one announced head after the other. Source: `crdt.go` of go-ds-crdt 0.6.
#[derive(Default)]
struct Serial {
    processed: BTreeSet<BlockId>,
    heads: BTreeSet<BlockId>,
}

impl Serial {
    fn announce(&mut self, shelf: &BTreeMap<BlockId, Vec<u8>>, heads: &[BlockId]) {
        if self.heads.is_empty() {
            self.heads.extend(heads);
        }
        for root in heads {
            if !self.processed.contains(root) {
                self.walk(shelf, *root);
            }
        }
    }

    fn walk(&mut self, shelf: &BTreeMap<BlockId, Vec<u8>>, root: BlockId) {
        let (mut queue, mut queued) = (VecDeque::from([root]), BTreeSet::from([root]));
        while let Some(id) = queue.pop_front() {
            self.processed.insert(id);
            let links = Block::decode(&shelf[&id]).unwrap().links;
            if links.is_empty() {
                self.heads.insert(root);
            }
            let mut is_added = false;
            for link in links {
                if self.heads.remove(&link) {
                    self.heads.insert(root);
                    is_added = true;
                    if self.processed.contains(&link) {
                        continue;
                    }
                }
                if self.processed.contains(&link) || queued.contains(&link) {
                    if !is_added {
                        self.heads.insert(root);
                        is_added = true;
                    }
                } else {
                    queued.insert(link);
                    queue.push_back(link);
                }
            }
        }
    }
}

struct Replica {
    store: MemoryStore,
    pinset: Pinset,
    walk: Walk,
    under_way: Vec<BlockId>,
    now: Time,
}

impl Replica {
    fn new() -> Self {
        let store = MemoryStore::default();
        let pinset = Pinset::load(&store).unwrap();
        Self { store, pinset, walk: Walk::default(), under_way: Vec::new(), now: Time(0) }
    }

    fn hear(&mut self, heads: &[BlockId]) {
        self.walk.heads_seen(&self.pinset, &self.store, heads).unwrap();
        self.start();
    }

    fn start(&mut self) {
        self.under_way.extend(self.walk.fetches(self.now));
    }

    fn take(&mut self, at: usize, shelf: &BTreeMap<BlockId, Vec<u8>>) {
        let id = self.under_way.swap_remove(at % self.under_way.len());
        let (pinset, store) = (&mut self.pinset, &mut self.store);
        self.walk.fetched(pinset, store, (id, &shelf[&id]), self.now).unwrap().unwrap();
        self.start();
    }

    fn fail(&mut self, at: usize) {
        let id = self.under_way.swap_remove(at % self.under_way.len());
        self.walk.failed(&id, self.now);
        self.start();
    }

    fn crash(&mut self) {
        self.store.commit().unwrap();
        self.pinset = Pinset::load(&self.store).unwrap();
        self.walk = Walk::load(&self.store).unwrap();
        self.under_way.clear();
        self.start();
    }

    fn finish(&mut self, shelf: &BTreeMap<BlockId, Vec<u8>>) {
        self.now = self.now.plus_millis(AGAIN_AFTER_MAX);
        self.start();
        while !self.under_way.is_empty() {
            self.take(0, shelf);
        }
    }

    fn heads(&self) -> BTreeSet<BlockId> {
        self.pinset.heads().iter().map(|(id, _)| id).collect()
    }

    fn values(&self) -> BTreeMap<String, Vec<u8>> {
        let rows = self.store.scan(Space::Pins, &[], None, usize::MAX).unwrap();
        let value = |key: &[u8], row: &[u8]| PinRow::parse(row).unwrap().value(key);
        let text = |key: Vec<u8>| PinKey::from_stored(key).to_text();
        rows.into_iter().map(|(key, row)| (text(key.clone()), value(&key, &row))).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_any_history_ends_as_gos_order(
        plans in plans(),
        told in proptest::collection::vec(proptest::collection::vec(0..14usize, 1..4), 1..6),
        steps in proptest::collection::vec((0..9u8, any::<usize>()), 0..60),
    ) {
        let blocks = blocks(&plans);
        let shelf: BTreeMap<BlockId, Vec<u8>> = blocks.iter().cloned().collect();
        let told: Vec<Vec<BlockId>> = told
            .into_iter()
            .map(|heads| heads.into_iter().map(|at| blocks[at % blocks.len()].0).collect())
            .collect();
        let (mut serial, mut replica) = (Serial::default(), Replica::new());
        for heads in &told {
            serial.announce(&shelf, heads);
        }
        let mut next = told.iter();
        for (step, at) in steps {
            match step {
                0 | 1 => next.next().into_iter().for_each(|heads| replica.hear(heads)),
                2..=5 if !replica.under_way.is_empty() => replica.take(at, &shelf),
                6 if !replica.under_way.is_empty() => replica.fail(at),
                7 => replica.crash(),
                _ => {
                    replica.walk.peer_came();
                    replica.start();
                }
            }
        }
        // What is announced is announced again, whatever became of it.
        told.iter().for_each(|heads| replica.hear(heads));
        replica.finish(&shelf);
        prop_assert!(replica.walk.is_idle() && !replica.walk.is_dirty());
        prop_assert_eq!(replica.store.scan(Space::Wanted, &[], None, 9).unwrap(), Vec::new());
        prop_assert_eq!(replica.heads(), serial.heads);
        // One after the other, each with its ancestors first, as if there had been no network.
        let mut plain = Replica::new();
        for (id, bytes) in blocks.iter().filter(|(id, _)| serial.processed.contains(id)) {
            let block = Block::decode(bytes).unwrap();
            plain.pinset.merge(&mut plain.store, id, &block, bytes).unwrap();
        }
        prop_assert_eq!(replica.values(), plain.values());
    }

    #[test]
    fn blocks_commute_associate_and_count_once(
        plans in plans(),
        order in proptest::collection::vec(any::<u32>(), 14),
        again in proptest::collection::vec(0..14usize, 0..6),
    ) {
        let blocks = blocks(&plans);
        let mut mixed: Vec<(u32, &(BlockId, Vec<u8>))> = order.into_iter().zip(&blocks).collect();
        mixed.sort();
        let mixed = mixed.into_iter().map(|(_, block)| block);
        let twice = again.into_iter().filter_map(|at| blocks.get(at));
        let (mut plain, mut other) = (Replica::new(), Replica::new());
        let merge = |replica: &mut Replica, (id, bytes): &(BlockId, Vec<u8>)| {
            let block = Block::decode(bytes).unwrap();
            replica.pinset.merge(&mut replica.store, id, &block, bytes).unwrap();
        };
        blocks.iter().for_each(|block| merge(&mut plain, block));
        mixed.chain(twice).for_each(|block| merge(&mut other, block));
        prop_assert_eq!(other.values(), plain.values());
        for (id, bytes) in &blocks {
            let kept = set::block_bytes(&other.store, id).unwrap();
            prop_assert_eq!(kept.as_ref(), Some(bytes));
        }
    }
}

/// A history of so many blocks in a row.
fn row(length: usize) -> Vec<(BlockId, Vec<u8>)> {
    let plans: Vec<Plan> = (0..length).map(|_| (vec![0], vec![(0, 1)], Vec::new())).collect();
    blocks(&plans)
}

#[test]
fn a_head_that_nobody_has_holds_up_no_other() {
    let blocks = row(5);
    let shelf: BTreeMap<BlockId, Vec<u8>> = blocks.iter().cloned().collect();
    let bogus = BlockId::of(b"nothing");
    let mut replica = Replica::new();
    replica.hear(&[bogus, blocks[4].0]);
    assert_eq!(replica.under_way, [bogus, blocks[4].0]);
    replica.take(1, &shelf);
    // A first head is a head at once, so that what is written now builds on it.
    assert_eq!(replica.heads(), BTreeSet::from([blocks[4].0]));
    while replica.under_way.len() > 1 {
        replica.take(1, &shelf);
    }
    assert_eq!(replica.values()["/K0"], [1, 1]);
    replica.fail(0);
    assert!(replica.walk.is_idle() && !replica.walk.is_dirty());
}

#[test]
fn what_lies_below_stays_wanted_and_is_tried_again_with_growing_patience() {
    let blocks = row(3);
    let shelf: BTreeMap<BlockId, Vec<u8>> = blocks.iter().cloned().collect();
    let mut replica = Replica::new();
    replica.hear(&[blocks[2].0]);
    replica.take(0, &shelf);
    let mut waits = Vec::new();
    for _ in 0..12 {
        replica.fail(0);
        assert!(replica.walk.is_dirty());
        assert_eq!(replica.walk.progress(), Progress { fetching: 0, wanted: 1, failed: 1 });
        let due = replica.walk.next_wake().unwrap();
        waits.push(due.0 - replica.now.0);
        replica.now = due;
        replica.start();
        assert_eq!(replica.under_way, [blocks[1].0]);
    }
    assert!(waits[0] >= AGAIN_AFTER * 3 / 4 && waits[0] <= AGAIN_AFTER);
    assert!(waits.is_sorted() && waits[11] <= AGAIN_AFTER_MAX && waits[11] > AGAIN_AFTER_MAX / 2);
    // Who comes while a fetch is under way may not have been asked.
    replica.walk.peer_came();
    replica.fail(0);
    replica.fail(0);
    assert!(replica.under_way.is_empty());
    replica.walk.peer_came();
    replica.start();
    replica.take(0, &shelf);
    replica.take(0, &shelf);
    assert!(replica.walk.is_idle() && !replica.walk.is_dirty());
}

#[test]
fn bytes_that_are_not_the_block_are_not_taken() {
    let blocks = row(2);
    let mut replica = Replica::new();
    replica.hear(&[blocks[1].0]);
    let (pinset, store) = (&mut replica.pinset, &mut replica.store);
    let wrong = (blocks[1].0, blocks[0].1.as_slice());
    assert!(replica.walk.fetched(pinset, store, wrong, Time(0)).unwrap().is_err());
    assert!(replica.walk.is_idle() && !replica.store.is_dirty());
    // No block, though its hash is right.
    let (id, bytes) = (BlockId::of(&[0xff; 9]), [0xff; 9]);
    replica.walk.heads_seen(&replica.pinset, &replica.store, &[id]).unwrap();
    let (pinset, store) = (&mut replica.pinset, &mut replica.store);
    assert!(replica.walk.fetched(pinset, store, (id, &bytes), Time(0)).unwrap().is_err());
    assert!(!replica.store.is_dirty());
    // What nobody wants is not taken either.
    let (id, bytes) = &blocks[0];
    replica
        .walk
        .fetched(&mut replica.pinset, &mut replica.store, (*id, bytes), Time(0))
        .unwrap()
        .unwrap();
    assert!(!replica.store.is_dirty());
}

#[test]
fn few_are_fetched_at_once_and_bogus_heads_leave_room_for_the_history() {
    let blocks = row(3);
    let shelf: BTreeMap<BlockId, Vec<u8>> = blocks.iter().cloned().collect();
    let mut replica = Replica::new();
    replica.hear(&[blocks[2].0]);
    let bogus: Vec<BlockId> = (0..40_000u32).map(|n| BlockId::of(&n.to_be_bytes())).collect();
    replica.hear(&bogus);
    assert_eq!(replica.walk.progress().wanted, ANNOUNCED_MAX);
    assert_eq!(replica.under_way.len(), 16);
    replica.take(0, &shelf);
    assert_eq!(replica.heads(), BTreeSet::from([blocks[2].0]));
    assert!(replica.under_way.contains(&blocks[1].0));
    // The newest announcement goes before a heap of older ones.
    let late = BlockId::of(b"late");
    replica.fail(0);
    replica.hear(&[late]);
    replica.fail(0);
    assert!(replica.under_way.contains(&late));
    assert!(replica.walk.progress().fetching <= 64);
}

#[test]
fn a_block_with_too_many_unknown_links_waits() {
    let links = |from: u32| (from..from + 60_000).map(|n| BlockId::of(&n.to_be_bytes()));
    let wide = |from: u32| {
        let mut links: Vec<BlockId> = links(from).collect();
        links.sort();
        let delta = Delta { priority: 1, ..Delta::default() };
        let bytes = Block { links, delta }.encode();
        (BlockId::of(&bytes), bytes)
    };
    let (first, second) = (wide(0), wide(1_000_000));
    let mut replica = Replica::new();
    replica.hear(&[first.0, second.0]);
    let shelf = BTreeMap::from([first.clone(), second.clone()]);
    replica.take(0, &shelf);
    let (pinset, store) = (&mut replica.pinset, &mut replica.store);
    let taken = replica.walk.fetched(pinset, store, (second.0, &second.1), Time(0));
    assert!(taken.unwrap().is_err());
    assert!(replica.walk.progress().wanted <= WANTED_MAX);
}

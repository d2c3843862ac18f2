//! The order in which wanted blocks are fetched, and how many at once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::super::codec::BlockId;
use crate::input::Time;

/// What a block is fetched for. Each class has its own share of the fetches that run at once, so
/// that heads nobody can serve hold up neither one another's like nor the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// A merged block links to it.
    Below,
    /// Somebody announced it as a head.
    Announced,
    /// It failed before.
    Again,
}

/// The classes with the fetches each may have under way: 64 in all, each up to 4 MiB.
const SHARES: [(Class, usize); 3] =
    [(Class::Below, 32), (Class::Announced, 16), (Class::Again, 16)];

/// Where a wanted block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// With rank and arrival.
    Ready(Class, u64, u64),
    UnderWay(Class),
    /// Until then; with rank.
    Waiting(Time, u64),
}

/// Every wanted block has one place.
#[derive(Debug, Default)]
pub(super) struct Queue {
    places: BTreeMap<BlockId, Place>,
    /// Those that may be fetched, by class, the highest rank first, then as they arrived.
    ready: BTreeSet<(Class, Reverse<u64>, u64, BlockId)>,
    arrivals: u64,
    under_way: BTreeMap<Class, usize>,
    waiting: BTreeSet<(Time, BlockId)>,
}

impl Queue {
    /// Takes in a block.
    pub(super) fn add(&mut self, id: BlockId, class: Class, rank: u64) {
        self.put_ready(id, class, rank);
    }

    /// A block gets another class; a fetch that is under way goes on as what it began.
    pub(super) fn change(&mut self, id: BlockId, class: Class, rank: u64) {
        if !matches!(self.places.get(&id), Some(Place::UnderWay(_))) {
            self.put_ready(id, class, rank);
        }
    }

    /// A block failed and waits for its next attempt.
    pub(super) fn wait(&mut self, id: BlockId, rank: u64, until: Time) {
        self.put(id, Place::Waiting(until, rank));
    }

    /// A block that waits is tried again now.
    pub(super) fn hasten(&mut self, id: &BlockId) {
        if let Some(Place::Waiting(_, rank)) = self.places.get(id).copied() {
            self.put_ready(*id, Class::Again, rank);
        }
    }

    /// All that waits is tried again now.
    pub(super) fn hasten_all(&mut self) {
        for (_, id) in std::mem::take(&mut self.waiting) {
            self.hasten(&id);
        }
    }

    /// Takes a block out.
    pub(super) fn forget(&mut self, id: &BlockId) {
        match self.places.remove(id) {
            Some(Place::Ready(class, rank, arrival)) => {
                self.ready.remove(&(class, Reverse(rank), arrival, *id));
            }
            Some(Place::UnderWay(class)) => {
                let count = self.under_way.entry(class).or_default();
                *count = count.saturating_sub(1);
            }
            Some(Place::Waiting(until, _)) => {
                self.waiting.remove(&(until, *id));
            }
            None => {}
        }
    }

    fn put_ready(&mut self, id: BlockId, class: Class, rank: u64) {
        self.arrivals += 1;
        self.put(id, Place::Ready(class, rank, self.arrivals));
    }

    fn first(&self, class: Class) -> Option<BlockId> {
        let from = (class, Reverse(u64::MAX), 0, BlockId::FIRST);
        let first = self.ready.range(from..).next().filter(|first| first.0 == class);
        first.map(|(_, _, _, id)| *id)
    }

    fn put(&mut self, id: BlockId, place: Place) {
        self.forget(&id);
        match place {
            Place::Ready(class, rank, arrival) => {
                self.ready.insert((class, Reverse(rank), arrival, id));
            }
            Place::UnderWay(class) => *self.under_way.entry(class).or_default() += 1,
            Place::Waiting(until, _) => {
                self.waiting.insert((until, id));
            }
        }
        self.places.insert(id, place);
    }

    /// Starts as many fetches as there is room for.
    pub(super) fn start(&mut self, now: Time) -> Vec<BlockId> {
        while let Some((until, id)) = self.waiting.first().copied() {
            if until > now {
                break;
            }
            self.hasten(&id);
        }
        let mut started = Vec::new();
        for (class, share) in SHARES {
            let under_way = self.under_way.get(&class).copied().unwrap_or(0);
            for _ in under_way..share {
                let Some(id) = self.first(class) else { break };
                self.put(id, Place::UnderWay(class));
                started.push(id);
            }
        }
        started
    }

    /// When [`Self::start`] may have something to do that it has not now.
    pub(super) fn next_wake(&self) -> Option<Time> {
        let has_room = SHARES.iter().any(|(class, share)| {
            self.under_way.get(class).is_none_or(|count| count < share)
                && self.first(*class).is_some()
        });
        if has_room {
            return Some(Time(0));
        }
        self.waiting.first().map(|(until, _)| *until)
    }

    /// Fetches that run now.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.values().sum()
    }
}

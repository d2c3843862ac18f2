//! One lane of the queue: the store holds all of it, memory its front.

use std::collections::BTreeSet;

use super::phase::{Lane, Place};
use crate::store::{Space, Store, StoreError};

/// Places read at once when the front is used up.
const READ_MAX: usize = 512;
/// At this many places in memory the front is cut back.
const FRONT_MAX: usize = 2048;

/// How far into the lane the front reaches.
#[derive(Debug, PartialEq, Eq)]
enum Reach {
    /// Nothing was read yet.
    Nothing,
    /// All places up to this one are in the front, or were taken. Reading goes on after it, so a
    /// long run of removed rows is crossed once.
    UpTo(Place),
    /// The whole lane.
    All,
}

/// The front of a lane. What is taken from it stays in the store until its pin is settled.
#[derive(Debug)]
pub(crate) struct LaneFront {
    lane: Lane,
    front: BTreeSet<Place>,
    reach: Reach,
}

impl LaneFront {
    pub(crate) fn new(lane: Lane) -> Self {
        Self { lane, front: BTreeSet::new(), reach: Reach::Nothing }
    }

    /// Notes a place that is in the store.
    pub(crate) fn insert(&mut self, place: Place) {
        let is_within = match &self.reach {
            Reach::Nothing => false,
            Reach::UpTo(end) => place <= *end,
            Reach::All => true,
        };
        if is_within {
            self.front.insert(place);
        }
        if self.front.len() > FRONT_MAX {
            while self.front.len() > READ_MAX {
                self.front.pop_last();
            }
            if let Some(last) = self.front.last() {
                self.reach = Reach::UpTo(last.clone());
            }
        }
    }

    /// Forgets a place that is no longer in the store.
    pub(crate) fn remove(&mut self, place: &Place) {
        self.front.remove(place);
    }

    /// The first place, read from the store where needed.
    pub(crate) fn first<S: Store>(&mut self, store: &S) -> Result<Option<&Place>, StoreError> {
        if self.front.is_empty() && self.reach != Reach::All {
            let after = match &self.reach {
                Reach::UpTo(end) => Some(end.as_bytes()),
                Reach::Nothing | Reach::All => None,
            };
            let rows = store.scan(Space::Queue, &[self.lane as u8], after, READ_MAX)?;
            let is_all = rows.len() < READ_MAX;
            self.front.extend(rows.into_iter().map(|(row, _)| Place::from_stored(row)));
            self.reach = match self.front.last() {
                Some(last) if !is_all => Reach::UpTo(last.clone()),
                Some(_) | None => Reach::All,
            };
        }
        Ok(self.front.first())
    }

    /// The first place as far as it is in memory.
    pub(crate) fn peek(&self) -> Option<&Place> {
        self.front.first()
    }

    /// Takes the first place out of the front; it stays in the store.
    pub(crate) fn take(&mut self) -> Option<Place> {
        self.front.pop_first()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Time;
    use crate::pinset::key::PinKey;
    use crate::store::MemoryStore;

    fn place(time: u64) -> Place {
        Place::new(Lane::Retry, Time(time), &PinKey::from_text("/k"))
    }

    fn put(store: &mut MemoryStore, front: &mut LaneFront, time: u64) {
        store.put(Space::Queue, place(time).into_bytes(), Vec::new());
        front.insert(place(time));
    }

    #[test]
    fn a_lane_longer_than_memory_comes_out_whole_and_in_order() {
        let mut store = MemoryStore::default();
        let mut front = LaneFront::new(Lane::Retry);
        assert!(front.first(&store).unwrap().is_none());
        for time in 0..5000 {
            // Scattered, so that places fall within, at and behind the front's reach.
            put(&mut store, &mut front, time * 1777 % 5000);
        }
        for time in 0..5000 {
            assert_eq!(front.first(&store).unwrap(), Some(&place(time)));
            let taken = front.take().unwrap();
            store.delete(Space::Queue, taken.into_bytes());
            assert!(front.front.len() <= FRONT_MAX);
        }
        assert!(front.first(&store).unwrap().is_none());
        put(&mut store, &mut front, 1);
        assert_eq!(front.peek(), Some(&place(1)));
    }
}

//! How many pins there are, and how many are not as wanted.

use common::status::PinStatus;

use crate::row::{RowReader, put_uvarint};
use crate::store::{Space, Store, StoreError};

/// Name of the fact.
const COUNTS: &[u8] = b"counts";

/// The statuses that unsettled pins have, in the order they are stored.
pub const UNSETTLED: [PinStatus; 5] = [
    PinStatus::PinQueued,
    PinStatus::PinError,
    PinStatus::UnexpectedlyUnpinned,
    PinStatus::UnpinQueued,
    PinStatus::UnpinError,
];

/// Kept in the store with every change, so that nobody has to count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records of the pinset.
    pub pins: u64,
    unsettled: [u64; UNSETTLED.len()],
}

impl Counts {
    /// Pins that have this unsettled status; 0 for every other status. A running operation counts
    /// as what it was before it began.
    #[must_use]
    pub fn of(&self, status: PinStatus) -> u64 {
        place(status).map_or(0, |place| self.unsettled[place])
    }

    /// Pins that are not as wanted, unpins included.
    #[must_use]
    pub fn unsettled(&self) -> u64 {
        self.unsettled.iter().sum()
    }

    /// Pins that wait to be pinned, for the first time or again.
    #[must_use]
    pub fn to_pin(&self) -> u64 {
        self.unsettled[..3].iter().sum()
    }

    pub(crate) fn change(&mut self, old: Option<PinStatus>, new: Option<PinStatus>) {
        if let Some(place) = old.and_then(place) {
            self.unsettled[place] = self.unsettled[place].saturating_sub(1);
        }
        if let Some(place) = new.and_then(place) {
            self.unsettled[place] += 1;
        }
    }

    pub(crate) fn load<S: Store>(store: &S) -> Result<Self, StoreError> {
        let Some(row) = store.get(Space::Meta, COUNTS)? else {
            return Ok(Self::default());
        };
        let mut reader = RowReader(&row);
        let mut next = || {
            reader.uvarint().ok_or_else(|| StoreError::Damaged { what: "the counts".to_owned() })
        };
        let mut counts = Self { pins: next()?, ..Self::default() };
        for count in &mut counts.unsettled {
            *count = next()?;
        }
        Ok(counts)
    }

    pub(crate) fn save<S: Store>(&self, store: &mut S) {
        let mut row = Vec::new();
        put_uvarint(&mut row, self.pins);
        for count in self.unsettled {
            put_uvarint(&mut row, count);
        }
        store.put(Space::Meta, COUNTS.to_vec(), row);
    }
}

fn place(status: PinStatus) -> Option<usize> {
    UNSETTLED.iter().position(|unsettled| *unsettled == status)
}

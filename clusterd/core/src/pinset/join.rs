//! A peer that wrote before it knew of any other: which blocks are its own until it has caught up.
//!
//! Such a peer began a second root. Its blocks are low, so what it wrote loses against older
//! history by height alone. While the first walk is under way it therefore takes back what is its
//! own; `wire.md` 10, "Where we deliberately differ". Afterwards Go's rule holds alone.

use common::pin::Pin;

use super::key::PinKey;
use super::merge::Shelf;
use super::record::decode_pin;
use super::{Pinset, set};
use crate::mutant::{self, Mutant};
use crate::row::{RowReader, put_uvarint};
use crate::store::{Space, Store, StoreError};

/// Name of the fact. It is absent until the first block of another peer is merged; then it holds the
/// number below which all blocks are own ones, and 0 when the first walk is over.
const JOIN: &[u8] = b"join";

/// How far a peer is with joining the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Join {
    /// No block of another peer was merged yet.
    Alone,
    /// The first walk is under way. It ends also when the rest of the history is nowhere to be had.
    Under {
        /// Blocks with lower numbers are this peer's own.
        below: u64,
    },
    /// The first walk is over, or there was nothing of one's own before it.
    Over,
}

impl Join {
    pub(super) fn load<S: Store>(store: &S) -> Result<Self, StoreError> {
        let Some(row) = store.get(Space::Meta, JOIN)? else {
            return Ok(Self::Alone);
        };
        match RowReader(&row).uvarint() {
            Some(0) => Ok(Self::Over),
            Some(below) => Ok(Self::Under { below }),
            None => {
                Err(StoreError::Damaged { what: "the number of the last own block".to_owned() })
            }
        }
    }

    /// The first block of another peer is about to be merged; `next` is the next block's number.
    pub(super) fn begin<S: Store>(&mut self, store: &mut S, next: u64) {
        if *self == Self::Alone {
            *self = if next == 0 { Self::Over } else { Self::Under { below: next } };
            self.save(store, next);
        }
    }

    /// The first walk is over.
    pub(super) fn end<S: Store>(&mut self, store: &mut S) -> Result<(), StoreError> {
        if matches!(self, Self::Under { .. }) {
            *self = Self::Over;
            self.save(store, 0);
            set::forget_own(store)?;
        }
        Ok(())
    }

    /// Whether a block was written here. Only known while the first walk is under way.
    pub(super) fn is_own<S: Store>(&self, store: &S, number: u64) -> Result<bool, StoreError> {
        match self {
            Self::Alone => Ok(true),
            Self::Under { below } => Ok(number < *below || set::is_noted_own(store, number)?),
            Self::Over => Ok(false),
        }
    }

    fn save<S: Store>(&self, store: &mut S, below: u64) {
        let mut row = Vec::new();
        put_uvarint(&mut row, below);
        store.put(Space::Meta, JOIN.to_vec(), row);
    }
}

impl Pinset {
    /// Whether the first walk is under way and there is something of this peer's own to guard.
    pub(crate) fn is_joining(&self) -> bool {
        matches!(self.join, Join::Under { .. }) && !mutant::is(Mutant::OwnChangesGivenUp)
    }

    /// The first walk is over.
    pub(crate) fn end_join<S: Store>(&mut self, store: &mut S) -> Result<(), StoreError> {
        self.join.end(store)
    }

    /// What this peer must write again for a key that a merged block changed, as its own change lost
    /// by height alone. Of two records the younger counts, of equally old ones the one with the
    /// greater bytes: of two peers that join each other one gives way.
    pub(crate) fn reclaim<S: Store>(
        &self,
        store: &S,
        key: &PinKey,
        before: Option<&[u8]>,
    ) -> Result<Option<Reclaim>, StoreError> {
        let Some(row) = set::row(store, key)? else {
            return Ok(None);
        };
        let row = set::parse_row(key, &row)?;
        let Some(theirs) = row.pin(key.as_bytes()) else {
            return Ok(None);
        };
        if self.join.is_own(store, row.block)? {
            return Ok(None);
        }
        let Some(before) = before else {
            let removed = self.own_removal(store, key)?;
            let is_ours = removed.is_some_and(|created_at| created_at > theirs.created_at);
            return Ok(is_ours.then_some(Reclaim::Remove));
        };
        let before = set::parse_row(key, before)?;
        if !self.join.is_own(store, before.block)? {
            return Ok(None);
        }
        let (ours, their_value) = (before.value(key.as_bytes()), row.value(key.as_bytes()));
        let pin = before.pin(key.as_bytes());
        let wins = |pin: &Pin| (pin.created_at, &ours) > (theirs.created_at, &their_value);
        Ok(pin.filter(wins).map(|pin| Reclaim::Put(Box::new(pin))))
    }

    /// When the youngest pin was made that this peer wrote and removed again.
    fn own_removal<S: Store>(&self, store: &S, key: &PinKey) -> Result<Option<u64>, StoreError> {
        let mut youngest = None;
        let mut shelf = Shelf::default();
        for number in set::buried_additions(store, key)? {
            if !self.join.is_own(store, number)? || !set::is_kept(store, number)? {
                continue;
            }
            let value = shelf.value(store, key, number)?;
            let created_at = decode_pin(&value).ok().map(|pin| pin.created_at);
            youngest = youngest.max(created_at);
        }
        Ok(youngest)
    }
}

/// What a peer that joins writes again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reclaim {
    /// Its own record.
    Put(Box<Pin>),
    /// Its own removal.
    Remove,
}

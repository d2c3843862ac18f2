//! The replicated pinset: commits local changes as blocks and merges blocks of other peers.

pub mod codec;
pub mod delta;
pub mod heads;
pub(crate) mod join;
pub mod key;
mod merge;
pub mod pin_row;
pub mod record;
pub mod set;
pub mod walk;

use crate::store::{Space, Store, StoreError};
use codec::{Block, BlockId};
use common::pin::Pin;
use delta::OpenDelta;
use heads::Heads;
use join::Join;
use key::PinKey;
use pin_row::PinRow;
use record::encode_pin;

/// Name of the fact that holds the next block's number, 8 bytes.
const NEXT_NUMBER: &[u8] = b"next_block";

/// Name of the fact that holds the greatest height of any merged block, 8 bytes.
const HIGHEST: &[u8] = b"highest";

/// Bytes that an element adds around its value: key text, tags, lengths.
const ELEMENT_OVERHEAD: usize = 128;

/// What a merged block did to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The key has a new value.
    Put {
        /// Which key.
        key: PinKey,
        /// Its row before.
        before: Option<Vec<u8>>,
    },
    /// Additions were removed. The key may still have a value, which must be looked at.
    Removed {
        /// Which key.
        key: PinKey,
        /// Its row before.
        before: Option<Vec<u8>>,
    },
}

impl Change {
    /// The key, and its row before.
    #[must_use]
    pub fn into_before(self) -> (PinKey, Option<Vec<u8>>) {
        match self {
            Self::Put { key, before } | Self::Removed { key, before } => (key, before),
        }
    }
}

/// The pinset's memory: heads, and the delta that local changes go to. All else is in the store.
#[derive(Debug)]
pub struct Pinset {
    heads: Heads,
    open: Option<OpenDelta>,
    next_number: u64,
    /// Greatest height of any block here. A block may say that it is lower than what it links to;
    /// what is written on top of it must not lose against what lies below.
    highest: u64,
    join: Join,
    /// The newest block sealed since the last [`Self::take_sealed`].
    sealed: Option<BlockId>,
}

impl Pinset {
    /// Reads what is kept in memory; does not read the pins.
    ///
    /// # Errors
    /// When the storage fails or is damaged.
    pub fn load<S: Store>(store: &S) -> Result<Self, StoreError> {
        Ok(Self {
            heads: Heads::load(store)?,
            open: None,
            next_number: number(store, NEXT_NUMBER)?,
            highest: number(store, HIGHEST)?,
            join: Join::load(store)?,
            sealed: None,
        })
    }

    /// The current heads.
    #[must_use]
    pub fn heads(&self) -> &Heads {
        &self.heads
    }

    /// The record of a key; `None` when it is not in the pinset.
    ///
    /// # Errors
    /// When the storage fails or is damaged.
    pub fn pin<S: Store>(&self, store: &S, key: &PinKey) -> Result<Option<Pin>, StoreError> {
        let Some(row) = set::row(store, key)? else {
            return Ok(None);
        };
        Ok(set::parse_row(key, &row)?.pin(key.as_bytes()))
    }

    /// Sets the value of a key, as part of the open delta; it is visible at once.
    ///
    /// # Errors
    /// When the storage fails or is damaged.
    pub fn put<S: Store>(
        &mut self,
        store: &mut S,
        key: &PinKey,
        value: Vec<u8>,
    ) -> Result<(), StoreError> {
        let (number, height) = self.make_way(store, key, value.len())?;
        let row = PinRow::encode(key, height, number, &value);
        self.add(store, key, key.to_text(), row, value);
        Ok(())
    }

    /// Sets the record of a pin, as [`Self::put`] does.
    ///
    /// # Errors
    /// When the storage fails or is damaged.
    pub fn put_pin<S: Store>(&mut self, store: &mut S, pin: &Pin) -> Result<(), StoreError> {
        let (key, value) = (PinKey::from_cid(&pin.cid), encode_pin(pin));
        let (number, height) = self.make_way(store, &key, value.len())?;
        let row = PinRow::encode_pin(pin, height, number, &value);
        self.add(store, &key, key::text_of(&pin.cid), row, value);
        Ok(())
    }

    /// Number and height for a new value of a key; the old value's block is noted as one that added
    /// the key, or taken out of the open delta.
    fn make_way<S: Store>(
        &mut self,
        store: &mut S,
        key: &PinKey,
        bytes: usize,
    ) -> Result<(u64, u64), StoreError> {
        let (number, height) = self.open_delta(store, bytes + ELEMENT_OVERHEAD)?;
        if let Some(old) = set::row(store, key)? {
            let old = set::parse_row(key, &old)?.block;
            if old != number {
                set::note_added(store, key, old)?;
            } else if let Some(open) = &mut self.open {
                open.drop_element(key);
            }
        }
        Ok((number, height))
    }

    fn add<S: Store>(
        &mut self,
        store: &mut S,
        key: &PinKey,
        text: String,
        row: Vec<u8>,
        value: Vec<u8>,
    ) {
        store.put(Space::Pins, key.as_bytes().to_vec(), row);
        if let Some(open) = &mut self.open {
            open.put(text, value);
        }
    }

    /// Removes a key, as part of the open delta: every addition that is known here is removed, those
    /// that are not survive. Tells whether there was a value.
    ///
    /// # Errors
    /// When the storage fails or is damaged.
    pub fn remove<S: Store>(&mut self, store: &mut S, key: &PinKey) -> Result<bool, StoreError> {
        let Some(row) = set::row(store, key)? else {
            return Ok(false);
        };
        let holder = set::parse_row(key, &row)?.block;
        let (number, _) = self.open_delta(store, ELEMENT_OVERHEAD)?;
        let mut blocks = set::other_additions(store, key)?;
        if holder != number && !set::is_buried(store, key, holder)? {
            blocks.push(holder);
        }
        blocks.sort_unstable();
        blocks.dedup();
        if let Some(open) = self.open.as_mut().filter(|_| holder == number) {
            open.drop_element(key);
        }
        for block in blocks {
            let id = set::block_of(store, block)?;
            set::note_buried(store, key, block);
            if let Some(open) = &mut self.open {
                open.bury(key, id);
            }
        }
        store.delete(Space::Pins, key.as_bytes().to_vec());
        Ok(true)
    }

    /// Closes the open delta: its block becomes the only head. `None` when nothing changed.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn seal<S: Store>(&mut self, store: &mut S) -> Result<Option<BlockId>, StoreError> {
        let Some(open) = self.open.take() else {
            return Ok(None);
        };
        let (number, height) = (open.sequence, open.height);
        let Some(delta) = open.close() else {
            return Ok(None);
        };
        let links = self.heads.iter().map(|(id, _)| id).collect();
        let bytes = Block { links, delta }.encode();
        let id = BlockId::of(&bytes);
        set::keep_block(store, number, &id, &bytes);
        self.heads.replace_all(store, id, height);
        self.set_next_number(store, number + 1);
        self.note_height(store, height);
        self.sealed = Some(id);
        if matches!(self.join, Join::Under { .. }) {
            set::note_own(store, number);
        }
        Ok(Some(id))
    }

    /// The newest block that was sealed since the last call. It links those sealed before it.
    pub fn take_sealed(&mut self) -> Option<BlockId> {
        self.sealed.take()
    }

    /// Whether a sealed block waits for [`Self::take_sealed`].
    #[must_use]
    pub fn has_sealed(&self) -> bool {
        self.sealed.is_some()
    }

    /// Changes in the open delta.
    #[must_use]
    pub fn open_changes(&self) -> usize {
        self.open.as_ref().map_or(0, OpenDelta::len)
    }

    /// The open delta's block number and height, after closing one that is full.
    fn open_delta<S: Store>(
        &mut self,
        store: &mut S,
        more: usize,
    ) -> Result<(u64, u64), StoreError> {
        if self.open.as_ref().is_some_and(|open| open.is_full(more)) {
            self.seal(store)?;
        }
        let (next, height) = (self.next_number, self.highest.saturating_add(1));
        let open = self.open.get_or_insert_with(|| OpenDelta::new(next, height));
        Ok((open.sequence, open.height))
    }

    fn note_height<S: Store>(&mut self, store: &mut S, height: u64) {
        if height > self.highest {
            self.highest = height;
            store.put(Space::Meta, HIGHEST.to_vec(), height.to_be_bytes().to_vec());
        }
    }

    fn set_next_number<S: Store>(&mut self, store: &mut S, next: u64) {
        self.next_number = next;
        store.put(Space::Meta, NEXT_NUMBER.to_vec(), next.to_be_bytes().to_vec());
    }
}

/// A fact of 8 bytes; 0 when it was never written.
fn number<S: Store>(store: &S, name: &[u8]) -> Result<u64, StoreError> {
    let Some(row) = store.get(Space::Meta, name)? else {
        return Ok(0);
    };
    let damaged = |_| StoreError::Damaged {
        what: format!("the fact {}", String::from_utf8_lossy(name)),
    };
    row.as_slice().try_into().map(u64::from_be_bytes).map_err(damaged)
}

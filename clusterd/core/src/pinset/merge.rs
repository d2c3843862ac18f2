//! Taking in the block of another peer, with the outcome that Go has.

use std::collections::{BTreeMap, BTreeSet};

use super::codec::{Block, BlockId};
use super::delta::Element;
use super::key::PinKey;
use super::pin_row::PinRow;
use super::set;
use super::{Change, Pinset};
use crate::store::{Space, Store, StoreError};

/// Longest text of a key that is taken, in bytes. A CID of ours has 60, the longest there is some
/// 300; a storage engine refuses keys of 64 KiB. Every peer leaves the same ones out.
const KEY_TEXT_MAX: usize = 1024;

/// A value with the block that put it there.
struct Best {
    priority: u64,
    value: Vec<u8>,
    block: u64,
}

impl Pinset {
    /// Whether a block was merged already.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn has_merged<S: Store>(&self, store: &S, id: &BlockId) -> Result<bool, StoreError> {
        store.has(Space::Blocks, id.digest())
    }

    /// Merges a block and keeps it: tombstones first, then elements. A repeated one changes nothing.
    /// Does not touch the heads; [`super::walk::Walk`] does.
    ///
    /// Source: `set.go` of go-ds-crdt 0.6.
    ///
    /// # Errors
    /// When the storage fails or is damaged.
    pub fn merge<S: Store>(
        &mut self,
        store: &mut S,
        id: &BlockId,
        block: &Block,
        bytes: &[u8],
    ) -> Result<Vec<Change>, StoreError> {
        // Local changes made so far come first in the history.
        self.seal(store)?;
        if self.has_merged(store, id)? {
            return Ok(Vec::new());
        }
        self.join.begin(store, self.next_number);
        let was_named = set::number_of(store, id)?.is_some();
        let number = self.number(store, id)?;
        let mut changes = Vec::new();
        self.bury_all(store, &block.delta.tombstones, &mut changes)?;
        let added = Addition { number, priority: block.delta.priority, was_named };
        added.add_all(store, &block.delta.elements, &mut changes)?;
        set::keep_block(store, number, id, bytes);
        self.note_height(store, block.delta.priority);
        Ok(changes)
    }

    /// The number of a block; a new one when it was never named.
    fn number<S: Store>(&mut self, store: &mut S, id: &BlockId) -> Result<u64, StoreError> {
        if let Some(number) = set::number_of(store, id)? {
            return Ok(number);
        }
        let number = self.next_number;
        self.set_next_number(store, number + 1);
        set::name_block(store, number, id);
        Ok(number)
    }

    fn bury_all<S: Store>(
        &mut self,
        store: &mut S,
        tombstones: &[Element],
        changes: &mut Vec<Change>,
    ) -> Result<(), StoreError> {
        let mut keys: BTreeMap<PinKey, Vec<&str>> = BTreeMap::new();
        for tombstone in tombstones.iter().filter(|tombstone| is_short(tombstone)) {
            keys.entry(PinKey::from_text(&tombstone.key)).or_default().push(&tombstone.id);
        }
        let mut shelf = Shelf::default();
        for (key, ids) in keys {
            let mut buried = BTreeSet::new();
            let mut effective = BTreeSet::new();
            for text in ids {
                let Some(id) = BlockId::from_text(text) else {
                    continue;
                };
                let number = self.number(store, &id)?;
                buried.insert(number);
                // Go compares texts when it looks for the surviving value, so an id without slash
                // removes nothing, yet is remembered as removed.
                if text.starts_with('/') {
                    effective.insert(number);
                }
            }
            let before = set::row(store, &key)?;
            if let Some(row) = &before {
                shelf.choose_survivor(store, &key, row, &effective)?;
            }
            for number in buried {
                set::note_buried(store, &key, number);
            }
            changes.push(Change::Removed { key, before });
        }
        Ok(())
    }
}

fn is_short(element: &Element) -> bool {
    element.key.len() <= KEY_TEXT_MAX
}

/// The block that was looked into last: one that lost many keys is decoded once.
#[derive(Default)]
pub(super) struct Shelf(Option<(u64, Block)>);

impl Shelf {
    /// Gives a key the best value of the additions that remain, or none.
    fn choose_survivor<S: Store>(
        &mut self,
        store: &mut S,
        key: &PinKey,
        row: &[u8],
        buried: &BTreeSet<u64>,
    ) -> Result<(), StoreError> {
        let holder = set::parse_row(key, row)?.block;
        let mut additions: BTreeSet<u64> =
            set::other_additions(store, key)?.into_iter().collect();
        if !set::is_buried(store, key, holder)? {
            additions.insert(holder);
        }
        let mut best: Option<Best> = None;
        for number in additions.difference(buried) {
            let candidate = self.addition(store, key, *number)?;
            let better = best.as_ref().is_none_or(|best| {
                (candidate.priority, &candidate.value) > (best.priority, &best.value)
            });
            if better {
                best = Some(candidate);
            }
        }
        match best.filter(|best| !best.value.is_empty()) {
            Some(best) => {
                if best.block != holder {
                    set::note_added(store, key, holder)?;
                }
                let row = PinRow::encode(key, best.priority, best.block, &best.value);
                store.put(Space::Pins, key.as_bytes().to_vec(), row);
            }
            // Go takes an empty value for none here.
            None => store.delete(Space::Pins, key.as_bytes().to_vec()),
        }
        Ok(())
    }

    /// What a kept block says of a key: its greatest value for it, empty for none. Go compares keys
    /// as texts here.
    fn addition<S: Store>(
        &mut self,
        store: &S,
        key: &PinKey,
        number: u64,
    ) -> Result<Best, StoreError> {
        let block = match self.0.take().filter(|(kept, _)| *kept == number) {
            Some((_, block)) => block,
            None => {
                let id = set::block_of(store, number)?;
                let damaged = || StoreError::Damaged { what: format!("block {id:?}") };
                let bytes = set::block_bytes(store, &id)?.ok_or_else(damaged)?;
                Block::decode(&bytes).map_err(|_| damaged())?
            }
        };
        let text = key.to_text();
        let values = block.delta.elements.iter().filter(|element| element.key == text);
        let value = values.map(|element| &element.value).max().cloned().unwrap_or_default();
        let priority = block.delta.priority;
        self.0 = Some((number, block));
        Ok(Best { priority, value, block: number })
    }

    /// The value that a kept block gave a key, empty for none.
    pub(super) fn value<S: Store>(
        &mut self,
        store: &S,
        key: &PinKey,
        number: u64,
    ) -> Result<Vec<u8>, StoreError> {
        Ok(self.addition(store, key, number)?.value)
    }
}

/// The block whose elements are being added.
struct Addition {
    number: u64,
    priority: u64,
    /// Only a block that was named before it came can have been removed before it came.
    was_named: bool,
}

impl Addition {
    fn add_all<S: Store>(
        &self,
        store: &mut S,
        elements: &[Element],
        changes: &mut Vec<Change>,
    ) -> Result<(), StoreError> {
        // Go compares every element with the value before the block, so the last of a key wins.
        let mut rows: BTreeMap<PinKey, Option<Vec<u8>>> = BTreeMap::new();
        for element in elements.iter().filter(|element| is_short(element)) {
            let key = PinKey::from_text(&element.key);
            let buried = self.was_named && set::is_buried(store, &key, self.number)?;
            if !rows.contains_key(&key) {
                let row = set::row(store, &key)?;
                rows.insert(key.clone(), row);
            }
            let before = rows.get(&key).and_then(Option::as_deref);
            let old = before.map(|row| set::parse_row(&key, row)).transpose()?;
            let wins = old.as_ref().is_none_or(|old| self.wins(&key, old, &element.value));
            if !buried && wins {
                if let Some(old) = old {
                    set::note_added(store, &key, old.block)?;
                }
                let row = PinRow::encode(&key, self.priority, self.number, &element.value);
                store.put(Space::Pins, key.as_bytes().to_vec(), row);
                let before = before.map(<[u8]>::to_vec);
                changes.push(Change::Put { key, before });
            } else if !buried {
                set::note_added(store, &key, self.number)?;
            }
        }
        Ok(())
    }

    /// Higher wins; on a tie the bytewise greater value, where a prefix is less.
    fn wins(&self, key: &PinKey, old: &PinRow<'_>, value: &[u8]) -> bool {
        match self.priority.cmp(&old.priority) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Equal => value > old.value(key.as_bytes()).as_slice(),
        }
    }
}

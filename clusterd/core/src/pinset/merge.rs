//! Taking in the block of another peer, with the outcome that Go has.

use std::collections::{BTreeMap, BTreeSet};

use super::codec::{Block, BlockId};
use super::delta::Element;
use super::key::PinKey;
use super::pin_row::PinRow;
use super::set;
use super::{Change, Pinset};
use crate::store::{Space, Store, StoreError};

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
        Ok(store.get(Space::Blocks, id.digest())?.is_some())
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
        let named = set::number_of(store, id)?;
        let number = self.number(store, id)?;
        let mut changes = Vec::new();
        self.bury_all(store, &block.delta.tombstones, &mut changes)?;
        let added = Addition { number, priority: block.delta.priority, was_named: named.is_some() };
        added.add_all(store, &block.delta.elements, &mut changes)?;
        set::keep_block(store, number, id, bytes);
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
        for tombstone in tombstones {
            keys.entry(PinKey::from_text(&tombstone.key)).or_default().push(&tombstone.id);
        }
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
            choose_survivor(store, &key, &effective)?;
            for number in buried {
                set::note_buried(store, &key, number);
            }
            changes.push(Change::Removed(key));
        }
        Ok(())
    }
}

/// Gives a key the best value of the additions that remain, or none.
fn choose_survivor<S: Store>(
    store: &mut S,
    key: &PinKey,
    buried: &BTreeSet<u64>,
) -> Result<(), StoreError> {
    let Some(row) = set::row(store, key)? else {
        return Ok(());
    };
    let holder = set::parse_row(key, &row)?.block;
    let mut additions: BTreeSet<u64> = set::other_additions(store, key)?.into_iter().collect();
    if !set::is_buried(store, key, holder)? {
        additions.insert(holder);
    }
    let mut best: Option<Best> = None;
    for number in additions.difference(buried) {
        let candidate = addition(store, key, *number)?;
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

/// What a kept block says of a key: its greatest value for it. Go compares keys as texts here.
fn addition<S: Store>(store: &S, key: &PinKey, number: u64) -> Result<Best, StoreError> {
    let id = set::block_of(store, number)?;
    let damaged = || StoreError::Damaged { what: format!("block {id:?}") };
    let bytes = set::block_bytes(store, &id)?.ok_or_else(damaged)?;
    let block = Block::decode(&bytes).map_err(|_| damaged())?;
    let text = key.to_text();
    let values = block.delta.elements.into_iter().filter(|element| element.key == text);
    let value = values.map(|element| element.value).max().unwrap_or_default();
    Ok(Best { priority: block.delta.priority, value, block: number })
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
        let mut before: BTreeMap<PinKey, Option<Best>> = BTreeMap::new();
        for element in elements {
            let key = PinKey::from_text(&element.key);
            let buried = self.was_named && set::is_buried(store, &key, self.number)?;
            if !before.contains_key(&key) {
                let best = current(store, &key)?;
                before.insert(key.clone(), best);
            }
            let old = before.get(&key).and_then(Option::as_ref);
            if !buried && self.wins(old, &element.value) {
                if let Some(old) = old {
                    set::note_added(store, &key, old.block)?;
                }
                let row = PinRow::encode(&key, self.priority, self.number, &element.value);
                store.put(Space::Pins, key.as_bytes().to_vec(), row);
                changes.push(Change::Put(key));
            } else if !buried {
                set::note_added(store, &key, self.number)?;
            }
        }
        Ok(())
    }

    /// Higher wins; on a tie the bytewise greater value, where a prefix is less.
    fn wins(&self, old: Option<&Best>, value: &[u8]) -> bool {
        old.is_none_or(|old| (self.priority, value) > (old.priority, old.value.as_slice()))
    }
}

fn current<S: Store>(store: &S, key: &PinKey) -> Result<Option<Best>, StoreError> {
    let Some(row) = set::row(store, key)? else {
        return Ok(None);
    };
    let row = set::parse_row(key, &row)?;
    let value = row.value(key.as_bytes());
    Ok(Some(Best { priority: row.priority, value, block: row.block }))
}

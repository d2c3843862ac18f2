//! The add-wins observed-remove set on the store: what each key holds, and which blocks put it there.
//!
//! On disk: a row of `Pins` holds a key's value once, with its priority and the number of the block
//! it came from. `Set` holds the exceptions: further blocks that added the key, and removed ones.
//! A pin that was written once has no row there. Blocks are numbered, as 8 bytes are less than 32.

use super::codec::BlockId;
use super::key::PinKey;
use super::pin_row::PinRow;
use crate::row::{RowReader, put_uvarint};
use crate::store::{Space, Store, StoreError};

/// First byte of `Set` keys: number of a block -> its digest.
const BLOCK_OF_NUMBER: u8 = 0;
/// First byte of `Set` keys: digest -> number, also for blocks that were named and did not come yet.
/// Without it a tombstone's number would cost reading the whole block that it names.
const NUMBER_OF_BLOCK: u8 = 1;
/// First byte of `Set` keys: a pin key and a block's number -> what the block is to the key.
const ADDED_OR_BURIED: u8 = 2;
/// First byte of `Set` keys: numbers of own blocks written while the first walk was under way.
const OWN_BLOCK: u8 = 3;

const ADDED: u8 = 0;
const BURIED: u8 = 1;

/// Most blocks that are looked at for one key. A key that was written more often without ever being
/// removed keeps its value; its oldest additions are then not named by a removal.
const BLOCKS_OF_KEY_MAX: usize = 100_000;

/// The row of a key as it is stored.
///
/// # Errors
/// When the storage fails.
pub fn row<S: Store>(store: &S, key: &PinKey) -> Result<Option<Vec<u8>>, StoreError> {
    store.get(Space::Pins, key.as_bytes())
}

pub(crate) fn parse_row<'a>(key: &PinKey, row: &'a [u8]) -> Result<PinRow<'a>, StoreError> {
    PinRow::parse(row)
        .ok_or_else(|| StoreError::Damaged { what: format!("row of {}", key.to_text()) })
}

fn state_prefix(key: &PinKey) -> Vec<u8> {
    let mut prefix = vec![ADDED_OR_BURIED];
    put_uvarint(&mut prefix, key.as_bytes().len() as u64);
    prefix.extend_from_slice(key.as_bytes());
    prefix
}

fn state_key(key: &PinKey, block: u64) -> Vec<u8> {
    let mut row = state_prefix(key);
    row.extend_from_slice(&block.to_be_bytes());
    row
}

/// Notes a block that added a key and does not hold its value. A removed one stays removed.
pub(crate) fn note_added<S: Store>(
    store: &mut S,
    key: &PinKey,
    block: u64,
) -> Result<(), StoreError> {
    let state = state_key(key, block);
    if store.get(Space::Set, &state)?.is_none() {
        store.put(Space::Set, state, vec![ADDED]);
    }
    Ok(())
}

/// Notes that a block's addition of a key is removed, whether it was seen or not.
pub(crate) fn note_buried<S: Store>(store: &mut S, key: &PinKey, block: u64) {
    store.put(Space::Set, state_key(key, block), vec![BURIED]);
}

/// Whether a block's addition of a key is removed.
pub(crate) fn is_buried<S: Store>(store: &S, key: &PinKey, block: u64) -> Result<bool, StoreError> {
    Ok(store.get(Space::Set, &state_key(key, block))?.as_deref() == Some(&[BURIED]))
}

/// Numbers of the blocks that added a key and are not removed, without the one that holds the value.
pub(crate) fn other_additions<S: Store>(store: &S, key: &PinKey) -> Result<Vec<u64>, StoreError> {
    numbers(store, key, ADDED)
}

/// Numbers of the blocks whose addition of a key is removed.
pub(crate) fn buried_additions<S: Store>(store: &S, key: &PinKey) -> Result<Vec<u64>, StoreError> {
    numbers(store, key, BURIED)
}

fn numbers<S: Store>(store: &S, key: &PinKey, wanted: u8) -> Result<Vec<u64>, StoreError> {
    let prefix = state_prefix(key);
    let mut found = Vec::new();
    for (row, state) in store.scan(Space::Set, &prefix, None, BLOCKS_OF_KEY_MAX)? {
        let number = row.get(prefix.len()..).and_then(|number| number.try_into().ok());
        if let Some(number) = number.filter(|_| state.first() == Some(&wanted)) {
            found.push(u64::from_be_bytes(number));
        }
    }
    Ok(found)
}

/// Notes that a block is this peer's own.
pub(crate) fn note_own<S: Store>(store: &mut S, number: u64) {
    store.put(Space::Set, own_key(number), Vec::new());
}

/// Whether a block was noted as this peer's own.
pub(crate) fn is_noted_own<S: Store>(store: &S, number: u64) -> Result<bool, StoreError> {
    store.has(Space::Set, &own_key(number))
}

/// Forgets some of the notes on own blocks; those beyond the limit are harmless.
pub(crate) fn forget_own<S: Store>(store: &mut S) -> Result<(), StoreError> {
    for (row, _) in store.scan(Space::Set, &[OWN_BLOCK], None, BLOCKS_OF_KEY_MAX)? {
        store.delete(Space::Set, row);
    }
    Ok(())
}

/// The block with a number.
pub(crate) fn block_of<S: Store>(store: &S, number: u64) -> Result<BlockId, StoreError> {
    let digest = store.get(Space::Set, &number_key(number))?;
    digest
        .and_then(|digest| BlockId::from_digest(&digest))
        .ok_or_else(|| StoreError::Damaged { what: format!("block number {number} is unknown") })
}

/// Whether the block with a number is stored; a tombstone may name one that never comes.
pub(crate) fn is_kept<S: Store>(store: &S, number: u64) -> Result<bool, StoreError> {
    store.has(Space::Blocks, block_of(store, number)?.digest())
}

/// The number of a block that is stored, or was named before.
pub(crate) fn number_of<S: Store>(store: &S, id: &BlockId) -> Result<Option<u64>, StoreError> {
    let row = store.get(Space::Set, &digest_key(id))?;
    Ok(row.and_then(|row| RowReader(&row).uvarint()))
}

/// Gives a number to a block that is named before it came.
pub(crate) fn name_block<S: Store>(store: &mut S, number: u64, id: &BlockId) {
    let mut row = Vec::new();
    put_uvarint(&mut row, number);
    store.put(Space::Set, digest_key(id), row);
    store.put(Space::Set, number_key(number), id.digest().to_vec());
}

/// Keeps a block under its number.
pub(crate) fn keep_block<S: Store>(store: &mut S, number: u64, id: &BlockId, bytes: &[u8]) {
    name_block(store, number, id);
    let mut row = Vec::with_capacity(bytes.len() + 9);
    put_uvarint(&mut row, number);
    row.extend_from_slice(bytes);
    store.put(Space::Blocks, id.digest().to_vec(), row);
}

/// The bytes of a block.
///
/// # Errors
/// When the storage fails.
pub fn block_bytes<S: Store>(store: &S, id: &BlockId) -> Result<Option<Vec<u8>>, StoreError> {
    store.get(Space::Blocks, id.digest())?.map(|row| block_of_row(id, &row)).transpose()
}

/// The bytes of a block out of its row.
///
/// # Errors
/// When the row is damaged.
pub fn block_of_row(id: &BlockId, row: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut reader = RowReader(row);
    reader.uvarint().ok_or_else(|| StoreError::Damaged { what: format!("block {id:?}") })?;
    Ok(reader.0.to_vec())
}

fn own_key(number: u64) -> Vec<u8> {
    [&[OWN_BLOCK], number.to_be_bytes().as_slice()].concat()
}

fn number_key(number: u64) -> Vec<u8> {
    [&[BLOCK_OF_NUMBER], number.to_be_bytes().as_slice()].concat()
}

fn digest_key(id: &BlockId) -> Vec<u8> {
    [&[NUMBER_OF_BLOCK], id.digest().as_slice()].concat()
}

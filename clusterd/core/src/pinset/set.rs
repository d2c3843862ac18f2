//! The add-wins observed-remove set on the store: what each key holds, and which blocks put it there.
//!
//! On disk: a row of `Pins` holds a key's value once, with its priority and the number of the block
//! it came from. `Set` holds the exceptions: further blocks that added the key, and removed ones.
//! A pin that was written once has no row there. Blocks are numbered, as 8 bytes are less than 32.

use super::codec::BlockId;
use super::key::PinKey;
use super::record;
use crate::row::{Field, Fields, RowReader, put_uvarint};
use crate::store::{Space, Store, StoreError};
use common::ids::{Cid, PeerId};
use common::pin::{Depth, Pin, PinMode, PinType, Replication};

/// First byte of `Set` keys: number of a block -> its digest.
const BLOCK_OF_NUMBER: u8 = 0;
/// First byte of `Set` keys: digest -> number, for blocks that were named before they came.
const NUMBER_OF_BLOCK: u8 = 1;
/// First byte of `Set` keys: a pin key and a block's number -> what the block is to the key.
const ADDED_OR_BURIED: u8 = 2;

const ADDED: u8 = 0;
const BURIED: u8 = 1;

/// Most blocks that are looked at for one key. A key that was written more often without ever being
/// removed keeps its value; its oldest additions are then not named by a removal.
const BLOCKS_OF_KEY_MAX: usize = 100_000;

const DIRECT: u8 = 1;
const LEVELS: u8 = 2;
const DEPTH_BITS: u8 = 3;
const SHARDING: u8 = 1 << 2;
const CID_LEFT_OUT: u8 = 1 << 3;
/// Held by its allocations alone, not everywhere.
const ALLOCATED: u8 = 1 << 4;
/// Nobody is to hold it: it stands for shards, or its replication means nothing.
const HELD_BY_NONE: u8 = 1 << 5;
const NO_PIN: u8 = 1 << 7;

/// One row of `Pins`, borrowed.
///
/// Layout: a byte of flags, priority and block number as varints, the record; its leading CID field
/// is left out where the key says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinRow<'a> {
    flags: u8,
    /// Height of the block that the value came from.
    pub priority: u64,
    /// Number of that block.
    pub block: u64,
    body: &'a [u8],
}

impl<'a> PinRow<'a> {
    /// Reads a row; `None` when it is damaged.
    #[must_use]
    pub fn parse(row: &'a [u8]) -> Option<Self> {
        let mut reader = RowReader(row);
        Some(Self {
            flags: reader.byte()?,
            priority: reader.uvarint()?,
            block: reader.uvarint()?,
            body: reader.0,
        })
    }

    /// Writes the row of a value.
    #[must_use]
    pub(crate) fn encode(key: &PinKey, priority: u64, block: u64, value: &[u8]) -> Vec<u8> {
        let (flags, body) = classify(key, value);
        let mut row = Vec::with_capacity(body.len() + 12);
        row.push(flags);
        put_uvarint(&mut row, priority);
        put_uvarint(&mut row, block);
        row.extend_from_slice(body);
        row
    }

    /// The value as peers exchange it.
    #[must_use]
    pub fn value(&self, key: &[u8]) -> Vec<u8> {
        if self.flags & CID_LEFT_OUT == 0 {
            return self.body.to_vec();
        }
        let cid = super::key::cid_of(key)
            .map(|cid| cid.encode())
            .unwrap_or_default();
        [&cid_field_head(&cid), cid.as_slice(), self.body].concat()
    }

    /// The whole record; `None` for a value that is no pin of this key.
    #[must_use]
    pub fn pin(&self, key: &[u8]) -> Option<Pin> {
        if !self.is_pin() {
            return None;
        }
        record::decode_pin(&self.value(key)).ok()
    }

    /// Whether the value is a record whose CID is that of the key.
    #[must_use]
    pub fn is_pin(&self) -> bool {
        self.flags & NO_PIN == 0
    }

    /// Whether it is an ordinary pin, none of Go's sharding.
    #[must_use]
    pub fn is_data(&self) -> bool {
        self.flags & (SHARDING | NO_PIN) == 0
    }

    /// How much of the DAG is pinned.
    #[must_use]
    pub fn mode(&self) -> PinMode {
        if self.flags & DEPTH_BITS == DIRECT {
            PinMode::Direct
        } else {
            PinMode::Recursive
        }
    }

    /// The pin's name; empty for none. Reads only as far as the name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        let options = Fields(RowReader(self.body)).find_map(|field| match field {
            (6, Field::Bytes(options)) => Some(options),
            _ => None,
        });
        let name = Fields(RowReader(options.unwrap_or_default())).find_map(|field| match field {
            (3, Field::Bytes(name)) => std::str::from_utf8(name).ok(),
            _ => None,
        });
        name.unwrap_or_default()
    }

    /// Whether a peer (its binary id) shall hold the pin: it is allocated there, or everywhere.
    #[must_use]
    pub fn is_for(&self, peer: &[u8]) -> bool {
        if self.flags & (NO_PIN | HELD_BY_NONE) != 0 {
            return false;
        }
        self.flags & ALLOCATED == 0
            || Fields(RowReader(self.body)).any(|field| field == (3, Field::Bytes(peer)))
    }

    /// Whether it stands for shards that are pins themselves, so that nobody holds it.
    #[must_use]
    pub fn is_held_by_none(&self) -> bool {
        self.flags & HELD_BY_NONE != 0
    }
}

fn cid_field_head(cid: &[u8]) -> Vec<u8> {
    let mut head = vec![0x0a];
    put_uvarint(&mut head, cid.len() as u64);
    head
}

/// The flags of a value, and what of it is stored.
fn classify<'v>(key: &PinKey, value: &'v [u8]) -> (u8, &'v [u8]) {
    let mut reader = RowReader(value);
    let cid = reader
        .byte()
        .filter(|tag| *tag == 0x0a)
        .and_then(|_| reader.run());
    let key_cid = key.to_cid();
    let same = |cid: Cid| Some(cid) == key_cid;
    // The CID must stand first, and as we would write it, or it could not be put back.
    let left_out = cid.is_some_and(|cid| Cid::decode(cid).is_ok_and(same) && cid.len() < 0x80);
    let Some(pin) = record::decode_pin(value).ok().filter(|pin| same(pin.cid)) else {
        return (NO_PIN, value);
    };
    let flags = flags_of(&pin);
    if left_out {
        (flags | CID_LEFT_OUT, reader.0)
    } else {
        (flags, value)
    }
}

fn flags_of(pin: &Pin) -> u8 {
    let depth = match pin.depth {
        Depth::Recursive => 0,
        Depth::Direct => DIRECT,
        Depth::Levels(_) => LEVELS,
    };
    let holders = match pin.replication {
        Replication::Everywhere => 0,
        Replication::Between { .. } => ALLOCATED,
        Replication::Unusable { .. } => HELD_BY_NONE,
    };
    let kind = match pin.kind {
        PinType::Data => 0,
        PinType::ClusterDag | PinType::Shard => SHARDING,
        PinType::Meta => SHARDING | HELD_BY_NONE,
    };
    depth | holders | kind
}

/// Whether a peer shall hold a record's pin.
#[must_use]
pub fn is_for(pin: &Pin, peer: &PeerId) -> bool {
    match (pin.kind, pin.replication) {
        (PinType::Meta, _) | (_, Replication::Unusable { .. }) => false,
        (_, Replication::Everywhere) => true,
        (_, Replication::Between { .. }) => pin.allocations.contains(peer),
    }
}

/// The row of a key as it is stored.
///
/// # Errors
/// When the storage fails.
pub fn row<S: Store>(store: &S, key: &PinKey) -> Result<Option<Vec<u8>>, StoreError> {
    store.get(Space::Pins, key.as_bytes())
}

pub(crate) fn parse_row<'a>(key: &PinKey, row: &'a [u8]) -> Result<PinRow<'a>, StoreError> {
    PinRow::parse(row).ok_or_else(|| StoreError::Damaged {
        what: format!("row of {}", key.to_text()),
    })
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
    let prefix = state_prefix(key);
    let mut added = Vec::new();
    for (row, state) in store.scan(Space::Set, &prefix, None, BLOCKS_OF_KEY_MAX)? {
        let number = row
            .get(prefix.len()..)
            .and_then(|number| number.try_into().ok());
        if let (Some(number), Some(&ADDED)) = (number, state.first()) {
            added.push(u64::from_be_bytes(number));
        }
    }
    Ok(added)
}

/// The block with a number.
pub(crate) fn block_of<S: Store>(store: &S, number: u64) -> Result<BlockId, StoreError> {
    let digest = store.get(Space::Set, &number_key(number))?;
    digest
        .and_then(|digest| BlockId::from_digest(&digest))
        .ok_or_else(|| StoreError::Damaged {
            what: format!("block number {number} is unknown"),
        })
}

/// The number of a block that is stored, or was named before.
pub(crate) fn number_of<S: Store>(store: &S, id: &BlockId) -> Result<Option<u64>, StoreError> {
    if let Some(row) = store.get(Space::Blocks, id.digest())? {
        return Ok(RowReader(&row).uvarint());
    }
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
    let mut row = Vec::with_capacity(bytes.len() + 9);
    put_uvarint(&mut row, number);
    row.extend_from_slice(bytes);
    store.put(Space::Blocks, id.digest().to_vec(), row);
    store.put(Space::Set, number_key(number), id.digest().to_vec());
}

/// The bytes of a block.
///
/// # Errors
/// When the storage fails.
pub fn block_bytes<S: Store>(store: &S, id: &BlockId) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(mut row) = store.get(Space::Blocks, id.digest())? else {
        return Ok(None);
    };
    let mut reader = RowReader(&row);
    reader.uvarint().ok_or_else(|| StoreError::Damaged {
        what: format!("block {id:?}"),
    })?;
    let header = row.len() - reader.0.len();
    row.drain(..header);
    Ok(Some(row))
}

fn number_key(number: u64) -> Vec<u8> {
    [&[BLOCK_OF_NUMBER], number.to_be_bytes().as_slice()].concat()
}

fn digest_key(id: &BlockId) -> Vec<u8> {
    [&[NUMBER_OF_BLOCK], id.digest().as_slice()].concat()
}

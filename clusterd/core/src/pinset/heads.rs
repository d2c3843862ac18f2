//! The blocks without successor, and their heights.

use std::collections::BTreeMap;

use super::codec::BlockId;
use crate::row::{RowReader, put_uvarint};
use crate::store::{Space, Store, StoreError};

/// Most heads that are read at start; more than a cluster can have without having been attacked.
const HEADS_MAX: usize = 65_536;

/// The current heads, in memory and in the store alike. Their order is that of the CIDs.
#[derive(Debug, Default)]
pub struct Heads(BTreeMap<BlockId, u64>);

impl Heads {
    /// Reads the heads.
    ///
    /// # Errors
    /// When the storage fails or holds no heads there.
    pub fn load<S: Store>(store: &S) -> Result<Self, StoreError> {
        let mut heads = BTreeMap::new();
        for (key, value) in store.scan(Space::Heads, &[], None, HEADS_MAX)? {
            let head = BlockId::from_digest(&key).zip(RowReader(&value).uvarint());
            let (id, height) = head.ok_or_else(|| StoreError::Damaged {
                what: format!("a head of {} bytes", key.len()),
            })?;
            heads.insert(id, height);
        }
        Ok(Self(heads))
    }

    /// The heads in the order of their CIDs.
    pub fn iter(&self) -> impl Iterator<Item = (BlockId, u64)> + '_ {
        self.0.iter().map(|(id, height)| (*id, *height))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was ever written or heard of.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a block is a head.
    #[must_use]
    pub fn contains(&self, id: &BlockId) -> bool {
        self.0.contains_key(id)
    }

    /// Makes a block a head.
    pub fn add<S: Store>(&mut self, store: &mut S, id: BlockId, height: u64) {
        let mut value = Vec::new();
        put_uvarint(&mut value, height);
        store.put(Space::Heads, id.digest().to_vec(), value);
        self.0.insert(id, height);
    }

    /// Puts one block in place of all heads.
    pub fn replace_all<S: Store>(&mut self, store: &mut S, id: BlockId, height: u64) {
        let old: Vec<BlockId> = self.0.keys().copied().collect();
        for head in old {
            self.remove(store, &head);
        }
        self.add(store, id, height);
    }

    /// Takes a block out that another builds on; nothing happens when it is no head.
    pub fn remove<S: Store>(&mut self, store: &mut S, id: &BlockId) {
        if self.0.remove(id).is_some() {
            store.delete(Space::Heads, id.digest().to_vec());
        }
    }
}

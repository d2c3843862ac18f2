//! A store on a disk that can be full.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

use clusterd_core::pinset::codec::BlockId;
use clusterd_core::store::{Entry, MemoryStore, Space, Store, StoreError};

use crate::world::World;

/// A store whose commits fail while the disk is full. What is durable outlives the process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    memory: MemoryStore,
    is_full: Rc<Cell<bool>>,
}

impl Disk {
    pub(crate) fn fill(&self, is_full: bool) {
        self.is_full.set(is_full);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.is_full.get()
    }

    /// Everything in a space.
    pub(crate) fn rows(&self, space: Space) -> Vec<Entry> {
        self.scan(space, &[], None, usize::MAX).unwrap()
    }
}

impl Store for Disk {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.memory.get(space, key)
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.memory.scan(space, prefix, after, limit)
    }

    fn put(&mut self, space: Space, key: Vec<u8>, value: Vec<u8>) {
        self.memory.put(space, key, value);
    }

    fn delete(&mut self, space: Space, key: Vec<u8>) {
        self.memory.delete(space, key);
    }

    fn is_dirty(&self) -> bool {
        self.memory.is_dirty()
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        if self.is_full() && self.is_dirty() {
            self.memory.rollback();
            return Err(StoreError::Full { attempt: "commit" });
        }
        self.memory.commit()
    }

    fn rollback(&mut self) {
        self.memory.rollback();
    }
}

/// What is on the disks.
impl World {
    /// Ids of all blocks that a peer has on its disk.
    pub(crate) fn blocks_of(&self, at: usize) -> BTreeSet<BlockId> {
        let node = self.peers[at].node.as_ref().unwrap();
        let rows = node.store().rows(Space::Blocks).into_iter();
        rows.map(|(digest, _)| BlockId::from_digest(&digest).unwrap()).collect()
    }

    /// A block as it is durable at a peer.
    pub(crate) fn durable(&self, at: usize, id: &BlockId) -> Option<Vec<u8>> {
        let store = self.peers[at].node.as_ref()?.store();
        // Copying a whole store to look behind its open batch is dear.
        if !store.has(Space::Blocks, id.digest()).unwrap() {
            return None;
        }
        if !store.is_dirty() {
            return clusterd_core::pinset::set::block_bytes(store, id).unwrap();
        }
        let mut durable = store.clone();
        durable.rollback();
        clusterd_core::pinset::set::block_bytes(&durable, id).unwrap()
    }

    /// All that is durable at a peer.
    pub(crate) fn durable_store(&self, at: usize) -> Disk {
        let mut store = self.peers[at].node.as_ref().unwrap().store().clone();
        store.rollback();
        store
    }
}

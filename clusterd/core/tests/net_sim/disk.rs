//! A store on a disk that can be full.

use std::cell::Cell;
use std::rc::Rc;

use clusterd_core::store::{Entry, MemoryStore, Space, Store, StoreError};

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

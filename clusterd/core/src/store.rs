//! What a node needs of its storage: ordered keys in a few spaces, changed by one open batch.

use std::collections::BTreeMap;

use thiserror::Error;

/// The key spaces. Names and meaning are part of the on-disk format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// Format version, counters and other single facts, by name.
    Meta,
    /// Blocks of the replicated history, by the multihash of their CID.
    Blocks,
    /// Blocks without successor, with their height.
    Heads,
    /// Which blocks added or removed a key of the replicated set.
    Set,
    /// The pins that there are now.
    Pins,
    /// What is not as wanted yet: pins not held, or let go of, with attempts and due times.
    Unsettled,
    /// Other peers that shall hold a pin and are not known to.
    Spread,
    /// The order in which unsettled pins have their turn.
    Queue,
    /// Ids of recent changes, so that a repeated one is recognised.
    Requests,
    /// Blocks that merged ones link to and that are not here yet.
    Wanted,
}

impl Space {
    /// Every space, in a fixed order.
    pub const ALL: [Self; 10] = [
        Self::Meta,
        Self::Blocks,
        Self::Heads,
        Self::Set,
        Self::Pins,
        Self::Unsettled,
        Self::Spread,
        Self::Queue,
        Self::Requests,
        Self::Wanted,
    ];

    /// The name on disk.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Blocks => "blocks",
            Self::Heads => "heads",
            Self::Set => "set",
            Self::Pins => "pins",
            Self::Unsettled => "unsettled",
            Self::Spread => "spread",
            Self::Queue => "queue",
            Self::Requests => "requests",
            Self::Wanted => "wanted",
        }
    }
}

/// The storage failed, or holds what it should not.
#[derive(Debug, Error)]
pub enum StoreError {
    /// No space is left; nothing of the batch was kept.
    #[error("no space left on the volume of the state directory to {attempt}")]
    Full {
        /// What was tried.
        attempt: &'static str,
    },
    /// Reading or writing failed.
    #[error("cannot {attempt} in the store: {reason}")]
    Io {
        /// What was tried.
        attempt: &'static str,
        /// The storage's words.
        reason: String,
    },
    /// A stored value cannot be read back.
    #[error("the store is damaged: {what}")]
    Damaged {
        /// What was found, and where.
        what: String,
    },
    /// The state was written by a newer program.
    #[error(
        "the state has format {found}, this program knows up to {known}: install the version that wrote it, or a newer one"
    )]
    TooNew {
        /// Format of the state.
        found: u32,
        /// Newest format this program reads.
        known: u32,
    },
}

/// One key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// Ordered keys in spaces. Changes go to one open batch; reads see the batch. After an error of
/// `commit` the batch is gone and the store is as before it.
pub trait Store {
    /// The value of a key.
    ///
    /// # Errors
    /// When the storage fails.
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Whether a key has a value.
    ///
    /// # Errors
    /// When the storage fails.
    fn has(&self, space: Space, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.get(space, key)?.is_some())
    }

    /// At most `limit` entries with keys that start with `prefix` and are greater than `after`,
    /// in the order of the keys.
    ///
    /// # Errors
    /// When the storage fails.
    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// Sets a key.
    fn put(&mut self, space: Space, key: Vec<u8>, value: Vec<u8>);

    /// Removes a key.
    fn delete(&mut self, space: Space, key: Vec<u8>);

    /// Whether the batch holds any change.
    fn is_dirty(&self) -> bool;

    /// Makes the batch durable, all or nothing.
    ///
    /// # Errors
    /// When the storage fails; the batch is dropped.
    fn commit(&mut self) -> Result<(), StoreError>;

    /// Drops the batch.
    fn rollback(&mut self);
}

/// A store that forgets, for tests and simulation.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    durable: BTreeMap<(Space, Vec<u8>), Vec<u8>>,
    batch: BTreeMap<(Space, Vec<u8>), Option<Vec<u8>>>,
}

impl Store for MemoryStore {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let key = (space, key.to_vec());
        Ok(match self.batch.get(&key) {
            Some(change) => change.clone(),
            None => self.durable.get(&key).cloned(),
        })
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let from = (space, after.filter(|after| *after > prefix).unwrap_or(prefix).to_vec());
        let fits = |key: &(Space, Vec<u8>)| key.0 == space && key.1.starts_with(prefix);
        let mut found: BTreeMap<&(Space, Vec<u8>), Option<&Vec<u8>>> = self
            .durable
            .range(from.clone()..)
            .take_while(|(key, _)| fits(key))
            .map(|(key, value)| (key, Some(value)))
            .collect();
        for (key, change) in self.batch.range(from..).take_while(|(key, _)| fits(key)) {
            found.insert(key, change.as_ref());
        }
        Ok(found
            .into_iter()
            .filter(|(key, _)| after.is_none_or(|after| key.1.as_slice() > after))
            .filter_map(|(key, value)| value.map(|value| (key.1.clone(), value.clone())))
            .take(limit)
            .collect())
    }

    fn put(&mut self, space: Space, key: Vec<u8>, value: Vec<u8>) {
        self.batch.insert((space, key), Some(value));
    }

    fn delete(&mut self, space: Space, key: Vec<u8>) {
        self.batch.insert((space, key), None);
    }

    fn is_dirty(&self) -> bool {
        !self.batch.is_empty()
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        for (key, change) in std::mem::take(&mut self.batch) {
            match change {
                Some(value) => self.durable.insert(key, value),
                None => self.durable.remove(&key),
            };
        }
        Ok(())
    }

    fn rollback(&mut self) {
        self.batch.clear();
    }
}

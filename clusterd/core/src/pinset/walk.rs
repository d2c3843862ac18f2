//! From announced heads down to known blocks: which blocks to fetch, and what becomes a head.
//!
//! Source: `crdt.go` of go-ds-crdt 0.6 (`handleBlock`, `processNode`). Unlike Go, several announced
//! heads are walked at once, so one that cannot be fetched holds up nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::codec::{Block, BlockId};
use super::record::CodecError;
use super::{Change, Pinset};
use crate::store::{Store, StoreError};

/// Most blocks that are wanted at once; what is announced beyond is left to the next announcement.
const WANTED_MAX: usize = 65_536;

/// The announced head that a wanted block is an ancestor of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// First head of a peer that has none: it becomes a head before its ancestors are known, so
    /// that what is written meanwhile builds on it.
    FirstHead,
    /// An announced head.
    Root,
    /// A block below an announced head of that height.
    Below { root: BlockId, height: u64 },
}

/// What a fetched block led to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// What the merge changed.
    pub changes: Vec<Change>,
    /// Blocks to fetch now.
    pub fetch: Vec<BlockId>,
}

/// Announced heads and wanted blocks. Lives in memory: a restart begins again at the next
/// announcement and stops at the blocks merged before.
#[derive(Debug, Default)]
pub struct Walk {
    wanted: BTreeMap<BlockId, Purpose>,
    /// First heads that came while others of the same announcement are still under way.
    first: Vec<(BlockId, Block, Vec<u8>)>,
    is_dirty: bool,
}

impl Walk {
    /// Takes an announcement; gives the blocks to fetch.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn heads_seen<S: Store>(
        &mut self,
        pinset: &Pinset,
        store: &S,
        ids: &[BlockId],
    ) -> Result<Vec<BlockId>, StoreError> {
        let purpose = if pinset.heads().is_empty() { Purpose::FirstHead } else { Purpose::Root };
        let mut fetch = Vec::new();
        for id in ids {
            let known = self.wanted.contains_key(id) || pinset.has_merged(store, id)?;
            if !known && self.wanted.len() < WANTED_MAX {
                self.wanted.insert(*id, purpose);
                fetch.push(*id);
            }
        }
        Ok(fetch)
    }

    /// Takes a fetched block. Bytes that are not those of the CID, or no block, count as a failure.
    ///
    /// # Errors
    /// The outer error when the storage fails, the inner one when the bytes are not the block.
    pub fn fetched<S: Store>(
        &mut self,
        pinset: &mut Pinset,
        store: &mut S,
        id: BlockId,
        bytes: Vec<u8>,
    ) -> Result<Result<Step, CodecError>, StoreError> {
        if BlockId::of(&bytes) != id {
            return Ok(Err(CodecError::malformed("a block", "its bytes have another hash")));
        }
        let block = match Block::decode(&bytes) {
            Ok(block) => block,
            Err(error) => return Ok(Err(error)),
        };
        let Some(purpose) = self.wanted.remove(&id) else {
            return Ok(Ok(Step::default()));
        };
        let mut step = Step::default();
        match purpose {
            Purpose::FirstHead => {
                self.first.push((id, block, bytes));
                self.start_with_first_heads(pinset, store, &mut step)?;
            }
            Purpose::Root => {
                let height = block.delta.priority;
                self.process(pinset, store, (id, &block, &bytes), (id, height), &mut step)?;
            }
            Purpose::Below { root, height } => {
                self.process(pinset, store, (id, &block, &bytes), (root, height), &mut step)?;
            }
        }
        Ok(Ok(step))
    }

    /// A wanted block cannot be had. Below a head that leaves a gap, which a repair closes later.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn failed<S: Store>(
        &mut self,
        pinset: &mut Pinset,
        store: &mut S,
        id: BlockId,
    ) -> Result<Step, StoreError> {
        let mut step = Step::default();
        match self.wanted.remove(&id) {
            Some(Purpose::Below { .. }) => self.is_dirty = true,
            Some(Purpose::FirstHead) => self.start_with_first_heads(pinset, store, &mut step)?,
            Some(Purpose::Root) | None => {}
        }
        Ok(step)
    }

    /// Whether a walk broke off after part of it was merged.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    /// Once all first heads came or failed: all become heads, then each is walked.
    fn start_with_first_heads<S: Store>(
        &mut self,
        pinset: &mut Pinset,
        store: &mut S,
        step: &mut Step,
    ) -> Result<(), StoreError> {
        if self.wanted.values().any(|purpose| *purpose == Purpose::FirstHead) {
            return Ok(());
        }
        let first = std::mem::take(&mut self.first);
        for (id, block, _) in &first {
            pinset.heads.add(store, *id, block.delta.priority);
        }
        for (id, block, bytes) in &first {
            let root = (*id, block.delta.priority);
            if !pinset.has_merged(store, id)? {
                self.process(pinset, store, (*id, block, bytes), root, step)?;
            }
        }
        Ok(())
    }

    /// Merges one block and decides on its links.
    fn process<S: Store>(
        &mut self,
        pinset: &mut Pinset,
        store: &mut S,
        (id, block, bytes): (BlockId, &Block, &[u8]),
        (root, height): (BlockId, u64),
        step: &mut Step,
    ) -> Result<(), StoreError> {
        step.changes.extend(pinset.merge(store, &id, block, bytes)?);
        // The bottom of the history: the branch is a head of its own.
        if block.links.is_empty() {
            pinset.heads.add(store, root, height);
        }
        let mut is_head = false;
        for link in block.links.iter().copied().collect::<BTreeSet<_>>() {
            let is_merged = pinset.has_merged(store, &link)?;
            if pinset.heads.contains(&link) {
                pinset.heads.replace(store, &link, root, height);
                is_head = true;
                if is_merged {
                    continue;
                }
            }
            if is_merged || self.wanted.contains_key(&link) {
                if !is_head {
                    pinset.heads.add(store, root, height);
                    is_head = true;
                }
                continue;
            }
            self.wanted.insert(link, Purpose::Below { root, height });
            step.fetch.push(link);
        }
        Ok(())
    }
}

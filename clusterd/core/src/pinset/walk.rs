//! From announced heads down to known blocks: what to fetch, in which order, and again after failures.
//!
//! Source: `crdt.go` of go-ds-crdt 0.6 (`handleBlock`, `processNode`). Where Go goes through the
//! announced heads one by one, all are walked at once here. A merged block that no merged block
//! links to is a head, from its own merge on: the heads follow from the blocks alone, whatever
//! order they came in, and are Go's once nothing is wanted any more. In between they differ: what
//! is written meanwhile builds on all that its writer could see, so that it does not lose by height.

mod queue;
#[cfg(test)]
mod tests;
mod want;

use std::collections::{BTreeMap, BTreeSet};

use super::codec::{Block, BlockId};
use super::record::CodecError;
use super::{Change, Pinset};
use crate::input::Time;
use crate::mutant::{self, Mutant};
use crate::row::{RowReader, put_uvarint};
use crate::store::{Space, Store, StoreError};
use queue::{Class, Queue};
use want::{Want, back_off};

/// Most blocks that are wanted at once. A block whose links would go beyond is not taken; it is
/// tried again later. No honest history is near that wide.
const WANTED_MAX: usize = 65_536;
/// Most announced heads among them; further ones are left to the next announcement.
const ANNOUNCED_MAX: usize = 16_384;
/// After so many failures, some minutes, nothing waits for a block any more, though it is tried on.
const HOPELESS_AFTER: u32 = 5;

const WHAT: &str = "a block";

/// How far the history is known, for those who look after the peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Blocks that are being fetched now.
    pub fetching: usize,
    /// Blocks that are known to be missing, those included.
    pub wanted: usize,
    /// Missing blocks that could not be had so far. While there are any, the history is incomplete.
    pub failed: usize,
}

/// Announced heads and wanted blocks.
#[derive(Debug, Default)]
pub struct Walk {
    wanted: BTreeMap<BlockId, Want>,
    queue: Queue,
    announced: usize,
    /// Announcements so far: the newest goes first.
    announcements: u64,
    failed: usize,
    /// Peers that came so far.
    came: u64,
    paused_until: Time,
}

impl Walk {
    /// Takes up the walks that the store knows of.
    ///
    /// # Errors
    /// When the storage fails or is damaged.
    pub fn load<S: Store>(store: &S) -> Result<Self, StoreError> {
        let mut walk = Self::default();
        for (key, row) in store.scan(Space::Wanted, &[], None, WANTED_MAX)? {
            let want = BlockId::from_digest(&key).zip(RowReader(&row).uvarint());
            let (id, rank) = want.ok_or_else(|| StoreError::Damaged {
                what: format!("a wanted block of {} bytes", key.len()),
            })?;
            walk.insert(id, Want::new(rank, true));
        }
        Ok(walk)
    }

    /// Takes an announcement. Known heads change nothing; one that failed before is tried again.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn heads_seen<S: Store>(
        &mut self,
        pinset: &Pinset,
        store: &S,
        ids: &[BlockId],
    ) -> Result<(), StoreError> {
        self.announcements += 1;
        for id in ids {
            if self.wanted.contains_key(id) {
                self.queue.hasten(id);
            } else if self.announced < ANNOUNCED_MAX && !pinset.has_merged(store, id)? {
                let rank = self.announcements;
                self.insert(*id, Want::new(rank, false));
            }
        }
        Ok(())
    }

    /// Takes a fetched block, whoever asked for it, if it is wanted. Bytes that are not those of
    /// the CID, or no block, count as a failure.
    ///
    /// # Errors
    /// The outer error when the storage fails, the inner one when the bytes are not the block.
    pub fn fetched<S: Store>(
        &mut self,
        pinset: &mut Pinset,
        store: &mut S,
        (id, bytes): (BlockId, &[u8]),
        now: Time,
    ) -> Result<Result<Vec<Change>, CodecError>, StoreError> {
        let Some(want) = self.wanted.get(&id).copied() else {
            self.queue.forget(&id);
            return Ok(Ok(Vec::new()));
        };
        let block = match read(&id, bytes) {
            Ok(block) => block,
            Err(error) => {
                self.failed(&id, now);
                return Ok(Err(error));
            }
        };
        let (known, unknown) = self.links(pinset, store, &block)?;
        if unknown.len() + self.wanted.len() > WANTED_MAX {
            self.failed(&id, now);
            return Ok(Err(CodecError::malformed(WHAT, "it links to too many unknown blocks")));
        }
        self.remove(store, &id);
        if pinset.has_merged(store, &id)? {
            return Ok(Ok(Vec::new()));
        }
        let changes = pinset.merge(store, &id, &block, bytes)?;
        let height = block.delta.priority;
        if !want.is_below {
            pinset.heads.add(store, id, height);
        }
        for link in known {
            if !mutant::is(Mutant::HeadBesideDescendant) {
                pinset.heads.remove(store, &link);
            }
        }
        for link in unknown {
            self.want_below(store, link, height);
        }
        Ok(Ok(changes))
    }

    /// A block cannot be had. An announced head is left to the next announcement; what a merged
    /// block links to stays wanted.
    pub fn failed(&mut self, id: &BlockId, now: Time) {
        self.queue.forget(id);
        let Some(want) = self.wanted.get_mut(id) else { return };
        if !want.is_below || mutant::is(Mutant::FailedForgotten) {
            self.announced -= usize::from(!want.is_below);
            self.wanted.remove(id);
            return;
        }
        self.failed += usize::from(want.attempts == 0);
        want.attempts = want.attempts.saturating_add(1);
        // Who came meanwhile may not have been asked.
        let wait = if want.began < self.came { 0 } else { back_off(id, want.attempts) };
        self.queue.wait(*id, want.rank, now.plus_millis(wait));
    }

    /// Somebody came who may have what nobody had.
    pub fn peer_came(&mut self) {
        self.came += 1;
        self.queue.hasten_all();
    }

    /// Nothing is fetched until then.
    pub(crate) fn pause(&mut self, until: Time) {
        self.paused_until = until;
    }

    /// The blocks to fetch now, the newest first. Each counts as under way until
    /// [`Self::fetched`] or [`Self::failed`].
    pub fn fetches(&mut self, now: Time) -> Vec<BlockId> {
        if now < self.paused_until {
            return Vec::new();
        }
        let started = self.queue.start(now);
        for id in &started {
            if let Some(want) = self.wanted.get_mut(id) {
                want.began = self.came;
            }
        }
        started
    }

    /// When there is something to fetch, unless something happens before.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        self.queue.next_wake().map(|wake| wake.max(self.paused_until))
    }

    /// Whether blocks below merged ones could not be had.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.failed > 0
    }

    /// Whether nothing is wanted.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Whether there is nothing to be had any more: what is still wanted failed again and again, as
    /// a link to nothing does for ever.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.wanted.values().all(|want| want.attempts >= HOPELESS_AFTER)
    }

    /// How much is wanted.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress {
            fetching: self.queue.under_way(),
            wanted: self.wanted.len(),
            failed: self.failed,
        }
    }

    /// The links of a block, each once: those that are merged, and those that are not.
    fn links<S: Store>(
        &self,
        pinset: &Pinset,
        store: &S,
        block: &Block,
    ) -> Result<(Vec<BlockId>, Vec<BlockId>), StoreError> {
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for link in block.links.iter().copied().collect::<BTreeSet<_>>() {
            let is_merged = pinset.has_merged(store, &link)?;
            if is_merged { &mut known } else { &mut unknown }.push(link);
        }
        Ok((known, unknown))
    }

    /// A merged block links here: what was an announced head is none any more.
    fn want_below<S: Store>(&mut self, store: &mut S, id: BlockId, rank: u64) {
        match self.wanted.get_mut(&id) {
            Some(want) if want.is_below => return,
            Some(_) if mutant::is(Mutant::AnnouncedStaysHead) => return,
            Some(want) => {
                *want = Want { rank, is_below: true, ..*want };
                self.announced -= 1;
                self.queue.change(id, Class::Below, rank);
            }
            None => self.insert(id, Want::new(rank, true)),
        }
        if mutant::is(Mutant::FrontierForgotten) {
            return;
        }
        let mut row = Vec::new();
        put_uvarint(&mut row, rank);
        store.put(Space::Wanted, id.digest().to_vec(), row);
    }

    fn insert(&mut self, id: BlockId, want: Want) {
        self.announced += usize::from(!want.is_below);
        self.queue.add(id, want.class(), want.rank);
        self.wanted.insert(id, want);
    }

    fn remove<S: Store>(&mut self, store: &mut S, id: &BlockId) {
        self.queue.forget(id);
        let Some(want) = self.wanted.remove(id) else { return };
        self.failed -= usize::from(want.attempts > 0);
        if want.is_below {
            store.delete(Space::Wanted, id.digest().to_vec());
        } else {
            self.announced -= 1;
        }
    }
}

fn read(id: &BlockId, bytes: &[u8]) -> Result<Block, CodecError> {
    if BlockId::of(bytes) != *id && !mutant::is(Mutant::BytesUnchecked) {
        return Err(CodecError::malformed(WHAT, "its bytes have another hash"));
    }
    Block::decode(bytes)
}

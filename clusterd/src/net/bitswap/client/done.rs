//! Remembers blocks that were wanted lately, to tell a late copy from a lie.

use std::collections::{BTreeSet, VecDeque};

use clusterd_core::pinset::codec::BlockId;

/// How many are remembered.
const DONE_MAX: usize = 8192;

/// The newest ids that came or were cancelled.
#[derive(Debug, Default)]
pub(super) struct Done {
    ids: BTreeSet<BlockId>,
    order: VecDeque<BlockId>,
}

impl Done {
    /// Remembers an id, and forgets the oldest if there are too many.
    pub(super) fn insert(&mut self, id: BlockId) {
        if !self.ids.insert(id) {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > DONE_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }

    /// Whether an id is remembered.
    pub(super) fn contains(&self, id: &BlockId) -> bool {
        self.ids.contains(id)
    }
}

//! When the open batch must be committed.

use super::Node;
use crate::config::NodeConfig;
use crate::input::Time;
use crate::store::Store;

/// Since when changes wait, and whether they may.
#[derive(Debug, Default)]
pub(super) struct Batch {
    since: Option<Time>,
    /// Something is in it that others wait for, or that must not be lost to save a block.
    is_urgent: bool,
}

impl Batch {
    pub(super) fn note(&mut self, now: Time, is_urgent: bool) {
        self.since.get_or_insert(now);
        self.is_urgent |= is_urgent;
    }

    fn due(&self, config: &NodeConfig, changes: usize) -> Option<Time> {
        let since = self.since?;
        let may_wait = !self.is_urgent && changes > 0 && changes < config.batch_pins;
        Some(if may_wait { since.plus_millis(config.batch_age) } else { since })
    }
}

impl<S: Store> Node<S> {
    /// When [`Self::commit`] is due, at the latest: the batch may collect changes until then, if it
    /// is not full sooner. `None`: there is nothing to commit, and effects may happen at once.
    /// Until the commit all effects wait, as they stand on each other.
    #[must_use]
    pub fn batch_due(&self) -> Option<Time> {
        self.batch.due(&self.config, self.pinset.open_changes())
    }

    /// Notes after an input what the batch holds. Only changes of clients may wait for more of
    /// their kind; what the network or Kubo brought goes on.
    pub(super) fn note_batch(&mut self, is_client: bool, now: Time) {
        if self.store.is_dirty() || self.pinset.open_changes() > 0 || self.pinset.has_sealed() {
            self.batch.note(now, !is_client || self.pinset.has_sealed());
        }
    }
}

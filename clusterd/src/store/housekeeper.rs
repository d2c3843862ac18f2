//! Keeps the state directory small: drops the journal when nothing else is to do.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use clusterd_core::store::StoreError;

use super::Shared;
use super::engine::Engine;
use super::failure::describe_io;

/// The journal is dropped when it may have grown past this many bytes.
const JOURNAL_BYTES_IDLE_MAX: u64 = 16 << 20;

/// Housekeeping of the store.
pub struct Housekeeper(Arc<Shared>);

impl Housekeeper {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Whether [`Self::shrink`] is worth its while.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.0.journal_bytes.load(Ordering::Relaxed) > JOURNAL_BYTES_IDLE_MAX
    }

    /// Writes all tables out and drops the journal, so that the directory holds little more than
    /// the pins and opens fast. Takes up to a few hundred milliseconds, in which readers wait and
    /// nobody may commit.
    ///
    /// # Errors
    /// When the database does not open again; the next read or commit tries that again.
    pub fn shrink(&self) -> Result<(), StoreError> {
        let mut engine = self.0.write();
        // Tried once, whether it works or not: the next commits make it due again.
        self.0.journal_bytes.store(0, Ordering::Relaxed);
        let Some(open) = engine.as_ref() else { return Ok(()) };
        if !open.flush()? {
            return Ok(());
        }
        open.compact()?;
        if let Some(open) = engine.take() {
            open.close_and_empty_journal()
                .map_err(|error| describe_io("empty the journal", &error))?;
        }
        *engine = Some(Engine::open(&self.0.directory.join("pinset"))?);
        Ok(())
    }
}

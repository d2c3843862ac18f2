//! The blocks of the history, from the store for the network.

use clusterd_core::pinset::codec::BlockId;
use clusterd_core::store::StoreError;

use crate::net::blocks::Blocks;
use crate::store::Reader;

/// What is committed, beside the one who writes.
pub struct StoredBlocks(pub Reader);

impl Blocks for StoredBlocks {
    fn block(&self, id: &BlockId) -> Option<Vec<u8>> {
        found(self.0.block(id))
    }

    fn has(&self, id: &BlockId) -> bool {
        found(self.0.has_block(id).map(Some)).unwrap_or(false)
    }
}

/// A peer that asks gets a block or none; why there is none is for this machine's log.
fn found<T>(read: Result<Option<T>, StoreError>) -> Option<T> {
    read.unwrap_or_else(|error| {
        tracing::error!(%error, "cannot read a block for another peer");
        None
    })
}

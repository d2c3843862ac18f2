//! What the network asks of the store: blocks for other peers.

use clusterd_core::pinset::codec::BlockId;

/// The committed blocks of the history. Peers ask for them at any time and in any order, so both
/// calls are quick (they run on the thread of the network).
pub trait Blocks: Send + Sync {
    /// The bytes of a block; `None` when it is not here.
    fn block(&self, id: &BlockId) -> Option<Vec<u8>>;

    /// Whether the block is here.
    fn has(&self, id: &BlockId) -> bool;
}

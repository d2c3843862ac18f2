//! What a node is told once, at its start.

use common::ids::PeerId;
use common::pin::Replication;

/// Settings of a node. Times are milliseconds.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// This peer.
    pub peer: PeerId,
    /// What a pin gets that asks for nothing else.
    pub replication: Replication,
    /// Most pins that Kubo is made to fetch at once; those that stand still do not count.
    pub pins_running_max: u16,
    /// Wait after the first failure; it doubles with each further one.
    pub retry_after: u64,
    /// Longest wait between two attempts.
    pub retry_after_max: u64,
    /// Time between two readings of Kubo's whole list.
    pub audit_every: u64,
}

impl NodeConfig {
    /// A node with default settings.
    #[must_use]
    pub fn new(peer: PeerId) -> Self {
        Self {
            peer,
            replication: Replication::Everywhere,
            // Go's number; 10 to 20 are what its operators found to work.
            pins_running_max: 10,
            retry_after: 30_000,
            retry_after_max: 3_600_000,
            audit_every: 12 * 3_600_000,
        }
    }
}

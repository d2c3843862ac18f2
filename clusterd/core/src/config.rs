//! What a node is told once, at its start.

use std::collections::BTreeSet;

use common::ids::PeerId;
use common::pin::Replication;

/// When pins of peers that stay away go to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepinConfig {
    /// After so many milliseconds of silence; `None` for never.
    pub after: Option<u64>,
    /// Most pins that this peer moves in a minute.
    pub per_minute: u32,
}

/// Which peers may be given pins that are not for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Eligible {
    /// All members.
    #[default]
    Everyone,
    /// These alone.
    Only(BTreeSet<PeerId>),
    /// All but these.
    AllBut(BTreeSet<PeerId>),
}

impl Eligible {
    /// Whether a peer may be given pins. Source: `filterMetrics` of Go ipfs-cluster 1.1.6, where one
    /// that may not counts neither among those that hold a pin already.
    #[must_use]
    pub fn admits(&self, peer: &PeerId) -> bool {
        match self {
            Self::Everyone => true,
            Self::Only(peers) => peers.contains(peer),
            Self::AllBut(peers) => !peers.contains(peer),
        }
    }
}

/// Settings of a node. Times are milliseconds.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// This peer.
    pub peer: PeerId,
    /// Follow what others pin, and write nothing.
    pub follower: bool,
    /// The peers that are trusted, besides this one; `None` for all.
    pub trusted: Option<BTreeSet<PeerId>>,
    /// When pins of peers that stay away go to others.
    pub repin: RepinConfig,
    /// What a pin gets that asks for nothing else.
    pub replication: Replication,
    /// Whether other peers are known, of which this one has only to hear after its start.
    pub expects_others: bool,
    /// Metrics that a peer must have to be given pins, in the order in which they decide.
    pub allocate_by: Vec<String>,
    /// Who may be given pins.
    pub eligible: Eligible,
    /// Most pins that Kubo is made to fetch at once; those that stand still do not count.
    pub pins_running_max: u16,
    /// Wait after the first failure; it doubles with each further one.
    pub retry_after: u64,
    /// Longest wait between two attempts.
    pub retry_after_max: u64,
    /// Time between two readings of Kubo's whole list.
    pub audit_every: u64,
    /// Mean time between two announcements of the heads; each lasts up to 30 % less or more.
    pub rebroadcast_every: u64,
    /// How long changes are collected before they become a block; 0 for not at all.
    pub batch_age: u64,
    /// At so many changes a block is made sooner.
    pub batch_pins: usize,
}

impl NodeConfig {
    /// Whether a peer is trusted; this one always is.
    #[must_use]
    pub fn trusts(&self, peer: &PeerId) -> bool {
        *peer == self.peer || self.trusted.as_ref().is_none_or(|trusted| trusted.contains(peer))
    }

    /// A node with default settings.
    #[must_use]
    pub fn new(peer: PeerId) -> Self {
        Self {
            peer,
            follower: false,
            trusted: None,
            // Off, as in Go.
            repin: RepinConfig { after: None, per_minute: 300 },
            replication: Replication::Everywhere,
            expects_others: false,
            // Source: the default of Go's balanced allocator.
            allocate_by: vec!["tag:group".to_owned(), "freespace".to_owned()],
            eligible: Eligible::Everyone,
            // Go's number; 10 to 20 are what its operators found to work.
            pins_running_max: 10,
            retry_after: 30_000,
            retry_after_max: 3_600_000,
            audit_every: 12 * 3_600_000,
            // Go's; a peer that missed a change hears of it within two of these.
            rebroadcast_every: 60_000,
            batch_age: 0,
            batch_pins: 5000,
        }
    }
}

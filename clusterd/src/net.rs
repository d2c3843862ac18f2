//! The network of the cluster's peers: one swarm, owned by a task, reached through [`Net`].
//!
//! ```text
//! Net --commands--> task (swarm) --events--> NetEvent        (bounded both ways; the task never waits)
//!     <--answers---              --streams-> RPC streams
//! ```
//!
//! - `transport`, `behaviour`: what a connection is made of, and what is spoken on it.
//! - `task`: owns the swarm. `outlet`: events on their way out. `fetches`: who waits for which block.
//! - `bitswap`: blocks from and for others. `gossip`: the two topics. `streams`: raw streams, and
//!   `gorpc`: the calls that go over them, which knows nothing of the swarm.
//! - `book`, `peerstore`, `redial`, `addresses`: where peers are, and when to dial them.
//! - `mdns`, `lookup`: two more ways to find peers, both off by default.
//! - `traffic`: bytes by protocol.
//! - `advice`: the log lines that say what keeps peers apart.
//!
//! This room knows blocks by their ids, and nothing of pins.

pub(crate) mod addresses;
mod advice;
mod behaviour;
pub mod bitswap;
pub mod blocks;
mod book;
mod fetches;
pub mod gorpc;
mod gossip;
mod handle;
mod lookup;
mod mdns;
mod outlet;
mod peerstore;
mod redial;
mod start;
mod streams;
mod task;
#[cfg(test)]
mod tests;
mod traffic;
mod transport;

use clusterd_core::pinset::codec::BlockId;
use common::ids::PeerId;

pub use advice::{Skew, clock_skew};
pub use fetches::FetchError;
pub use gossip::GossipError;
pub use handle::{IncomingRpc, Net, NetCounts};
pub use start::{NetConfig, NetError, Started, start};
pub use streams::{OpenError, PeerStream};

/// A stream of the cluster's RPC.
pub type RpcStream = PeerStream;

/// What happened among the peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetEvent {
    /// A trusted peer announced heads.
    Heads {
        /// Who signed the announcement: not necessarily who wrote the blocks.
        from: PeerId,
        /// In the order of the announcement; never empty.
        heads: Vec<BlockId>,
    },
    /// A metric came; any peer may send any.
    Metric {
        /// Who signed it.
        from: PeerId,
        /// As it came.
        payload: Vec<u8>,
    },
    /// The first connection to a peer came about.
    Connected {
        /// Which.
        peer: PeerId,
    },
    /// The last connection to a peer was lost.
    Disconnected {
        /// Which.
        peer: PeerId,
    },
    /// A peer takes metrics from now on: all should be published now.
    Subscribed {
        /// Which.
        peer: PeerId,
    },
}

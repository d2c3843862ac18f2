//! Raw streams of one protocol: those that peers open come through a bounded queue, and we open ours.
//!
//! Nothing is lost in silence: a stream of a peer that has too many open is reset and counted, and
//! as long as nobody takes streams from the queue, peers can open no more than they are allowed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use libp2p::StreamProtocol;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

mod behaviour;
mod handler;
mod peer_stream;
#[cfg(test)]
mod tests;

pub(super) use behaviour::Behaviour;
pub use peer_stream::PeerStream;

/// How much of one protocol is allowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamLimits {
    /// Streams that one peer may have open to us; the next one is reset.
    pub(super) inbound_per_peer: usize,
    /// Streams that we may have open to one peer, those being opened included.
    pub(super) outbound_per_peer: usize,
    /// Streams that wait to be taken; further ones wait at their connections.
    pub(super) waiting: usize,
    /// Time to agree on the protocol once there is a connection.
    pub(super) negotiation: Duration,
}

/// Why no stream could be opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The peer cannot be reached.
    #[error("cannot connect to the peer: {0}")]
    Unreachable(String),
    /// The peer is there but does not speak the protocol.
    #[error("the peer does not speak {0}")]
    Unsupported(String),
    /// The connection was lost, or the peer too slow to answer.
    #[error("the peer did not open the stream: {0}")]
    Failed(String),
    /// Our own limit for this peer.
    #[error("{0} streams to this peer are open already")]
    TooMany(usize),
    /// The network is stopping.
    #[error("the network of peers is stopping")]
    Stopped,
}

/// Where an opened stream goes.
pub(super) type Reply = oneshot::Sender<Result<PeerStream, OpenError>>;

/// Streams that peers opened.
pub(super) type Incoming = mpsc::Receiver<(libp2p::PeerId, PeerStream)>;

/// What all connections of one protocol share.
#[derive(Debug)]
struct Shared {
    protocol: StreamProtocol,
    limits: StreamLimits,
    incoming: mpsc::Sender<(libp2p::PeerId, PeerStream)>,
    /// Streams of peers that were reset because the peer had too many.
    refused: AtomicU64,
}

/// One request to open a stream. Dropped without an answer when its connection is lost.
#[derive(Debug)]
pub(in crate::net) struct Opening {
    reply: Reply,
    slot: Slot,
}

/// Counts streams of one peer.
#[derive(Debug, Clone, Default)]
struct Counter(Arc<AtomicUsize>);

impl Counter {
    /// Takes a place; `None` when there is none below the limit.
    fn take(&self, limit: usize) -> Option<Slot> {
        let free = |taken: usize| (taken < limit).then_some(taken + 1);
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free);
        taken.ok().map(|_| Slot(self.clone()))
    }
}

/// A taken place; given back with the value.
#[derive(Debug)]
struct Slot(Counter);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

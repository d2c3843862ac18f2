//! The peers that may be asked, what is known of each, and what is to be said to them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clusterd_core::pinset::codec::BlockId;
use libp2p::PeerId;

use crate::net::bitswap::message::Ask;

/// A peer that let a time-out pass is asked last for this long.
const SLOW_FOR: Duration = Duration::from_secs(60);

/// Wrong blocks of one peer are told at most so often.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// A peer that sent so many wrong blocks is not asked until it connects anew.
const LIES_MAX: u64 = 64;

/// Peers, and words for them.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) peers: BTreeMap<PeerId, Peer>,
    /// Taken out after every call, so it holds what one call says.
    pub(super) words: Vec<Word>,
    /// A peer that has a block sends it in this time.
    pub(super) block_timeout: Duration,
}

/// What is known of a peer.
#[derive(Debug, Default)]
pub(super) struct Peer {
    delivered: Option<Instant>,
    slow_until: Option<Instant>,
    lies: u64,
    reported: Option<(Instant, u64)>,
}

/// Something to say to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::net::bitswap) struct Word {
    /// To whom.
    pub(in crate::net::bitswap) peer: PeerId,
    /// Of which block.
    pub(in crate::net::bitswap) id: BlockId,
    /// What.
    pub(in crate::net::bitswap) say: Say,
}

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::net::bitswap) enum Say {
    /// A line of the wantlist.
    Ask(Ask),
    /// Nothing: the peer sent the block, and knows that it is wanted no more.
    Settle,
}

/// What follows from wrong blocks.
pub(super) struct Verdict {
    /// How many to tell the owner of, now.
    pub(super) report: Option<u64>,
    /// The peer is not to be asked any more.
    pub(super) is_hopeless: bool,
}

impl Talk {
    /// Nobody is there yet.
    pub(super) fn new(block_timeout: Duration) -> Self {
        Self { peers: BTreeMap::new(), words: Vec::new(), block_timeout }
    }

    /// Says something to a peer that is there.
    pub(super) fn say(&mut self, peer: PeerId, id: BlockId, say: Say) {
        if self.peers.contains_key(&peer) {
            self.words.push(Word { peer, id, say });
        }
    }

    /// Whether the peer is there and let no time-out pass lately.
    pub(super) fn is_quick(&self, peer: &PeerId, now: Instant) -> bool {
        self.peers.get(peer).is_some_and(|peer| peer.slow_until.is_none_or(|until| until <= now))
    }

    /// When the peer sent its last wanted block.
    pub(super) fn delivered_at(&self, peer: &PeerId) -> Option<Instant> {
        self.peers.get(peer)?.delivered
    }

    /// The peer let a time-out pass.
    pub(super) fn was_slow(&mut self, peer: &PeerId, now: Instant) {
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.slow_until = Some(now + SLOW_FOR);
        }
    }

    /// The peer sent a wanted block.
    pub(super) fn delivered(&mut self, peer: &PeerId, now: Instant) {
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.delivered = Some(now);
            peer.slow_until = None;
        }
    }

    /// The peer sent so many wrong blocks. `None` when it is not asked any more.
    pub(super) fn lied(&mut self, peer: &PeerId, lies: u64, now: Instant) -> Option<Verdict> {
        let peer = self.peers.get_mut(peer)?;
        peer.lies += lies;
        let (at, told) = peer.reported.unzip();
        let is_time = at.is_none_or(|at| now.saturating_duration_since(at) >= REPORT_EVERY);
        let is_hopeless = peer.lies >= LIES_MAX;
        let report = (is_time || is_hopeless).then(|| peer.lies - told.unwrap_or(0));
        if report.is_some() {
            peer.reported = Some((now, peer.lies));
        }
        Some(Verdict { report, is_hopeless })
    }
}

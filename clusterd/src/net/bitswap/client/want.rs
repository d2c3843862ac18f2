//! One wanted block: who was told, who has it, who is asked, and what happens next.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use clusterd_core::pinset::codec::BlockId;
use libp2p::PeerId;

use super::talk::{Say, Talk};
use crate::net::bitswap::message::Ask;

/// All peers are told again after this time, which doubles up to the longest. Source: wire.md 5.
const ROUND: Duration = Duration::from_secs(1);
const ROUND_MAX: Duration = Duration::from_secs(60);

/// A peer that goes on delivering other blocks gets this much time for one.
const PATIENCE_MAX: Duration = Duration::from_secs(60);

/// A wanted block.
#[derive(Debug)]
pub(super) struct Want {
    /// When the last peer was asked, or all were told.
    pub(super) spoken: Instant,
    /// When this want is looked at next, as the client has noted it.
    pub(super) alarm: Instant,
    told: BTreeSet<PeerId>,
    asked: Option<Asked>,
    /// Peers that say they have it and were not asked, in the order of their words.
    holders: VecDeque<PeerId>,
    /// Peers that sent something else.
    liars: BTreeSet<PeerId>,
    /// Whether all were told.
    is_spread: bool,
    rounds: u32,
    next_round: Instant,
}

/// The peer that is to send the block.
#[derive(Debug)]
struct Asked {
    peer: PeerId,
    at: Instant,
    until: Instant,
}

impl Want {
    /// A want that nobody was told of.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            spoken: now,
            alarm: now,
            told: BTreeSet::new(),
            asked: None,
            holders: VecDeque::new(),
            liars: BTreeSet::new(),
            is_spread: false,
            rounds: 0,
            next_round: now,
        }
    }

    /// Asks one peer without a question first; all are told at `others_at`.
    pub(super) fn ask_first(
        &mut self,
        id: BlockId,
        peer: PeerId,
        others_at: Instant,
        talk: &mut Talk,
        now: Instant,
    ) {
        self.next_round = others_at;
        self.ask(id, peer, talk, now);
    }

    /// Who knows of this want.
    pub(super) fn told(&self) -> impl Iterator<Item = &PeerId> {
        self.told.iter()
    }

    /// Since when this peer is to send the block.
    pub(super) fn asked_at(&self, peer: &PeerId) -> Option<Instant> {
        self.asked.as_ref().filter(|asked| asked.peer == *peer).map(|asked| asked.at)
    }

    /// When to look at this want.
    pub(super) fn due(&self) -> Instant {
        match &self.asked {
            Some(asked) if self.is_spread => asked.until,
            Some(asked) => asked.until.min(self.next_round),
            None => self.next_round,
        }
    }

    /// Asks everybody whether they have it, and plans the next round.
    pub(super) fn spread(&mut self, id: BlockId, talk: &mut Talk, now: Instant) {
        let peers: Vec<PeerId> = talk.peers.keys().copied().collect();
        for peer in peers {
            self.tell(id, peer, talk, now);
        }
        self.is_spread = true;
        let wait = ROUND.saturating_mul(1 << self.rounds.min(16)).min(ROUND_MAX);
        self.rounds += 1;
        self.next_round = now + wait;
    }

    /// Asks one peer whether it has it.
    pub(super) fn tell(&mut self, id: BlockId, peer: PeerId, talk: &mut Talk, now: Instant) {
        if self.liars.contains(&peer) || self.asked_at(&peer).is_some() {
            return;
        }
        self.told.insert(peer);
        self.spoken = now;
        talk.say(peer, id, Say::Ask(Ask::Have));
    }

    /// A peer says that it has the block.
    pub(super) fn holder(&mut self, id: BlockId, peer: PeerId, talk: &mut Talk, now: Instant) {
        let is_known = self.liars.contains(&peer)
            || self.holders.contains(&peer)
            || self.asked_at(&peer).is_some();
        if is_known {
            return;
        }
        // A slow one is asked when the round ends without a better one.
        if self.asked.is_none() && talk.is_quick(&peer, now) {
            self.ask(id, peer, talk, now);
        } else {
            self.holders.push_back(peer);
        }
    }

    /// A peer says that it does not have the block.
    pub(super) fn refused(&mut self, id: BlockId, peer: PeerId, talk: &mut Talk, now: Instant) {
        self.holders.retain(|holder| *holder != peer);
        if self.asked_at(&peer).is_some() {
            self.asked = None;
            self.next(id, talk, now);
        }
    }

    /// A peer sent something else instead.
    pub(super) fn lied(&mut self, id: BlockId, peer: PeerId, talk: &mut Talk, now: Instant) {
        self.liars.insert(peer);
        self.told.remove(&peer);
        talk.say(peer, id, Say::Ask(Ask::Cancel));
        self.refused(id, peer, talk, now);
    }

    /// A peer is gone.
    pub(super) fn peer_left(&mut self, id: BlockId, peer: &PeerId, talk: &mut Talk, now: Instant) {
        self.told.remove(peer);
        self.liars.remove(peer);
        let was_asked = self.asked_at(peer).is_some();
        self.holders.retain(|holder| holder != peer);
        if was_asked {
            self.asked = None;
            self.next(id, talk, now);
        }
    }

    /// The time of [`Self::due`] has come. Returns the peer that let its time pass.
    pub(super) fn alarm(&mut self, id: BlockId, talk: &mut Talk, now: Instant) -> Option<PeerId> {
        match &mut self.asked {
            Some(asked) if asked.until <= now => {
                let peer = asked.peer;
                let delivered = talk.delivered_at(&peer);
                let patience = delivered.map(|at| at + talk.block_timeout);
                let patience = patience.map(|until| until.min(asked.at + PATIENCE_MAX));
                if let Some(until) = patience.filter(|until| *until > now) {
                    asked.until = until;
                    return None;
                }
                talk.was_slow(&peer, now);
                // It is not told: if the block comes after all, it is welcome.
                self.asked = None;
                self.next(id, talk, now);
                Some(peer)
            }
            Some(_) => {
                if !self.is_spread {
                    self.spread(id, talk, now);
                }
                None
            }
            None => {
                match self.holders.pop_front() {
                    Some(peer) => self.ask(id, peer, talk, now),
                    None => self.spread(id, talk, now),
                }
                None
            }
        }
    }

    /// Asks the next peer that has it; without one, everybody, but not over and over.
    fn next(&mut self, id: BlockId, talk: &mut Talk, now: Instant) {
        let quick = self.holders.iter().position(|peer| talk.is_quick(peer, now)).unwrap_or(0);
        match self.holders.remove(quick) {
            Some(peer) => self.ask(id, peer, talk, now),
            None if !self.is_spread => self.spread(id, talk, now),
            // Past already if the peer that was asked took longer than the round.
            None => self.next_round = self.next_round.max(now + ROUND),
        }
    }

    fn ask(&mut self, id: BlockId, peer: PeerId, talk: &mut Talk, now: Instant) {
        self.told.insert(peer);
        self.spoken = now;
        self.asked = Some(Asked { peer, at: now, until: now + talk.block_timeout });
        talk.say(peer, id, Say::Ask(Ask::Block));
    }
}

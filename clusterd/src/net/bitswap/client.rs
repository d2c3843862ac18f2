//! Our side: who is asked for which block, and when somebody else is.
//!
//! No I/O and no clock: it is told what happens and when, and leaves words for peers, events for
//! the owner, and the time at which it wants to be called.

mod done;
mod talk;
#[cfg(test)]
mod tests;
mod want;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use clusterd_core::pinset::codec::BlockId;
use libp2p::PeerId;

use self::done::Done;
use self::talk::Talk;
pub(super) use self::talk::{Say, Word};
use self::want::Want;
use super::limits::Limits;
use super::message::{Ask, Presence};

/// Others are asked beside the useful peer after this time, or twice what its last block took.
const OTHERS_AFTER_MIN: Duration = Duration::from_millis(200);
const OTHERS_AFTER_MAX: Duration = Duration::from_secs(2);

/// A peer that delivered in this time is asked first.
const USEFUL_FOR: Duration = Duration::from_secs(30);

/// What the owner is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A wanted block came; its bytes have the hash that was asked for.
    Block {
        /// Which block.
        id: BlockId,
        /// Its bytes.
        bytes: Vec<u8>,
        /// Who sent it.
        from: PeerId,
    },
    /// A peer sent blocks that nobody asked for: a wrong answer has no other mark, as blocks are
    /// named by their hash alone. Told at most once a minute for a peer.
    Rejected {
        /// Who sent them.
        from: PeerId,
        /// How many since the last time.
        count: u64,
    },
}

/// No further block may be wanted before another came or was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many blocks are wanted at a time")]
pub struct WantsFull;

/// What happened since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Wanted blocks that came.
    pub received: u64,
    /// Blocks that came once more, or after they were cancelled.
    pub duplicates: u64,
    /// Blocks that nobody had asked for.
    pub rejected: u64,
    /// Times that a peer said it has a block and then did not send it in time.
    pub timeouts: u64,
}

/// The wants, and the peers that may be asked.
pub(super) struct Client {
    wants: BTreeMap<BlockId, Want>,
    wants_max: usize,
    /// When to look at a want again: as many as wants.
    alarms: BTreeSet<(Instant, BlockId)>,
    talk: Talk,
    useful: Option<Useful>,
    done: Done,
    events: VecDeque<Event>,
    counts: Counts,
}

/// Who delivered the last wanted block.
#[derive(Debug, Clone, Copy)]
struct Useful {
    peer: PeerId,
    at: Instant,
    took: Duration,
}

impl Client {
    /// Wants nothing yet and knows nobody.
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            wants: BTreeMap::new(),
            wants_max: limits.wants,
            alarms: BTreeSet::new(),
            talk: Talk::new(limits.block_timeout),
            useful: None,
            done: Done::default(),
            events: VecDeque::new(),
            counts: Counts::default(),
        }
    }

    /// Wants a block: of the peer that was useful last, else of all. Wanting it again is fine.
    pub(super) fn want(&mut self, id: BlockId, now: Instant) -> Result<(), WantsFull> {
        if self.wants.contains_key(&id) {
            return Ok(());
        }
        if self.wants.len() >= self.wants_max {
            return Err(WantsFull);
        }
        let mut want = Want::new(now);
        let useful = self.useful.filter(|useful| {
            now.saturating_duration_since(useful.at) < USEFUL_FOR
                && self.talk.is_quick(&useful.peer, now)
        });
        match useful {
            Some(Useful { peer, took, .. }) => {
                let others_after = (took * 2).clamp(OTHERS_AFTER_MIN, OTHERS_AFTER_MAX);
                want.ask_first(id, peer, now + others_after, &mut self.talk, now);
            }
            None => want.spread(id, &mut self.talk, now),
        }
        self.alarms.insert((want.due(), id));
        want.alarm = want.due();
        self.wants.insert(id, want);
        Ok(())
    }

    /// Wants a block no more; nothing follows for it.
    pub(super) fn cancel(&mut self, id: &BlockId) {
        if let Some(want) = self.forget(id) {
            for peer in want.told() {
                self.talk.say(*peer, *id, Say::Ask(Ask::Cancel));
            }
        }
    }

    /// A peer may be asked from now on.
    pub(super) fn peer_came(&mut self, peer: PeerId, now: Instant) {
        self.talk.peers.insert(peer, talk::Peer::default());
        let ids: Vec<BlockId> = self.wants.keys().copied().collect();
        for id in ids {
            self.change(&id, |want, talk| want.tell(id, peer, talk, now));
        }
    }

    /// A peer cannot be asked any more.
    pub(super) fn peer_left(&mut self, peer: &PeerId, now: Instant) {
        self.talk.peers.remove(peer);
        self.useful = self.useful.filter(|useful| useful.peer != *peer);
        let ids: Vec<BlockId> = self.wants.keys().copied().collect();
        for id in ids {
            self.change(&id, |want, talk| want.peer_left(id, peer, talk, now));
        }
    }

    /// A peer says which blocks it has and which not.
    pub(super) fn presences(
        &mut self,
        peer: PeerId,
        presences: &[(BlockId, Presence)],
        now: Instant,
    ) {
        if !self.talk.peers.contains_key(&peer) {
            return;
        }
        for (id, presence) in presences {
            self.change(id, |want, talk| match presence {
                Presence::Have => want.holder(*id, peer, talk, now),
                Presence::DontHave => want.refused(*id, peer, talk, now),
            });
        }
    }

    /// Blocks of a peer, each with the hash of its bytes; `foreign` more were of another kind.
    pub(super) fn blocks(
        &mut self,
        peer: PeerId,
        blocks: Vec<(BlockId, Vec<u8>)>,
        foreign: usize,
        now: Instant,
    ) {
        let mut lies = foreign as u64;
        for (id, bytes) in blocks {
            match self.forget(&id) {
                Some(want) => self.received(peer, id, bytes, &want, now),
                None if self.done.contains(&id) => self.counts.duplicates += 1,
                None => lies += 1,
            }
        }
        if lies > 0 {
            self.lied(peer, lies, now);
        }
    }

    fn received(&mut self, peer: PeerId, id: BlockId, bytes: Vec<u8>, want: &Want, now: Instant) {
        for told in want.told() {
            let say = if *told == peer { Say::Settle } else { Say::Ask(Ask::Cancel) };
            self.talk.say(*told, id, say);
        }
        self.talk.delivered(&peer, now);
        let took = now.saturating_duration_since(want.spoken);
        self.useful = Some(Useful { peer, at: now, took });
        self.counts.received += 1;
        self.events.push_back(Event::Block { id, bytes, from: peer });
    }

    /// The oldest of the wants that the peer was asked for goes to another one: nothing tells
    /// which of them the wrong bytes were meant for. A right answer is still taken.
    fn lied(&mut self, peer: PeerId, lies: u64, now: Instant) {
        self.counts.rejected += lies;
        self.useful = self.useful.filter(|useful| useful.peer != peer);
        let oldest = self.wants.iter().filter_map(|(id, want)| Some((want.asked_at(&peer)?, *id)));
        if let Some((_, id)) = oldest.min() {
            self.change(&id, |want, talk| want.lied(id, peer, talk, now));
        }
        let Some(verdict) = self.talk.lied(&peer, lies, now) else { return };
        self.events.extend(verdict.report.map(|count| Event::Rejected { from: peer, count }));
        if verdict.is_hopeless {
            self.peer_left(&peer, now);
        }
    }

    /// Looks at the wants whose time has come.
    pub(super) fn tick(&mut self, now: Instant) {
        while let Some((at, id)) = self.alarms.first().copied() {
            if at > now {
                return;
            }
            let mut slow = None;
            self.change(&id, |want, talk| slow = want.alarm(id, talk, now));
            if let Some(peer) = slow {
                self.counts.timeouts += 1;
                self.useful = self.useful.filter(|useful| useful.peer != peer);
            }
        }
    }

    /// When to call [`Self::tick`].
    pub(super) fn next_alarm(&self) -> Option<Instant> {
        self.alarms.first().map(|(at, _)| *at)
    }

    /// The next event for the owner.
    pub(super) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What is to be said since the last time, in order.
    pub(super) fn words(&mut self) -> std::vec::Drain<'_, Word> {
        self.talk.words.drain(..)
    }

    /// What happened so far.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    fn forget(&mut self, id: &BlockId) -> Option<Want> {
        let want = self.wants.remove(id)?;
        self.alarms.remove(&(want.alarm, *id));
        self.done.insert(*id);
        Some(want)
    }

    /// Every change of a want goes through here, which keeps its alarm right.
    fn change(&mut self, id: &BlockId, change: impl FnOnce(&mut Want, &mut Talk)) {
        let Some(want) = self.wants.get_mut(id) else { return };
        change(want, &mut self.talk);
        let due = want.due();
        if due != want.alarm {
            self.alarms.remove(&(want.alarm, *id));
            self.alarms.insert((due, *id));
            want.alarm = due;
        }
    }
}

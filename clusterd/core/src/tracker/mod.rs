//! Brings Kubo to what the pinset wants: one operation a pin, in turn, again after failures.

pub(crate) mod audit;
pub(crate) mod breaker;
mod ends;
pub(crate) mod goals;
pub(crate) mod ops;
pub mod phase;
pub(crate) mod queue;
mod sweep;
mod turn;

use std::collections::BTreeMap;

use common::pin::FastProvide;
use common::status::PinStatus;

use crate::config::NodeConfig;
use crate::counts::Counts;
use crate::effect::Effect;
use crate::input::Time;
use crate::mutant::{self, Mutant};
use crate::pinset::Pinset;
use crate::pinset::key::PinKey;
use crate::spread::PeerState;
use crate::store::{Space, Store};
use audit::Audit;
use breaker::Breaker;
use ops::Ops;
use phase::{Goal, Lane, Place, Turn, Unsettled};
use queue::LaneFront;
use sweep::Recovery;

/// After a failed commit nothing is started for so long, in milliseconds: a full disk must not make
/// operations that end and cannot be noted start again and again.
const PAUSE_AFTER_ROLLBACK: u64 = 5000;

/// What happened to a pin, for those who wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// This machine's Kubo holds it, or has let it go, as wanted.
    Settled(PinKey),
    /// An attempt to pin failed, with these words.
    Failed(PinKey, String),
    /// It is unpinned now.
    Withdrawn(PinKey),
    /// Kubo told how far the pin is.
    Progress(PinKey, (u64, u64)),
    /// Kubo is away; no pin gets on.
    Away(String),
}

/// What the tracker works with during one input.
pub(crate) struct Work<'a, S> {
    pub(crate) store: &'a mut S,
    pub(crate) pinset: &'a Pinset,
    pub(crate) counts: &'a mut Counts,
    pub(crate) effects: &'a mut Vec<Effect>,
    pub(crate) outcomes: &'a mut Vec<Outcome>,
    pub(crate) now: Time,
}

/// Memory of the tracker. All that must last is in `Unsettled` and `Queue`.
#[derive(Debug)]
pub(crate) struct Tracker {
    /// This peer's binary id.
    peer: Vec<u8>,
    pins_max: usize,
    retry_after: u64,
    retry_after_max: u64,
    pub(crate) ops: Ops,
    unpins: LaneFront,
    first: LaneFront,
    retries: LaneFront,
    pub(crate) breaker: Breaker,
    pub(crate) audit: Audit,
    recovery: Option<Recovery>,
    /// Wishes of clients for operations that have not started.
    provide: BTreeMap<PinKey, FastProvide>,
    paused_until: Time,
    /// The newest time that [`Self::pump`] saw.
    pumped: Time,
}

impl Tracker {
    pub(crate) fn new(config: &NodeConfig, now: Time) -> Self {
        Self {
            peer: config.peer.encode(),
            pins_max: usize::from(config.pins_running_max.max(1)),
            retry_after: config.retry_after.max(1),
            retry_after_max: config.retry_after_max,
            ops: Ops::default(),
            unpins: LaneFront::new(Lane::Unpin),
            first: LaneFront::new(Lane::New),
            retries: LaneFront::new(Lane::Retry),
            breaker: Breaker::new(),
            audit: Audit::new(config.audit_every, now),
            recovery: None,
            provide: BTreeMap::new(),
            paused_until: Time(0),
            pumped: Time(0),
        }
    }

    /// Forgets what the failed batch did. Operation numbers go on.
    pub(crate) fn reset(&mut self, config: &NodeConfig, now: Time) {
        let mut old = std::mem::replace(self, Self::new(config, now));
        old.ops.clear();
        self.ops = old.ops;
        old.audit.break_off(now);
        self.audit = old.audit;
        self.paused_until = now.plus_millis(PAUSE_AFTER_ROLLBACK);
    }

    /// Writes the new state of a key in place of the old one: row, place in the queue, count.
    pub(crate) fn write<S: Store>(
        &mut self,
        work: &mut Work<'_, S>,
        key: &PinKey,
        old: Option<&Unsettled>,
        new: Option<&Unsettled>,
    ) {
        let (old_place, new_place) =
            (old.and_then(|old| old.place(key)), new.and_then(|new| new.place(key)));
        if let Some(place) = old_place.filter(|place| Some(place) != new_place.as_ref()) {
            for lane in [&mut self.unpins, &mut self.first, &mut self.retries] {
                lane.remove(&place);
            }
            work.store.delete(Space::Queue, place.into_bytes());
        }
        match new {
            Some(new) => {
                work.store.put(Space::Unsettled, key.as_bytes().to_vec(), new.encode());
            }
            None if old.is_some() => work.store.delete(Space::Unsettled, key.as_bytes().to_vec()),
            None => {}
        }
        if let (Some(place), Some(new)) = (new_place, new) {
            work.store.put(Space::Queue, place.clone().into_bytes(), Vec::new());
            self.enqueue(place, new);
        }
        work.counts.change(old.map(Unsettled::status), new.map(Unsettled::status));
        let state = PeerState::of_unsettled(new, 0);
        if state.is_some() && state != PeerState::of_unsettled(old, 0) {
            Self::tell_state(work, key, new.is_none());
        }
    }

    /// Tells those who listen that a pin stands otherwise than before.
    pub(crate) fn tell_state<S>(work: &mut Work<'_, S>, key: &PinKey, is_held: bool) {
        if is_held && mutant::is(Mutant::HeldUntold) {
            return;
        }
        work.effects.extend(key.to_cid().map(|cid| Effect::TellState { cid }));
    }

    /// Lets a stored place have its turn again, or for the first time.
    fn enqueue(&mut self, place: Place, unsettled: &Unsettled) {
        match (unsettled.goal, unsettled.turn) {
            (Goal::Unpin, _) => self.unpins.insert(place),
            (Goal::Pin, Turn::New(_)) => self.first.insert(place),
            (Goal::Pin, Turn::Due(_)) => self.retries.insert(place),
            (Goal::Pin, Turn::HeldBack) => {}
        }
    }

    /// The status of a running operation.
    pub(crate) fn running_status(goal: Goal) -> PinStatus {
        match goal {
            Goal::Pin => PinStatus::Pinning,
            Goal::Unpin => PinStatus::Unpinning,
        }
    }
}

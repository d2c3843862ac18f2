//! Brings Kubo to what the pinset wants: one operation a pin, in turn, again after failures.

pub(crate) mod audit;
pub(crate) mod breaker;
pub(crate) mod ops;
pub mod phase;
pub(crate) mod queue;
mod sweep;
mod turn;

use common::ids::Cid;
use common::pin::{Depth, Pin};
use common::status::PinStatus;

use crate::config::NodeConfig;
use crate::counts::Counts;
use crate::effect::Effect;
use crate::input::{IpfsFailure, OpId, Time};
use crate::pinset::Pinset;
use crate::pinset::key::PinKey;
use crate::store::{Space, Store, StoreError};
use audit::Audit;
use breaker::{Breaker, Suspect, Verdict};
use ops::{Ops, Running};
use phase::{Goal, Lane, Place, Turn, Unsettled};
use queue::LaneFront;
use sweep::Recovery;

/// Name of the fact that Kubo is away: since when (varint, milliseconds) and in what words.
pub(crate) const IPFS_AWAY: &[u8] = b"ipfs_away";
/// After a failed commit nothing is started for so long, in milliseconds: a full disk must not make
/// operations that end and cannot be noted start again and again.
const PAUSE_AFTER_ROLLBACK: u64 = 5000;

/// What happened to a pin, for those who wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The goal is reached.
    Settled(PinKey, Goal),
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
            paused_until: Time(0),
            pumped: Time(0),
        }
    }

    /// Forgets what the failed batch did. Operation numbers go on.
    pub(crate) fn reset(&mut self, config: &NodeConfig, now: Time) {
        let mut ops = std::mem::take(&mut self.ops);
        ops.clear();
        *self = Self {
            ops,
            ..Self::new(config, now)
        };
        self.paused_until = now.plus_millis(PAUSE_AFTER_ROLLBACK);
        self.audit = Audit::new(config.audit_every, self.paused_until);
    }

    /// Writes the new state of a key in place of the old one: row, place in the queue, count.
    pub(crate) fn write<S: Store>(
        &mut self,
        work: &mut Work<'_, S>,
        key: &PinKey,
        old: Option<&Unsettled>,
        new: Option<&Unsettled>,
    ) {
        let (old_place, new_place) = (
            old.and_then(|old| old.place(key)),
            new.and_then(|new| new.place(key)),
        );
        if let Some(place) = old_place.filter(|place| Some(place) != new_place.as_ref()) {
            for lane in [&mut self.unpins, &mut self.first, &mut self.retries] {
                lane.remove(&place);
            }
            work.store.delete(Space::Queue, place.into_bytes());
        }
        match new {
            Some(new) => {
                work.store
                    .put(Space::Unsettled, key.as_bytes().to_vec(), new.encode());
            }
            None if old.is_some() => work.store.delete(Space::Unsettled, key.as_bytes().to_vec()),
            None => {}
        }
        if let (Some(place), Some(new)) = (new_place, new) {
            work.store
                .put(Space::Queue, place.clone().into_bytes(), Vec::new());
            self.enqueue(place, new);
        }
        work.counts
            .change(old.map(Unsettled::status), new.map(Unsettled::status));
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

    /// The record is new or changed and wanted here; `old` is the record before, if it was wanted here.
    /// `local`: Kubo was given the content with its own pin a moment ago.
    pub(crate) fn want<S: Store>(
        &mut self,
        work: &mut Work<'_, S>,
        key: &PinKey,
        pin: &Pin,
        old: Option<&Pin>,
        local: bool,
    ) -> Result<(), StoreError> {
        // A pin that was not wanted can only have an unpin pending: an import need not look.
        let may_pend = old.is_some() || work.counts.unsettled() > work.counts.to_pin();
        let unsettled = if may_pend {
            Unsettled::load(work.store, key)?
        } else {
            None
        };
        let same_depth = old.is_some_and(|old| old.depth == pin.depth);
        let same_for_kubo = same_depth && old.is_some_and(|old| old.name == pin.name);
        if local && pin.depth == Depth::Recursive && self.ops.of(key).is_none() {
            return self.settle(work, key, unsettled.as_ref());
        }
        let new = match &unsettled {
            None if same_for_kubo => return Ok(()),
            None => Unsettled {
                was_pinned: same_depth,
                ..Unsettled::new(Goal::Pin, work.now)
            },
            Some(before) if before.goal == Goal::Pin => {
                if let Some((op, _)) = self.ops.of(key) {
                    if same_for_kubo {
                        return Ok(());
                    }
                    self.cancel(work, op);
                }
                let was_pinned = before.was_pinned && same_depth;
                Unsettled {
                    was_pinned,
                    turn: Turn::New(work.now),
                    ..before.clone()
                }
            }
            // A running unpin goes on; the pin has its turn when it ended.
            Some(_) => Unsettled::new(Goal::Pin, work.now),
        };
        self.write(work, key, unsettled.as_ref(), Some(&new));
        Ok(())
    }

    /// The pin is not wanted here any more. `held_back`: its blocks are needed until another is held.
    pub(crate) fn let_go<S: Store>(
        &mut self,
        work: &mut Work<'_, S>,
        key: &PinKey,
        record: &Pin,
        held_back: bool,
    ) -> Result<(), StoreError> {
        let unsettled = Unsettled::load(work.store, key)?;
        if let Some((op, running)) = self.ops.of(key) {
            if running.goal == Goal::Pin {
                self.cancel(work, op);
            }
        }
        let turn = if held_back {
            Turn::HeldBack
        } else {
            Turn::New(work.now)
        };
        let new = Unsettled {
            turn,
            ..Unsettled::new(Goal::Unpin, work.now)
        };
        self.write(work, key, unsettled.as_ref(), Some(&new));
        if unsettled.is_some_and(|unsettled| unsettled.frees_source) {
            self.free_source(work, record)?;
        }
        work.outcomes.push(Outcome::Withdrawn(key.clone()));
        Ok(())
    }

    /// The pin is held: its row goes, and what it replaced is let go.
    pub(crate) fn settle<S: Store>(
        &mut self,
        work: &mut Work<'_, S>,
        key: &PinKey,
        unsettled: Option<&Unsettled>,
    ) -> Result<(), StoreError> {
        if let Some(unsettled) = unsettled {
            self.write(work, key, Some(unsettled), None);
            if unsettled.frees_source {
                if let Some(record) = work.pinset.pin(work.store, key)? {
                    self.free_source(work, &record)?;
                }
            }
        }
        self.audit.settled(key);
        work.outcomes.push(Outcome::Settled(key.clone(), Goal::Pin));
        Ok(())
    }

    fn free_source<S: Store>(
        &mut self,
        work: &mut Work<'_, S>,
        record: &Pin,
    ) -> Result<(), StoreError> {
        let Some(source) = record.update_from else {
            return Ok(());
        };
        let key = PinKey::from_cid(&source);
        let Some(old) = Unsettled::load(work.store, &key)? else {
            return Ok(());
        };
        if old.turn == Turn::HeldBack {
            let new = Unsettled {
                turn: Turn::New(work.now),
                ..old.clone()
            };
            self.write(work, &key, Some(&old), Some(&new));
        }
        Ok(())
    }

    fn cancel<S: Store>(&mut self, work: &mut Work<'_, S>, op: OpId) {
        if self.ops.end(op).is_some() {
            work.effects.push(Effect::IpfsCancel { op });
        }
    }

    /// An operation ended. Late answers of operations that were replaced are nobody's.
    pub(crate) fn ended<S: Store>(
        &mut self,
        work: &mut Work<'_, S>,
        op: OpId,
        outcome: Result<(), IpfsFailure>,
    ) -> Result<(), StoreError> {
        let Some(running) = self.ops.end(op) else {
            return Ok(());
        };
        match outcome {
            Ok(()) => self.reached(work, &running),
            Err(IpfsFailure::Refused(words)) => self.fail(work, &running.key, running.goal, words),
            Err(IpfsFailure::Unreachable(words) | IpfsFailure::Stalled(words)) => {
                let suspect = Suspect {
                    key: running.key,
                    goal: running.goal,
                    words,
                };
                if self.breaker.suspect(suspect) {
                    work.effects.push(Effect::IpfsProbe);
                }
                Ok(())
            }
        }
    }

    fn reached<S: Store>(
        &mut self,
        work: &mut Work<'_, S>,
        running: &Running,
    ) -> Result<(), StoreError> {
        let Some(unsettled) = Unsettled::load(work.store, &running.key)? else {
            return Ok(());
        };
        if unsettled.goal != running.goal {
            return self.requeue(work, &running.key);
        }
        match running.goal {
            Goal::Pin => self.settle(work, &running.key, Some(&unsettled)),
            Goal::Unpin => {
                self.write(work, &running.key, Some(&unsettled), None);
                work.outcomes
                    .push(Outcome::Settled(running.key.clone(), Goal::Unpin));
                Ok(())
            }
        }
    }

    fn fail<S: Store>(
        &mut self,
        work: &mut Work<'_, S>,
        key: &PinKey,
        goal: Goal,
        words: String,
    ) -> Result<(), StoreError> {
        let Some(old) = Unsettled::load(work.store, key)? else {
            return Ok(());
        };
        if old.goal != goal {
            return self.requeue(work, key);
        }
        let attempts = old.attempts.saturating_add(1);
        let due = work.now.plus_millis(self.back_off(key, attempts));
        let new = Unsettled {
            attempts,
            turn: Turn::Due(due),
            since: if old.attempts == 0 {
                work.now
            } else {
                old.since
            },
            error: words.clone(),
            ..old.clone()
        };
        self.write(work, key, Some(&old), Some(&new));
        if goal == Goal::Pin {
            work.outcomes.push(Outcome::Failed(key.clone(), words));
        }
        Ok(())
    }

    /// Doubles with each attempt up to the limit, then up to a quarter less, differently for each
    /// pin: those that failed together do not come back together.
    fn back_off(&self, key: &PinKey, attempts: u32) -> u64 {
        let factor = 1u64
            .checked_shl(attempts.saturating_sub(1).min(32))
            .unwrap_or(u64::MAX);
        let full = self
            .retry_after
            .saturating_mul(factor)
            .min(self.retry_after_max);
        let scatter = key
            .as_bytes()
            .iter()
            .rev()
            .take(2)
            .fold(0, |n, b| n << 8 | u64::from(*b));
        full - full / 4 * scatter / 0xffff
    }

    /// Puts a stored pin back to its place without writing.
    fn requeue<S: Store>(
        &mut self,
        work: &mut Work<'_, S>,
        key: &PinKey,
    ) -> Result<(), StoreError> {
        if let Some(unsettled) = Unsettled::load(work.store, key)? {
            if let Some(place) = unsettled.place(key) {
                self.enqueue(place, &unsettled);
            }
        }
        Ok(())
    }

    /// Kubo answered a probe, or did not.
    pub(crate) fn probed<S: Store>(
        &mut self,
        work: &mut Work<'_, S>,
        alive: bool,
    ) -> Result<(), StoreError> {
        let was_away = self.breaker.away().is_some();
        match self.breaker.probed(alive, work.now) {
            Verdict::Guilty(suspects) => {
                if was_away {
                    work.store.delete(Space::Meta, IPFS_AWAY.to_vec());
                }
                for suspect in suspects {
                    self.fail(work, &suspect.key, suspect.goal, suspect.words)?;
                }
            }
            Verdict::Innocent { suspects, is_new } => {
                for suspect in suspects {
                    self.requeue(work, &suspect.key)?;
                }
                if let Some((since, words)) = self.breaker.away().filter(|_| is_new) {
                    let mut row = Vec::new();
                    crate::row::put_uvarint(&mut row, since.0);
                    row.extend_from_slice(words.as_bytes());
                    work.store.put(Space::Meta, IPFS_AWAY.to_vec(), row);
                    work.outcomes.push(Outcome::Away(words.to_owned()));
                }
            }
        }
        Ok(())
    }

    /// Kubo told how far a pin is.
    pub(crate) fn progress<S: Store>(
        &mut self,
        work: &mut Work<'_, S>,
        op: OpId,
        progress: (u64, u64),
    ) {
        if let Some(running) = self.ops.progress(op, progress, work.now) {
            work.outcomes
                .push(Outcome::Progress(running.key.clone(), progress));
        }
    }

    /// Tries one pin again now.
    pub(crate) fn recover<S: Store>(
        &mut self,
        work: &mut Work<'_, S>,
        key: &PinKey,
    ) -> Result<bool, StoreError> {
        let Some(old) = Unsettled::load(work.store, key)? else {
            return Ok(false);
        };
        if self.ops.of(key).is_none() && old.turn != Turn::HeldBack {
            let new = Unsettled {
                turn: Turn::New(work.now),
                ..old.clone()
            };
            self.write(work, key, Some(&old), Some(&new));
        }
        Ok(true)
    }

    /// The status of a running operation.
    pub(crate) fn running_status(goal: Goal) -> PinStatus {
        match goal {
            Goal::Pin => PinStatus::Pinning,
            Goal::Unpin => PinStatus::Unpinning,
        }
    }
}

/// The effect that starts a pin.
fn pin_effect(op: OpId, cid: Cid, pin: Pin) -> Effect {
    Effect::IpfsPin {
        op,
        cid,
        mode: pin.depth.mode(),
        levels: match pin.depth {
            Depth::Levels(levels) => Some(levels.get()),
            Depth::Recursive | Depth::Direct => None,
        },
        name: pin.name,
        update_from: pin.update_from,
        origins: pin.origins,
    }
}

//! Who has the next turn: starting operations as slots come free.

use common::ids::Cid;
use common::pin::{Depth, FastProvide, Pin};

use super::breaker::Suspect;
use super::ops::{Running, Slot};
use super::phase::{Goal, Lane, Turn, Unsettled};
use super::{Tracker, Work};
use crate::effect::Effect;
use crate::input::{OpId, Time};
use crate::pinset::key::PinKey;
use crate::store::{Store, StoreError};

impl Tracker {
    /// Starts what may start; that writes nothing.
    pub(crate) fn pump<S: Store>(
        &mut self,
        work: &mut Work<'_, S>,
        is_awaited: &dyn Fn(&PinKey) -> bool,
    ) -> Result<(), StoreError> {
        self.pumped = self.pumped.max(work.now);
        if self.breaker.must_probe(work.now) {
            work.effects.push(Effect::IpfsProbe);
        }
        if !self.may_start(work.now) {
            return Ok(());
        }
        if self.audit.start(work.now, work.counts.pins) {
            work.effects.push(Effect::IpfsAudit);
        }
        self.sweep(work)?;
        self.start_unpins(work)?;
        self.start_first_attempts(work, is_awaited)?;
        self.start_retries(work)
    }

    fn may_start(&self, now: Time) -> bool {
        self.breaker.allows() && self.paused_until <= now
    }

    fn start_unpins<S: Store>(&mut self, work: &mut Work<'_, S>) -> Result<(), StoreError> {
        while self.ops.unpin_slot() == Slot::Free {
            let Some(key) = self.next(work, Lane::Unpin)? else {
                return Ok(());
            };
            self.start(work, &key)?;
        }
        Ok(())
    }

    fn start_first_attempts<S: Store>(
        &mut self,
        work: &mut Work<'_, S>,
        is_awaited: &dyn Fn(&PinKey) -> bool,
    ) -> Result<(), StoreError> {
        while self.first.first(work.store)?.is_some() {
            match self.ops.first_slot(self.pins_max, work.now, is_awaited) {
                Slot::Free => {}
                Slot::Taken => return Ok(()),
                // The slot is free once Kubo gave a sign of life.
                Slot::After(op) => {
                    self.make_room(work, op);
                    return Ok(());
                }
            }
            let Some(key) = self.next(work, Lane::New)? else {
                return Ok(());
            };
            self.start(work, &key)?;
        }
        Ok(())
    }

    fn start_retries<S: Store>(&mut self, work: &mut Work<'_, S>) -> Result<(), StoreError> {
        while self.ops.retry_slot(self.pins_max, work.now) == Slot::Free {
            let Some(key) = self.next(work, Lane::Retry)? else {
                return Ok(());
            };
            self.start(work, &key)?;
        }
        Ok(())
    }

    /// Breaks off a pin that stands still. That is its own failure if Kubo is alive.
    fn make_room<S: Store>(&mut self, work: &mut Work<'_, S>, op: OpId) {
        let Some(running) = self.ops.end(op) else { return };
        work.effects.push(Effect::IpfsCancel { op });
        let seconds = work.now.0.saturating_sub(running.moved.0) / 1000;
        let words = format!("nothing was fetched for {seconds} s while other pins waited");
        self.suspect(work, Suspect { key: running.key, goal: running.goal, words });
    }

    /// Takes the next key of a lane that is due and not busy.
    fn next<S: Store>(
        &mut self,
        work: &Work<'_, S>,
        lane: Lane,
    ) -> Result<Option<PinKey>, StoreError> {
        let front = match lane {
            Lane::Unpin => &mut self.unpins,
            Lane::New => &mut self.first,
            Lane::Retry | Lane::Expiry => &mut self.retries,
        };
        loop {
            let Some(place) = front.first(work.store)? else {
                return Ok(None);
            };
            if lane != Lane::New && place.time(lane) > work.now {
                return Ok(None);
            }
            let key = place.key();
            front.take();
            // What runs, or waits for the verdict on Kubo, is put back when that ends.
            if self.ops.of(&key).is_none() && !self.breaker.is_suspect(&key) {
                return Ok(Some(key));
            }
        }
    }

    fn start<S: Store>(&mut self, work: &mut Work<'_, S>, key: &PinKey) -> Result<(), StoreError> {
        let (Some(unsettled), Some(cid)) = (Unsettled::load(work.store, key)?, key.to_cid()) else {
            return Ok(());
        };
        let record = match unsettled.goal {
            Goal::Unpin => None,
            Goal::Pin => match work.pinset.pin(work.store, key)? {
                Some(pin) => Some(pin),
                // Its value is no pin any more.
                None => {
                    self.write(work, key, Some(&unsettled), None);
                    return Ok(());
                }
            },
        };
        let provide = self.provide.remove(key).unwrap_or_default();
        let op = self.ops.start(Running {
            key: key.clone(),
            cid,
            goal: unsettled.goal,
            attempts: unsettled.attempts,
            is_retry: matches!(unsettled.turn, Turn::Due(_)),
            since: work.now,
            moved: work.now,
            progress: (0, 0),
        });
        work.effects.push(match record {
            Some(pin) => pin_effect(op, cid, pin, provide),
            None => Effect::IpfsUnpin { op, cid },
        });
        Ok(())
    }

    /// When there is something to do, unless something happens before.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        let probe = self.breaker.probe_at();
        if !self.breaker.allows() {
            return probe;
        }
        if self.paused_until > self.pumped {
            return Some(self.paused_until);
        }
        let due = |lane, front: &super::queue::LaneFront| {
            front.peek().map(|place| place.time(lane)).filter(|due| *due > self.pumped)
        };
        [
            self.audit.wake(self.pumped),
            self.recovery.as_ref().map(|_| self.pumped),
            due(Lane::Unpin, &self.unpins),
            due(Lane::Retry, &self.retries),
            self.ops.still_at(self.pumped),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// The effect that starts a pin.
fn pin_effect(op: OpId, cid: Cid, pin: Pin, provide: FastProvide) -> Effect {
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
        provide,
    }
}

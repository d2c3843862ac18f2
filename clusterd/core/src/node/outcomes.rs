//! What the tracker and other peers did to a pin, and whom that concerns: those who wait, and a
//! local pin that was kept until others held it.

use common::ids::PeerId;

use super::Node;
use crate::effect::{Effect, Refusal};
use crate::input::Time;
use crate::pinset::key::PinKey;
use crate::spread::suffices;
use crate::store::{Store, StoreError};
use crate::tracker::Outcome;
use crate::tracker::phase::{Goal, Turn, Unsettled};

impl<S: Store> Node<S> {
    /// Answers those who wait for a pin, if enough hold it.
    pub(super) fn check_waiters(
        &mut self,
        key: &PinKey,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        if self.waiters.is_awaited(key) && self.is_spread(key, now)? {
            self.waiters.settled(key, true, effects);
        }
        Ok(())
    }

    /// What must be held, or by whom it is, has changed: it may be enough now.
    pub(super) fn recheck_pin(
        &mut self,
        key: &PinKey,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        self.free_local(key, now, effects)?;
        self.check_waiters(key, now, effects)
    }

    /// An attempt to pin failed at a peer. Those who wait are told once too few are left.
    pub(super) fn attempt_failed(
        &mut self,
        key: &PinKey,
        peer: PeerId,
        reason: String,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let (Some(failed), Some(cid)) = (self.waiters.failed(key, peer), key.to_cid()) else {
            return Ok(());
        };
        let Some(pin) = self.pinset.pin(&self.store, key)? else { return Ok(()) };
        if !suffices(&pin, &failed, |peer| self.counts_in(peer, now)) {
            self.waiters.refuse(key, &Refusal::PinFailed { cid, reason }, effects);
        }
        Ok(())
    }

    /// Tells those who wait what the tracker did.
    pub(super) fn tell(
        &mut self,
        outcomes: Vec<Outcome>,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let own = self.config.peer;
        for outcome in outcomes {
            match outcome {
                Outcome::Settled(key) => {
                    self.waiters.recovered(&key, &own);
                    self.waiters.settled(&key, false, effects);
                    self.check_waiters(&key, now, effects)?;
                }
                Outcome::Failed(key, reason) => {
                    self.attempt_failed(&key, own, reason, now, effects)?;
                }
                // It may only have moved to other peers.
                Outcome::Withdrawn(key) if self.pinset.pin(&self.store, &key)?.is_some() => {
                    self.check_waiters(&key, now, effects)?;
                }
                Outcome::Withdrawn(key) => self.waiters.withdrawn(&key, effects),
                Outcome::Away(reason) => {
                    let keys = self.waiters.keys();
                    self.kubo_away(keys, &reason, now, effects)?;
                }
                Outcome::Progress(key, progress) => {
                    self.waiters.progress(&key, progress, effects);
                }
            }
        }
        Ok(())
    }

    /// While Kubo is away this peer comes to hold none of these.
    pub(super) fn kubo_away(
        &mut self,
        keys: impl IntoIterator<Item = PinKey>,
        reason: &str,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        for key in keys {
            let unsettled = Unsettled::load(&self.store, &key)?;
            if unsettled.is_some_and(|unsettled| unsettled.goal == Goal::Pin) {
                self.attempt_failed(&key, self.config.peer, reason.to_owned(), now, effects)?;
            }
        }
        Ok(())
    }

    /// Tells others once that Kubo is away, or back.
    pub(super) fn tell_away(&mut self, effects: &mut Vec<Effect>) {
        let words = self.tracker.breaker.away().map(|(_, words)| words);
        if words != self.told_away.as_deref() {
            self.told_away = words.map(str::to_owned);
            effects.push(Effect::TellAway { words: self.told_away.clone() });
        }
    }

    /// What Kubo was given here for others to hold is let go once enough do.
    fn free_local(
        &mut self,
        key: &PinKey,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let waits = Unsettled::load(&self.store, key)?.is_some_and(|row| is_held_back(&row));
        let is_free = waits
            && self.pinset.pin(&self.store, key)?.is_some()
            && self.is_held_by_enough(key, false, now)?;
        if is_free { self.let_go_now(key, now, effects) } else { Ok(()) }
    }

    /// An unpin that waits for others to hold the pin waits no longer.
    fn let_go_now(
        &mut self,
        key: &PinKey,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let unsettled = Unsettled::load(&self.store, key)?;
        let Some(old) = unsettled.filter(is_held_back) else { return Ok(()) };
        self.work(now, effects, |tracker, work| {
            let new = Unsettled { turn: Turn::New(now), ..old.clone() };
            tracker.write(work, key, Some(&old), Some(&new));
            Ok(())
        })
    }

    /// The record of a pin that this peer did not hold is gone.
    pub(super) fn gone_elsewhere(
        &mut self,
        key: &PinKey,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        self.let_go_now(key, now, effects)?;
        self.tell(vec![Outcome::Withdrawn(key.clone())], now, effects)
    }

    /// Who is a member decides what is pinned everywhere.
    pub(super) fn recheck(
        &mut self,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        if self.waiters.is_empty() {
            return Ok(());
        }
        let members = self.members.members(now);
        if members != self.counted {
            self.counted = members;
            for key in self.waiters.keys() {
                self.check_waiters(&key, now, effects)?;
            }
        }
        Ok(())
    }
}

fn is_held_back(unsettled: &Unsettled) -> bool {
    unsettled.goal == Goal::Unpin && unsettled.turn == Turn::HeldBack
}

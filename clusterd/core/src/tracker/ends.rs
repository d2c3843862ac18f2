//! How operations end: reached, failed and tried again, or cut off by a Kubo that is away.

use super::breaker::{Suspect, Verdict};
use super::ops::Running;
use super::phase::{Goal, Turn, Unsettled};
use super::{Outcome, Tracker, Work};
use crate::effect::Effect;
use crate::input::{IpfsFailure, OpId};
use crate::pinset::key::PinKey;
use crate::store::{Store, StoreError};

impl Tracker {
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
                if self.breaker.away().is_some() {
                    return self.requeue(work, &running.key);
                }
                self.suspect(work, Suspect { key: running.key, goal: running.goal, words });
                Ok(())
            }
        }
    }

    /// Asks Kubo for a sign of life before a failure counts.
    pub(super) fn suspect<S: Store>(&mut self, work: &mut Work<'_, S>, suspect: Suspect) {
        if self.breaker.suspect(suspect) {
            work.effects.push(Effect::IpfsProbe);
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
            Goal::Pin => {
                self.audit.settled(&running.key);
                self.settle(work, &running.key, Some(&unsettled))
            }
            Goal::Unpin => {
                self.write(work, &running.key, Some(&unsettled), None);
                work.outcomes.push(Outcome::Settled(running.key.clone()));
                Ok(())
            }
        }
    }

    pub(super) fn fail<S: Store>(
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
            since: if old.attempts == 0 { work.now } else { old.since },
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
        let factor = 1u64.checked_shl(attempts.saturating_sub(1).min(32)).unwrap_or(u64::MAX);
        let full = self.retry_after.saturating_mul(factor).min(self.retry_after_max);
        let scatter = key.as_bytes().iter().rev().take(2).fold(0, |n, b| n << 8 | u64::from(*b));
        full - full / 4 * scatter / 0xffff
    }

    /// Puts a stored pin back to its place without writing.
    fn requeue<S: Store>(
        &mut self,
        work: &mut Work<'_, S>,
        key: &PinKey,
    ) -> Result<(), StoreError> {
        if let Some(unsettled) = Unsettled::load(work.store, key)?
            && let Some(place) = unsettled.place(key)
        {
            self.enqueue(place, &unsettled);
        }
        Ok(())
    }

    /// Kubo answered a probe, or did not.
    pub(crate) fn probed<S: Store>(
        &mut self,
        work: &mut Work<'_, S>,
        alive: bool,
    ) -> Result<(), StoreError> {
        match self.breaker.probed(alive, work.now) {
            Verdict::Guilty(suspects) => {
                for suspect in suspects {
                    self.fail(work, &suspect.key, suspect.goal, suspect.words)?;
                }
            }
            Verdict::Innocent { suspects, is_new } => {
                for suspect in suspects {
                    self.requeue(work, &suspect.key)?;
                }
                if let Some((_, words)) = self.breaker.away().filter(|_| is_new) {
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
        let key = self.ops.progress(op, progress, work.now).map(|running| running.key.clone());
        if let Some(key) = key {
            let (nodes, bytes) = progress;
            work.effects.extend(key.to_cid().map(|cid| Effect::TellProgress { cid, nodes, bytes }));
            work.outcomes.push(Outcome::Progress(key, progress));
        }
    }
}

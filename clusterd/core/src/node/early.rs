//! Pins that are asked for before this peer has heard which others there are, and what they can take.

use super::Node;
use super::pins::Asked;
use super::waiters::refused;
use crate::effect::{Effect, Refusal};
use crate::input::{Time, WaiterId};
use crate::store::{Store, StoreError};

/// So long after its start a peer may not have heard of all others yet, in milliseconds: Go's peers
/// tell of themselves each 15 seconds.
const EARLY: u64 = 30_000;

/// So long a request for which there are too few peers waits for more, in milliseconds.
const HEARD_WITHIN: u64 = 20_000;

/// Most requests that wait so; more are refused.
const WAITING_MAX: usize = 1024;

/// A request that waits for more peers.
#[derive(Debug)]
pub(super) struct Early {
    until: Time,
    asked: Asked,
    refusal: Refusal,
}

impl<S: Store> Node<S> {
    /// [`crate::input::Input::Pin`]. Soon after the start it waits where there are too few peers.
    pub(super) fn pin(
        &mut self,
        asked: Asked,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let is_early = (self.config.expects_others || self.some_have_not_told(now))
            && now < self.started.plus_millis(EARLY)
            && self.early.len() < WAITING_MAX;
        let kept = is_early.then(|| asked.clone());
        let waiter = asked.waiter;
        let until = now.plus_millis(HEARD_WITHIN);
        match (self.try_pin(asked, now, effects)?, kept) {
            (Some(refusal @ Refusal::NotEnoughPeers { .. }), Some(asked)) => {
                self.early.push(Early { until, asked, refusal });
            }
            (Some(refusal), _) => effects.push(refused(waiter, refusal)),
            (None, _) => {}
        }
        Ok(())
    }

    /// Whether there are others, and a member has not told yet by what pins are allocated, such as its space.
    fn some_have_not_told(&self, now: Time) -> bool {
        let told = self.members.candidates(&self.config.allocate_by, now);
        let members = self.members.members(now).len();
        members > 1 && told.len() < members
    }

    /// Tries those who wait again: a peer told something. The time of some may be over.
    pub(super) fn retry_early(
        &mut self,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        for Early { until, asked, refusal } in std::mem::take(&mut self.early) {
            if until <= now {
                effects.push(refused(asked.waiter, refusal));
                continue;
            }
            let kept = asked.clone();
            match self.try_pin(asked, now, effects)? {
                Some(refusal @ Refusal::NotEnoughPeers { .. }) => {
                    self.early.push(Early { until, asked: kept, refusal });
                }
                Some(refusal) => effects.push(refused(kept.waiter, refusal)),
                None => {}
            }
        }
        Ok(())
    }

    /// When the time of the first is over.
    pub(super) fn early_due(&self) -> Option<Time> {
        self.early.iter().map(|early| early.until).min()
    }

    pub(super) fn forget_early(&mut self, waiter: WaiterId) {
        self.early.retain(|early| early.asked.waiter != waiter);
    }
}

//! Beginning to wait, and trying again on request.

use std::collections::BTreeSet;

use common::ids::Cid;

use super::Node;
use super::waiters::{self, Patience, Wait};
use crate::effect::{Answer, Effect, Refusal};
use crate::input::{Time, WaiterId};
use crate::pinset::key::PinKey;
use crate::store::{Store, StoreError};
use crate::tracker::phase::{Goal, Unsettled};

impl<S: Store> Node<S> {
    /// Begins to wait for what of these keys is not settled. While Kubo is away nobody waits for a pin.
    pub(super) fn wait(
        &mut self,
        waiter: WaiterId,
        goal: Goal,
        deadline: Option<Time>,
        (cids, keys): (Vec<Cid>, BTreeSet<PinKey>),
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let mut missing = BTreeSet::new();
        for key in keys {
            if Unsettled::load(&self.store, &key)?.is_some() {
                missing.insert(key);
            }
        }
        let away = self.tracker.breaker.away().filter(|_| goal == Goal::Pin);
        let first = missing.first().and_then(PinKey::to_cid);
        if let (Some((_, words)), Some(cid)) = (away, first) {
            let refusal = Refusal::PinFailed { cid, reason: words.to_owned() };
            effects.push(waiters::refused(waiter, refusal));
            return Ok(());
        }
        let patience = match goal {
            Goal::Pin => Patience::Fails,
            Goal::Unpin => Patience::Suffices,
        };
        self.waiters.add(Wait { waiter, goal, patience, deadline, cids, missing }, effects);
        Ok(())
    }

    pub(super) fn recover(
        &mut self,
        waiter: WaiterId,
        cid: Option<Cid>,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let pins = self.work(now, effects, |tracker, work| match cid {
            Some(cid) => tracker.recover(work, &PinKey::from_cid(&cid)).map(u64::from),
            None => Ok(tracker.recover_all(work)),
        })?;
        effects.push(waiters::answer(waiter, Answer::Recovering { pins }));
        Ok(())
    }
}

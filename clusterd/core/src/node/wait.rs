//! Beginning to wait, and trying again on request.

use std::collections::BTreeSet;

use common::ids::Cid;
use common::pin::Pin;

use super::Node;
use super::waiters::{self, Patience, Wait};
use crate::effect::{Answer, Effect};
use crate::input::{Time, WaiterId};
use crate::pinset::key::PinKey;
use crate::pinset::pin_row;
use crate::spread::Lacking;
use crate::store::{Store, StoreError};
use crate::tracker::goals::Origin;
use crate::tracker::phase::{Goal, Unsettled};

impl<S: Store> Node<S> {
    /// Begins to wait for what of these keys is not reached. While Kubo is away this peer counts as
    /// one where the pin failed.
    pub(super) fn wait(
        &mut self,
        waiter: WaiterId,
        goal: Goal,
        deadline: Option<Time>,
        (cids, keys, fresh): (Vec<Cid>, BTreeSet<PinKey>, BTreeSet<PinKey>),
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let mut missing = BTreeSet::new();
        for key in keys {
            let is_reached = match goal {
                Goal::Pin => self.is_spread(&key, now)?,
                Goal::Unpin => Unsettled::load(&self.store, &key)?.is_none(),
            };
            if !is_reached {
                missing.insert(key);
            }
        }
        let patience = match goal {
            Goal::Pin => Patience::Fails,
            Goal::Unpin => Patience::Suffices,
        };
        let away = self.tracker.breaker.away().filter(|_| goal == Goal::Pin);
        let away = away.map(|(_, words)| (missing.clone(), words.to_owned()));
        self.waiters.add(Wait { waiter, goal, patience, deadline, cids, missing, fresh }, effects);
        match away {
            Some((missing, words)) => self.kubo_away(missing, &words, now, effects),
            None => Ok(()),
        }
    }

    /// A pin is asked for again as it is: what failed or waits has its turn now, here and elsewhere.
    pub(super) fn pin_again(
        &mut self,
        key: &PinKey,
        pin: &Pin,
        origin: Origin,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let lacking = Lacking::load(&self.store, key)?.0.into_iter();
        effects.extend(lacking.map(|peer| Effect::RecoverAt { peer, cid: pin.cid }));
        let is_ours = pin_row::is_for(pin, &self.config.peer);
        let is_needed = !is_ours && !self.is_held_by_enough(key, false, now)?;
        self.work(now, effects, |tracker, work| match (origin, is_ours) {
            (Origin::Added, true) => tracker.want(work, key, pin, Some(pin), origin),
            (Origin::Added, false) => tracker.let_go(work, key, pin, is_needed),
            (Origin::Asked | Origin::Imported | Origin::Replicated, _) => {
                tracker.recover(work, key).map(|_| ())
            }
        })
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

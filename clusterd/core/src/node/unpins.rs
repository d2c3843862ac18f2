//! Unpinning, and replacing one pin by another.

use std::collections::BTreeSet;

use common::ids::{Cid, RequestId};
use common::pin::{Depth, FastProvide, Pin, PinMode, PinType};

use super::Node;
use super::requests::{Ending, Past};
use super::waiters::{answer, refused};
use crate::effect::{Answer, Effect, Refusal};
use crate::input::{Time, Until, WaiterId};
use crate::pinset::key::PinKey;
use crate::pinset::pin_row;
use crate::store::{Store, StoreError};
use crate::tracker::goals::Origin;
use crate::tracker::phase::{Goal, Unsettled};

/// [`crate::input::Input::Unpin`].
pub(super) struct Unpin {
    pub(super) waiter: WaiterId,
    pub(super) request: Option<RequestId>,
    pub(super) cids: Vec<Cid>,
    pub(super) recursive: bool,
    pub(super) until: Until,
}

/// [`crate::input::Input::Update`].
pub(super) struct Update {
    pub(super) waiter: WaiterId,
    pub(super) request: Option<RequestId>,
    pub(super) from: Cid,
    pub(super) to: Cid,
    pub(super) unpin: bool,
    pub(super) name: Option<String>,
    pub(super) provide: FastProvide,
    pub(super) until: Until,
}

impl<S: Store> Node<S> {
    pub(super) fn unpin(
        &mut self,
        unpin: Unpin,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let Unpin { waiter, request, cids, recursive, until } = unpin;
        if self.waiters.is_full() && until != Until::Accepted {
            effects.push(refused(waiter, Refusal::TooManyWaiters));
            return Ok(());
        }
        let earlier = match request {
            Some(id) => self.requests.past(&self.store, id)?,
            None => None,
        };
        let past = match earlier {
            Some(past) => past,
            None => {
                let past = self.unpin_all(&cids, recursive, now, effects)?;
                // What changed nothing may be judged anew.
                if let Some(id) = request.filter(|_| past.done > 0) {
                    self.requests.remember(&mut self.store, id, past, now)?;
                }
                past
            }
        };
        let stopped_at = cids.get(past.done).copied();
        let refusal = match (past.ending, stopped_at) {
            (Ending::Done, _) | (_, None) => None,
            (Ending::NotPinned, Some(_)) => Some(Refusal::NotPinned),
            (Ending::PinnedRecursively, Some(cid)) => Some(Refusal::PinnedRecursively(cid)),
            (Ending::PartOfShard, Some(cid)) => Some(Refusal::PartOfShard(cid)),
        };
        if let Some(refusal) = refusal {
            effects.push(refused(waiter, refusal));
            return Ok(());
        }
        let keys = self.being_let_go(&cids)?;
        self.finish(waiter, Goal::Unpin, until, (cids, keys), now, effects)
    }

    /// Unpins in order up to the first that cannot be.
    fn unpin_all(
        &mut self,
        cids: &[Cid],
        recursive: bool,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<Past, StoreError> {
        for (done, cid) in cids.iter().enumerate() {
            let key = PinKey::from_cid(cid);
            let Some(pin) = self.pinset.pin(&self.store, &key)? else {
                return Ok(Past { done, ending: Ending::NotPinned });
            };
            if pin.kind != PinType::Data {
                return Ok(Past { done, ending: Ending::PartOfShard });
            }
            if !recursive && pin.depth.mode() == PinMode::Recursive {
                return Ok(Past { done, ending: Ending::PinnedRecursively });
            }
            self.remove_pin(&key, &pin, false, now, effects)?;
        }
        Ok(Past { done: cids.len(), ending: Ending::Done })
    }

    /// Takes a record out of the pinset and lets Kubo let go of it.
    pub(super) fn remove_pin(
        &mut self,
        key: &PinKey,
        pin: &Pin,
        held_back: bool,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        if self.pinset.remove(&mut self.store, key)? {
            self.counts.pins = self.counts.pins.saturating_sub(1);
        }
        self.note_spread(key, (Some(pin), None), now, effects)?;
        if !pin_row::is_for(pin, &self.config.peer) {
            return self.gone_elsewhere(key, now, effects);
        }
        self.work(now, effects, |tracker, work| tracker.let_go(work, key, pin, held_back))
    }

    pub(super) fn update(
        &mut self,
        update: Update,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        if self.waiters.is_full() && update.until != Until::Accepted {
            effects.push(refused(update.waiter, Refusal::TooManyWaiters));
            return Ok(());
        }
        let (from, to) = (update.from, update.to);
        let (from_key, to_key) = (PinKey::from_cid(&from), PinKey::from_cid(&to));
        let earlier = match update.request {
            Some(id) => self.requests.past(&self.store, id)?,
            None => None,
        };
        if earlier.is_none() {
            let source = self.pinset.pin(&self.store, &from_key)?;
            let target = self.pinset.pin(&self.store, &to_key)?;
            // To Kubo a pin that is only accepted is none.
            let pending = Unsettled::load(&self.store, &to_key)?;
            let own_lacks = pending.is_some_and(|pending| !pending.was_pinned);
            let is_held = self.is_held_by_enough(&to_key, own_lacks, now)?;
            let held = target.as_ref().filter(|target| is_held || target.kind != PinType::Data);
            if let Err(refusal) = check_update(&from, &to, source.as_ref(), held) {
                effects.push(refused(update.waiter, refusal));
                return Ok(());
            }
            if let Some(source) = source.filter(|_| from != to) {
                self.replace(&update, source, target.as_ref(), now, effects)?;
            }
            if let Some(id) = update.request {
                let past = Past { done: 2, ending: Ending::Done };
                self.requests.remember(&mut self.store, id, past, now)?;
            }
        }
        let mut keys = BTreeSet::from([to_key]);
        if update.unpin && from != to {
            keys.extend(self.being_let_go(&[from])?);
        }
        self.finish(update.waiter, Goal::Pin, update.until, (vec![from, to], keys), now, effects)
    }

    fn replace(
        &mut self,
        update: &Update,
        source: Pin,
        target: Option<&Pin>,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let (from_key, to_key) = (PinKey::from_cid(&update.from), PinKey::from_cid(&update.to));
        let new = Pin {
            cid: update.to,
            name: update.name.clone().unwrap_or_else(|| source.name.clone()),
            depth: Depth::Recursive,
            update_from: Some(update.from),
            created_at: now.seconds(),
            ..source.clone()
        };
        self.tracker.wish(&to_key, update.provide);
        self.put_pin(&to_key, target, &new, Origin::Asked, now, effects)?;
        if !update.unpin {
            return Ok(());
        }
        // Kubo must not drop shared blocks before the new pin guards them.
        let pending = Unsettled::load(&self.store, &to_key)?;
        let held_back = pending.is_some();
        if let Some(old) = pending {
            self.work(now, effects, |tracker, work| {
                let new = Unsettled { frees_source: true, ..old.clone() };
                tracker.write(work, &to_key, Some(&old), Some(&new));
                Ok(())
            })?;
        }
        self.remove_pin(&from_key, &source, held_back, now, effects)
    }

    fn being_let_go(&self, cids: &[Cid]) -> Result<BTreeSet<PinKey>, StoreError> {
        let mut keys = BTreeSet::new();
        for cid in cids {
            let key = PinKey::from_cid(cid);
            let unsettled = Unsettled::load(&self.store, &key)?;
            if unsettled.is_some_and(|unsettled| unsettled.goal == Goal::Unpin) {
                keys.insert(key);
            }
        }
        Ok(keys)
    }

    fn finish(
        &mut self,
        waiter: WaiterId,
        goal: Goal,
        until: Until,
        (cids, keys): (Vec<Cid>, BTreeSet<PinKey>),
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        match until {
            Until::Accepted => {
                effects.push(answer(waiter, Answer::Done { cids }));
                Ok(())
            }
            Until::Done { deadline } => {
                self.wait(waiter, goal, deadline, (cids, keys, BTreeSet::new()), now, effects)
            }
        }
    }
}

/// Kubo's rules. Source: `contract.md` 2.5.
fn check_update(
    from: &Cid,
    to: &Cid,
    source: Option<&Pin>,
    target: Option<&Pin>,
) -> Result<(), Refusal> {
    let Some(source) = source.filter(|pin| pin.depth.mode() == PinMode::Recursive) else {
        return Err(Refusal::FromNotRecursive);
    };
    if source.kind != PinType::Data {
        return Err(Refusal::PartOfShard(*from));
    }
    if from == to {
        return Ok(());
    }
    match target {
        Some(target) if target.kind != PinType::Data => Err(Refusal::PartOfShard(*to)),
        Some(target) if target.depth.mode() == PinMode::Recursive => {
            Err(Refusal::ToAlreadyRecursive)
        }
        Some(_) | None => Ok(()),
    }
}

//! What the pinset wants of Kubo, pin by pin: what is new, changed, gone, or reached.

use common::pin::{FastProvide, Pin};

use super::phase::{Goal, Turn, Unsettled};
use super::{Outcome, Tracker, Work};
use crate::effect::Effect;
use crate::input::{OpId, Time};
use crate::pinset::key::PinKey;
use crate::store::{Store, StoreError};

/// Most wishes kept; further pins go with Kubo's defaults.
const WISHES_MAX: usize = 10_000;

/// Imported pins queue as if they were so old, in milliseconds: pins that somebody asks for go first.
const IMPORT_BEHIND: u64 = 600_000;

/// From so many new records on, an audit is cheaper than asking Kubo for each pin.
pub(crate) const AUDIT_FROM: u64 = 64;

/// A pin of another peer that is so old, in milliseconds, may be held by Kubo already, as on a
/// machine that moves over from Go.
pub(crate) const OLD_AFTER: u64 = 600_000;

/// Where a wanted pin comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A client asked for it.
    Asked,
    /// Kubo was given the content with its own pin a moment ago.
    Added,
    /// One of many records taken in.
    Imported,
    /// Another peer pinned it, now or long ago: it queues by its age, so that a new pin goes ahead
    /// of a history that is being caught up with.
    Replicated,
}

impl Tracker {
    /// The record is new or changed and wanted here; `old` is the record before, if it was wanted here.
    pub(crate) fn want<S: Store>(
        &mut self,
        work: &mut Work<'_, S>,
        key: &PinKey,
        pin: &Pin,
        old: Option<&Pin>,
        origin: Origin,
    ) -> Result<(), StoreError> {
        // A pin that was not wanted can only have an unpin pending: an import need not look.
        let may_pend = old.is_some() || work.counts.unsettled() > work.counts.to_pin();
        let unsettled = if may_pend { Unsettled::load(work.store, key)? } else { None };
        let same_depth = old.is_some_and(|old| old.depth == pin.depth);
        let same_for_kubo = same_depth && old.is_some_and(|old| old.name == pin.name);
        if origin == Origin::Added && self.ops.of(key).is_none() {
            self.audit.settled(key);
            return self.settle(work, key, unsettled.as_ref());
        }
        let time = match origin {
            Origin::Asked | Origin::Added => work.now,
            Origin::Imported => Time(work.now.0.saturating_sub(IMPORT_BEHIND)),
            // Its clock may be ahead of ours.
            Origin::Replicated => Time(pin.created_at.saturating_mul(1000)).min(work.now),
        };
        let mut unsettled = unsettled;
        if let (Some(before), Some(old)) = (&mut unsettled, old)
            && before.frees_source
            && old.update_from != pin.update_from
        {
            // It replaces another pin now; the one it replaced first is not needed any more.
            before.frees_source = false;
            self.free_source(work, old)?;
        }
        let new = match &unsettled {
            None if same_for_kubo => return Ok(()),
            None => {
                let turn = Turn::New(time);
                Unsettled { was_pinned: same_depth, turn, ..Unsettled::new(Goal::Pin, work.now) }
            }
            Some(before) if before.goal == Goal::Pin => {
                if let Some((op, _)) = self.ops.of(key) {
                    if same_for_kubo {
                        return Ok(());
                    }
                    self.cancel(work, op);
                }
                let was_pinned = before.was_pinned && same_depth;
                Unsettled { was_pinned, turn: Turn::New(time), ..before.clone() }
            }
            // A running unpin goes on; the pin has its turn when it ended.
            Some(_) => Unsettled { turn: Turn::New(time), ..Unsettled::new(Goal::Pin, work.now) },
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
        if let Some((op, running)) = self.ops.of(key)
            && running.goal == Goal::Pin
        {
            self.cancel(work, op);
        }
        self.provide.remove(key);
        let turn = if held_back { Turn::HeldBack } else { Turn::New(work.now) };
        let new = Unsettled { turn, ..Unsettled::new(Goal::Unpin, work.now) };
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
        match unsettled {
            Some(unsettled) => {
                self.write(work, key, Some(unsettled), None);
                if unsettled.frees_source
                    && let Some(record) = work.pinset.pin(work.store, key)?
                {
                    self.free_source(work, &record)?;
                }
            }
            None => Self::tell_state(work, key, true),
        }
        work.outcomes.push(Outcome::Settled(key.clone()));
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
            let new = Unsettled { turn: Turn::New(work.now), ..old.clone() };
            self.write(work, &key, Some(&old), Some(&new));
        }
        Ok(())
    }

    fn cancel<S: Store>(&mut self, work: &mut Work<'_, S>, op: OpId) {
        if self.ops.end(op).is_some() {
            work.effects.push(Effect::IpfsCancel { op });
        }
    }

    /// Keeps a client's wish until the operation starts.
    pub(crate) fn wish(&mut self, key: &PinKey, provide: FastProvide) {
        if !provide.is_default() && self.provide.len() < WISHES_MAX {
            self.provide.insert(key.clone(), provide);
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
        if self.breaker.away().is_some() {
            // Whoever asks, here or elsewhere, need not wait for a Kubo that is away.
            Self::tell_state(work, key, false);
        }
        if self.ops.of(key).is_none() && old.turn != Turn::HeldBack {
            let new = Unsettled { turn: Turn::New(work.now), ..old.clone() };
            self.write(work, key, Some(&old), Some(&new));
        }
        Ok(true)
    }
}

//! The operations that run at Kubo now, and which slots they take.

use std::collections::BTreeMap;

use crate::input::{OpId, Time};
use crate::pinset::key::PinKey;
use common::ids::Cid;

use super::phase::Goal;

/// An operation without progress for so long stands still and frees its slot, in milliseconds.
/// Short, so that pins nobody provides delay others by seconds.
pub(crate) const STILL_AFTER: u64 = 3000;
/// So many times the slots may stand still besides; each is a call that Kubo keeps open.
const STILL_FACTOR: usize = 3;
/// Unpins at once. They are quick and have slots of their own.
const UNPINS_MAX: usize = 10;

/// One operation at Kubo.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    pub(crate) key: PinKey,
    pub(crate) cid: Cid,
    pub(crate) goal: Goal,
    pub(crate) attempts: u32,
    /// Whether it comes from the lane of retries; one that was asked for again does not.
    pub(crate) is_retry: bool,
    pub(crate) since: Time,
    /// When it last got on.
    pub(crate) moved: Time,
    /// Nodes and bytes fetched.
    pub(crate) progress: (u64, u64),
}

impl Running {
    fn stands_still(&self, now: Time) -> bool {
        self.moved.plus_millis(STILL_AFTER) <= now
    }
}

/// Whether something may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Free,
    Taken,
    /// When this one, which stands still, is broken off.
    After(OpId),
}

/// The running operations: at most one for a key.
#[derive(Debug, Default)]
pub(crate) struct Ops {
    running: BTreeMap<OpId, Running>,
    by_key: BTreeMap<PinKey, OpId>,
    next: u64,
}

impl Ops {
    pub(crate) fn start(&mut self, running: Running) -> OpId {
        let op = OpId(self.next);
        self.next += 1;
        self.by_key.insert(running.key.clone(), op);
        self.running.insert(op, running);
        op
    }

    pub(crate) fn end(&mut self, op: OpId) -> Option<Running> {
        let ended = self.running.remove(&op)?;
        self.by_key.remove(&ended.key);
        Some(ended)
    }

    /// Forgets all; numbers go on, so that late answers fit nothing.
    pub(crate) fn clear(&mut self) {
        self.running.clear();
        self.by_key.clear();
    }

    pub(crate) fn of(&self, key: &PinKey) -> Option<(OpId, &Running)> {
        let op = self.by_key.get(key)?;
        self.running.get(op).map(|running| (*op, running))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&OpId, &Running)> {
        self.running.iter()
    }

    pub(crate) fn progress(
        &mut self,
        op: OpId,
        progress: (u64, u64),
        now: Time,
    ) -> Option<&Running> {
        let running = self.running.get_mut(&op)?;
        if running.progress != progress {
            running.progress = progress;
            running.moved = now;
        }
        Some(running)
    }

    pub(crate) fn unpin_slot(&self) -> Slot {
        let unpins = self.running.values().filter(|op| op.goal == Goal::Unpin).count();
        if unpins < UNPINS_MAX { Slot::Free } else { Slot::Taken }
    }

    /// A slot for a first attempt. When too many stand still, the one that has for longest makes room,
    /// those that nobody waits for (`is_awaited`) first.
    pub(crate) fn first_slot(
        &self,
        max: usize,
        now: Time,
        is_awaited: impl Fn(&PinKey) -> bool,
    ) -> Slot {
        let (moving, all) = self.pins(now, |_| true);
        if moving >= max {
            return Slot::Taken;
        }
        if all < max * (1 + STILL_FACTOR) {
            return Slot::Free;
        }
        let still =
            self.running.iter().filter(|(_, op)| op.goal == Goal::Pin && op.stands_still(now));
        still
            .min_by_key(|(_, op)| (is_awaited(&op.key), op.moved))
            .map_or(Slot::Taken, |(op, _)| Slot::After(*op))
    }

    /// A slot for a further attempt: at most half of them, so that a new pin always finds one.
    pub(crate) fn retry_slot(&self, max: usize, now: Time) -> Slot {
        let share = (max / 2).max(1);
        let (moving, all) = self.pins(now, |_| true);
        let (retries_moving, retries) = self.pins(now, |op| op.is_retry);
        let is_free = moving < max
            && all < max * (1 + STILL_FACTOR)
            && retries_moving < share
            && retries < share * (1 + STILL_FACTOR);
        if is_free { Slot::Free } else { Slot::Taken }
    }

    /// When the next operation may stand still, after `now`.
    pub(crate) fn still_at(&self, now: Time) -> Option<Time> {
        let pins = self.running.values().filter(|op| op.goal == Goal::Pin);
        pins.map(|op| op.moved.plus_millis(STILL_AFTER)).filter(|at| *at > now).min()
    }

    /// Pin operations that get on, and all of them.
    fn pins(&self, now: Time, counts: impl Fn(&Running) -> bool) -> (usize, usize) {
        let pins = self.running.values().filter(|op| op.goal == Goal::Pin && counts(op));
        pins.fold((0, 0), |(moving, all), op| {
            (moving + usize::from(!op.stands_still(now)), all + 1)
        })
    }
}

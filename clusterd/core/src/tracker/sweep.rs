//! Long walks over the store in small steps: what an audit settles or misses, and trying all again.

use super::phase::{Goal, Lane, Place, Turn, Unsettled};
use super::{Tracker, Work};
use crate::input::HeldPin;
use crate::pinset::key::PinKey;
use crate::pinset::pin_row::PinRow;
use crate::store::{Space, Store, StoreError};
use common::pin::PinMode;

/// Rows looked at in one step: some milliseconds, so that requests in between do not wait.
const STEP_ROWS: usize = 1000;

/// Trying again all that waits for its due time.
#[derive(Debug)]
pub(crate) struct Recovery {
    lane: Lane,
    after: Place,
}

impl Tracker {
    /// Kubo says that it holds these. Those that are not in the pinset are none of ours.
    pub(crate) fn audited<S: Store>(
        &mut self,
        work: &mut Work<'_, S>,
        held: &[HeldPin],
    ) -> Result<(), StoreError> {
        if !self.audit.is_reading() {
            return Ok(());
        }
        for pin in held {
            let key = PinKey::from_cid(&pin.cid);
            self.audit.saw(&key);
            if work.counts.to_pin() > 0 && self.ops.of(&key).is_none() {
                self.settle_if_held(work, &key, pin)?;
            }
        }
        Ok(())
    }

    fn settle_if_held<S: Store>(
        &mut self,
        work: &mut Work<'_, S>,
        key: &PinKey,
        held: &HeldPin,
    ) -> Result<(), StoreError> {
        let Some(unsettled) = Unsettled::load(work.store, key)? else {
            return Ok(());
        };
        if unsettled.goal != Goal::Pin || self.breaker.is_suspect(key) {
            return Ok(());
        }
        let Some(row) = crate::pinset::set::row(work.store, key)? else {
            return Ok(());
        };
        let row = crate::pinset::set::parse_row(key, &row)?;
        // What is held recursively is held; Kubo refuses to make it direct.
        let covers = held.mode == PinMode::Recursive || row.mode() == PinMode::Direct;
        if covers && row.name() == held.name {
            self.settle(work, key, Some(&unsettled))?;
        }
        Ok(())
    }

    /// The next step of whatever walk is under way.
    pub(super) fn sweep<S: Store>(&mut self, work: &mut Work<'_, S>) -> Result<(), StoreError> {
        self.search_losses(work)?;
        self.recover_step(work)
    }

    fn search_losses<S: Store>(&mut self, work: &mut Work<'_, S>) -> Result<(), StoreError> {
        let Some(after) = self.audit.search_after() else {
            return Ok(());
        };
        let rows = work.store.scan(Space::Pins, &[], after, STEP_ROWS)?;
        let last = rows.last().filter(|_| rows.len() == STEP_ROWS).map(|(key, _)| key.clone());
        for (key, row) in rows {
            let is_ours = PinRow::parse(&row).is_some_and(|row| row.is_for(&self.peer));
            let key = PinKey::from_stored(key);
            if !is_ours || !self.audit.misses(&key) {
                continue;
            }
            let old = Unsettled::load(work.store, &key)?;
            let lost = match &old {
                None => Unsettled { is_lost: true, ..Unsettled::new(Goal::Pin, work.now) },
                // Only its name was to change.
                Some(old) if old.was_pinned && !old.is_lost && self.ops.of(&key).is_none() => {
                    Unsettled { is_lost: true, was_pinned: false, ..old.clone() }
                }
                Some(_) => continue,
            };
            self.write(work, &key, old.as_ref(), Some(&lost));
        }
        self.audit.searched(last);
        Ok(())
    }

    /// Everything that waits for a due time is due now. Gives how many there are.
    pub(crate) fn recover_all<S>(&mut self, work: &Work<'_, S>) -> u64 {
        let start = Place::new(Lane::Unpin, work.now, &PinKey::from_stored(Vec::new()));
        self.recovery = Some(Recovery { lane: Lane::Unpin, after: start });
        work.counts.unsettled()
    }

    fn recover_step<S: Store>(&mut self, work: &mut Work<'_, S>) -> Result<(), StoreError> {
        let Some(Recovery { lane, after }) = self.recovery.take() else {
            return Ok(());
        };
        let bytes = Some(after.as_bytes());
        let rows = work.store.scan(Space::Queue, &[lane as u8], bytes, STEP_ROWS)?;
        let last = rows.last().map(|(row, _)| Place::from_stored(row.clone()));
        let is_end = rows.len() < STEP_ROWS;
        for (row, _) in rows {
            let key = Place::from_stored(row).key();
            let Some(old) = Unsettled::load(work.store, &key)? else {
                continue;
            };
            let is_later = matches!(old.turn, Turn::Due(due) if due > work.now);
            if is_later && self.ops.of(&key).is_none() && !self.breaker.is_suspect(&key) {
                let new = Unsettled { turn: Turn::Due(work.now), ..old.clone() };
                self.write(work, &key, Some(&old), Some(&new));
            }
        }
        let none = PinKey::from_stored(Vec::new());
        self.recovery = match (last, lane) {
            (Some(after), lane) if !is_end => Some(Recovery { lane, after }),
            (_, Lane::Unpin) => {
                let after = Place::new(Lane::Retry, work.now, &none);
                Some(Recovery { lane: Lane::Retry, after })
            }
            (_, Lane::New | Lane::Retry | Lane::Expiry) => None,
        };
        Ok(())
    }
}

/// Rows of one lane are found by their time.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Time;

    #[test]
    fn a_recovery_begins_behind_what_is_due() {
        let key = PinKey::from_text("/k");
        let start = Place::new(Lane::Retry, Time(5), &PinKey::from_stored(Vec::new()));
        assert!(start < Place::new(Lane::Retry, Time(5), &key));
        assert!(start > Place::new(Lane::Retry, Time(4), &key));
    }
}

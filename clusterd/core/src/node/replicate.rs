//! What other peers announce and serve: merged into the pinset, and Kubo brought to it.

use std::collections::BTreeMap;

use common::pin::Pin;

use super::Node;
use crate::effect::Effect;
use crate::input::Time;
use crate::mutant::{self, Mutant};
use crate::pinset::codec::BlockId;
use crate::pinset::join::Reclaim;
use crate::pinset::key::PinKey;
use crate::pinset::{Change, pin_row, set};
use crate::store::{Store, StoreError};
use crate::tracker::goals::{AUDIT_FROM, OLD_AFTER, Origin};

impl<S: Store> Node<S> {
    pub(super) fn heads_seen(&mut self, heads: &[BlockId], asked: bool) -> Result<(), StoreError> {
        if !asked {
            self.rebroadcast.saw(heads);
        }
        self.walk.heads_seen(&self.pinset, &self.store, heads)
    }

    pub(super) fn block_fetched(
        &mut self,
        id: BlockId,
        bytes: &[u8],
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let (pinset, store) = (&mut self.pinset, &mut self.store);
        match self.walk.fetched(pinset, store, (id, bytes), now)? {
            Ok(changes) => self.absorb(changes, now, effects)?,
            Err(error) => tracing::warn!(block = ?id, %error, "a peer served no usable block"),
        }
        self.end_join(effects)
    }

    pub(super) fn block_failed(
        &mut self,
        id: BlockId,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        self.walk.failed(&id, now);
        self.end_join(effects)
    }

    fn end_join(&mut self, effects: &mut Vec<Effect>) -> Result<(), StoreError> {
        if self.pinset.is_joining() && self.walk.is_exhausted() {
            self.pinset.end_join(&mut self.store)?;
            effects.push(Effect::ListenAnew);
        }
        Ok(())
    }

    /// Brings counts, expiries and the tracker to what a merge changed.
    fn absorb(
        &mut self,
        changes: Vec<Change>,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        // A key may have changed twice; what counts is what it was before the first time.
        let mut rows: BTreeMap<PinKey, Option<Vec<u8>>> = BTreeMap::new();
        for change in changes {
            let (key, before) = change.into_before();
            rows.entry(key).or_insert(before);
        }
        for (key, before) in rows {
            if self.pinset.is_joining() && !self.config.follower {
                self.reclaim(&key, before.as_deref())?;
            }
            let after = set::row(&self.store, &key)?;
            if before != after {
                let (before, after) = (pin_of(&key, before)?, pin_of(&key, after)?);
                self.follow(&key, before.as_ref(), after.as_ref(), now, effects)?;
            }
        }
        if self.old_pins >= AUDIT_FROM {
            self.old_pins = 0;
            self.tracker.audit.hurry(now);
        }
        Ok(())
    }

    fn reclaim(&mut self, key: &PinKey, before: Option<&[u8]>) -> Result<(), StoreError> {
        match self.pinset.reclaim(&self.store, key, before)? {
            Some(Reclaim::Put(pin)) => self.pinset.put_pin(&mut self.store, &pin),
            Some(Reclaim::Remove) => self.pinset.remove(&mut self.store, key).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Another peer changed a record.
    fn follow(
        &mut self,
        key: &PinKey,
        before: Option<&Pin>,
        after: Option<&Pin>,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        match (before, after) {
            (None, Some(_)) => self.counts.pins += u64::from(!mutant::is(Mutant::PinUncounted)),
            (Some(_), None) => self.counts.pins = self.counts.pins.saturating_sub(1),
            (Some(_), Some(_)) | (None, None) => {}
        }
        let expiry = |pin: Option<&Pin>| pin.and_then(|pin| pin.expires_at);
        if let Some(second) = expiry(after).filter(|_| expiry(before) != expiry(after)) {
            self.note_expiry(key, second);
        }
        // A whole history is not asked about pin by pin: afterwards all others are listened to anew.
        if before.is_some() || !self.pinset.is_joining() {
            self.note_spread(key, (before, after), now, effects)?;
        }
        let peer = self.config.peer;
        let held = before.filter(|pin| pin_row::is_for(pin, &peer));
        let wanted = after.filter(|pin| pin_row::is_for(pin, &peer));
        if let Some(pin) = wanted.filter(|_| held.is_none()) {
            let created = super::expiry::time_of(pin.created_at);
            self.old_pins += u64::from(created.plus_millis(OLD_AFTER) < now);
        }
        self.work(now, effects, |tracker, work| match (wanted, held) {
            (Some(_), _) if mutant::is(Mutant::PinUntracked) => Ok(()),
            (None, _) if mutant::is(Mutant::RemovalUntracked) => Ok(()),
            (Some(pin), held) => tracker.want(work, key, pin, held, Origin::Replicated),
            (None, Some(held)) => tracker.let_go(work, key, held, false),
            (None, None) => Ok(()),
        })?;
        if before.is_some() && after.is_none() && held.is_none() {
            self.gone_elsewhere(key, now, effects)?;
        }
        if before.is_some() && after.is_some() {
            self.recheck_pin(key, now, effects)
        } else {
            Ok(())
        }
    }
}

fn pin_of(key: &PinKey, row: Option<Vec<u8>>) -> Result<Option<Pin>, StoreError> {
    let Some(row) = row else { return Ok(None) };
    Ok(set::parse_row(key, &row)?.pin(key.as_bytes()))
}

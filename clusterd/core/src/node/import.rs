//! Taking in whole records: imports and adoption.

use common::pin::Pin;

use super::Node;
use super::waiters::answer;
use crate::effect::{Answer, Effect};
use crate::input::{Time, WaiterId};
use crate::pinset::key::PinKey;
use crate::store::{Store, StoreError};
use crate::tracker::goals::{AUDIT_FROM, Origin};

impl<S: Store> Node<S> {
    /// Writes the records as they are, but for those that differ from what is there in nothing or in
    /// their age alone.
    pub(super) fn import(
        &mut self,
        waiter: WaiterId,
        pins: Vec<Pin>,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let (mut written, mut unchanged) = (0, 0);
        // In the order of keys the store takes them faster; of two for one CID the last stays last.
        let mut pins: Vec<(PinKey, Pin)> =
            pins.into_iter().map(|pin| (PinKey::from_cid(&pin.cid), pin)).collect();
        pins.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (key, pin) in pins {
            let old = self.pinset.pin(&self.store, &key)?;
            let is_same = old
                .as_ref()
                .is_some_and(|old| Pin { created_at: pin.created_at, ..old.clone() } == pin);
            if is_same {
                unchanged += 1;
                continue;
            }
            self.put_pin(&key, old.as_ref(), &pin, Origin::Imported, now, effects)?;
            written += 1;
        }
        if written >= AUDIT_FROM {
            self.tracker.audit.hurry(now);
        }
        effects.push(answer(waiter, Answer::Imported { written, unchanged }));
        Ok(())
    }
}

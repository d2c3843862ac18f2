//! Pins that go away by themselves.

use super::Node;
use crate::effect::Effect;
use crate::input::Time;
use crate::pinset::key::PinKey;
use crate::store::{Space, Store, StoreError};
use crate::tracker::phase::{Lane, Place};

/// Expiries carried out in one step; each is a write.
const EXPIRED_MAX: usize = 100;

impl<S: Store> Node<S> {
    /// Unpins what has expired.
    pub(super) fn expire_pins(
        &mut self,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        for _ in 0..EXPIRED_MAX {
            let Some(place) = self.expiries.first(&self.store)?.cloned() else {
                return Ok(());
            };
            if place.time(Lane::Expiry) > now {
                return Ok(());
            }
            self.expiries.take();
            self.store.delete(Space::Queue, place.as_bytes().to_vec());
            let key = place.key();
            let Some(pin) = self.pinset.pin(&self.store, &key)? else {
                continue;
            };
            if pin.expires_at.is_some_and(|second| time_of(second) <= now) {
                self.remove_pin(&key, &pin, false, now, effects)?;
            }
        }
        Ok(())
    }

    /// Notes when a record goes away by itself.
    pub(super) fn note_expiry(&mut self, key: &PinKey, second: u64) {
        let place = Place::new(Lane::Expiry, time_of(second), key);
        self.store.put(Space::Queue, place.clone().into_bytes(), Vec::new());
        self.expiries.insert(place);
    }
}

/// A second of a record as a time.
pub(super) fn time_of(second: u64) -> Time {
    Time(second.saturating_mul(1000))
}

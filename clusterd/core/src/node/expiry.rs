//! Pins that go away by themselves.

use super::Node;
use crate::effect::Effect;
use crate::input::Time;
use crate::pinset::key::PinKey;
use crate::store::{Space, Store, StoreError};
use crate::tracker::phase::{Lane, Place};

/// Expiries carried out in one step; each is a write.
const EXPIRED_MAX: usize = 100;

/// A follower looks again so much later whether others have unpinned what has expired, in milliseconds.
const FOLLOWER_LOOKS_AFTER: u64 = 3_600_000;

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
            let is_over = pin.expires_at.is_some_and(|second| time_of(second) <= now);
            if is_over && self.config.follower {
                // Others do it; should this peer be none any more, it does what they left.
                self.note_time(&key, now.plus_millis(FOLLOWER_LOOKS_AFTER));
            } else if is_over {
                self.remove_pin(&key, &pin, false, now, effects)?;
            }
        }
        Ok(())
    }

    /// Notes when a record goes away by itself.
    pub(super) fn note_expiry(&mut self, key: &PinKey, second: u64) {
        self.note_time(key, time_of(second));
    }

    fn note_time(&mut self, key: &PinKey, time: Time) {
        let place = Place::new(Lane::Expiry, time, key);
        self.store.put(Space::Queue, place.clone().into_bytes(), Vec::new());
        self.expiries.insert(place);
    }
}

/// A second of a record as a time.
pub(super) fn time_of(second: u64) -> Time {
    Time(second.saturating_mul(1000))
}

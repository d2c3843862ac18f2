//! One walk over all pins for holders that are gone, in small steps and within the rate.

use std::collections::{BTreeMap, BTreeSet};

use common::ids::PeerId;
use common::pin::Pin;

use super::{COLLECTED_FOR, Scene};
use crate::effect::Effect;
use crate::input::Time;
use crate::node::Node;
use crate::pinset::key::PinKey;
use crate::pinset::set;
use crate::repin::{Plan, plan};
use crate::store::{Space, Store, StoreError};
use crate::tracker::goals::Origin;

/// Rows looked at in one step: some milliseconds, so that requests in between do not wait.
const STEP_ROWS: usize = 1000;
/// What could not be placed, or was left to a peer that did not do it, is looked at again after so long
/// at the earliest, in milliseconds.
const AGAIN_AFTER: u64 = 300_000;

/// One walk over all pins.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    after: Option<Vec<u8>>,
    moved: u64,
    /// Pins that too few peers can take.
    short: u64,
    /// Pins that others are elected for.
    left: u64,
}

impl<S: Store> Node<S> {
    /// One step over the pins.
    pub(super) fn sweep_gone(
        &mut self,
        mut sweep: Sweep,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        self.repin.step = now;
        let rows = self.store.scan(Space::Pins, &[], sweep.after.as_deref(), STEP_ROWS)?;
        let is_end = rows.len() < STEP_ROWS;
        let mut scene = None;
        let mut gone: BTreeMap<Vec<u8>, bool> = BTreeMap::new();
        for (key, row) in rows {
            let key = PinKey::from_stored(key);
            let parsed = set::parse_row(&key, &row)?;
            let is_concerned = parsed.allocations().any(|peer| match gone.get(peer) {
                Some(is_gone) => *is_gone,
                None => {
                    let is_gone = PeerId::decode(peer).is_ok_and(|peer| self.is_gone(&peer, now));
                    gone.insert(peer.to_vec(), is_gone);
                    is_gone
                }
            });
            if is_concerned && let Some(pin) = parsed.pin(key.as_bytes()) {
                let none = BTreeSet::new();
                let scene = scene.get_or_insert_with(|| self.scene(now, &none));
                if !self.move_pin(&key, &pin, scene, &mut sweep, now, effects)? {
                    // The rate is used up; this pin is the next one.
                    self.repin.step = self.repin.spent.max(now.plus_millis(COLLECTED_FOR));
                    self.repin.sweep = Some(sweep);
                    return Ok(());
                }
            }
            sweep.after = Some(key.as_bytes().to_vec());
        }
        if is_end {
            self.end_sweep(&sweep, now);
        } else {
            self.repin.sweep = Some(sweep);
        }
        Ok(())
    }

    /// Moves one pin if it must be moved, and by this peer; `false` when the rate does not allow it yet.
    fn move_pin(
        &mut self,
        key: &PinKey,
        pin: &Pin,
        scene: &Scene,
        sweep: &mut Sweep,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<bool, StoreError> {
        let allocations = match plan(pin, |peer| self.is_gone(peer, now), &scene.candidates) {
            Plan::Enough => return Ok(true),
            Plan::Short(_) => {
                sweep.short += 1;
                return Ok(true);
            }
            Plan::Move(allocations) => allocations,
        };
        // What an operator starts here is done here.
        let is_by_hand = pin.allocations.iter().any(|peer| self.repin.given_up.contains(peer));
        if !is_by_hand && scene.electors.elected(&pin.cid) != Some(self.config.peer) {
            sweep.left += 1;
            return Ok(true);
        }
        if !self.repin.spend(now) {
            return Ok(false);
        }
        tracing::info!(cid = %pin.cid, "pin re-allocated from a peer that is gone");
        // As in Go it counts as a new pin, which goes ahead of old failures.
        let new = Pin { allocations, created_at: now.seconds(), ..pin.clone() };
        self.put_pin(key, Some(pin), &new, Origin::Replicated, now, effects)?;
        sweep.moved += 1;
        Ok(true)
    }

    fn end_sweep(&mut self, sweep: &Sweep, now: Time) {
        let Sweep { moved, short, left, .. } = sweep;
        if *moved > 0 {
            tracing::info!(count = moved, "pins of peers that are gone are re-allocated");
        }
        if *short > 0 {
            tracing::warn!(
                count = short,
                "pins of peers that are gone have too few holders, and no other peer can take them: add peers, or space to them"
            );
        }
        let mut through = std::mem::take(&mut self.repin.given_up);
        self.repin.through.append(&mut through);
        if let Some(after) = self.repin.settings.after
            && short + left > 0
        {
            let again = now.plus_millis(after.max(AGAIN_AFTER));
            self.repin.again = Some(self.repin.again.map_or(again, |sooner| sooner.min(again)));
        }
    }
}

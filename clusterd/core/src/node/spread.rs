//! When enough peers hold a pin, by what others tell of themselves.

use std::collections::BTreeSet;

use common::ids::PeerId;
use common::pin::{Pin, PinType, Replication};

use super::Node;
use crate::effect::Effect;
use crate::input::Time;
use crate::mutant::{self, Mutant};
use crate::pinset::key::PinKey;
use crate::pinset::pin_row;
use crate::spread::{Lacking, News, PeerState, Report, suffices};
use crate::store::{Store, StoreError};
use crate::tracker::phase::{Goal, Unsettled};

/// The first ping of a member may come so late after its start, or after that of this peer, in
/// milliseconds. Source: Go's peers tell of themselves each 15 seconds.
const HEARD_LATE: u64 = 30_000;

impl<S: Store> Node<S> {
    /// A record is new, changed or gone: notes which others are not known to hold it.
    pub(super) fn note_spread(
        &mut self,
        key: &PinKey,
        (old, new): (Option<&Pin>, Option<&Pin>),
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        // A key without a record has no row.
        let had = match old {
            Some(_) => Lacking::load(&self.store, key)?,
            None => Lacking::default(),
        };
        let new = new.filter(|_| old.is_none() || !mutant::is(Mutant::SpreadForgotten));
        let lacking = new.map(|new| self.lacking_from(&had, old, new, now)).unwrap_or_default();
        lacking.save(&mut self.store, key, &had);
        if !lacking.0.is_subset(&had.0) {
            effects.push(Effect::AskOthers);
        }
        Ok(())
    }

    fn lacking_from(&self, had: &Lacking, old: Option<&Pin>, new: &Pin, now: Time) -> Lacking {
        let old = old.filter(|old| old.depth == new.depth);
        let before = old.map(|old| self.others_for(old, now)).unwrap_or_default();
        let mut lacking = self.others_for(new, now);
        lacking.retain(|peer| had.0.contains(peer) || !before.contains(peer));
        if new.replication == Replication::Everywhere {
            // Those that are silent now lack it still when they are back.
            lacking.extend(&had.0);
        }
        Lacking(lacking)
    }

    /// The other peers that shall hold a pin.
    fn others_for(&self, pin: &Pin, now: Time) -> BTreeSet<PeerId> {
        let mut peers = match (pin.kind, pin.replication) {
            (PinType::Meta, _) | (_, Replication::Unusable { .. }) => BTreeSet::new(),
            (_, Replication::Everywhere) => {
                let mut members = self.members.members(now);
                members.retain(|peer| self.counts_in(peer, now));
                members
            }
            (_, Replication::Between { .. }) => pin.allocations.iter().copied().collect(),
        };
        peers.remove(&self.config.peer);
        peers
    }

    /// [`crate::input::Input::PeerReports`].
    pub(super) fn reports(
        &mut self,
        peer: PeerId,
        reports: Vec<Report>,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        for Report { cid, news } in reports {
            let key = PinKey::from_cid(&cid);
            match news {
                News::Progress { nodes, bytes } => {
                    self.waiters.progress(&key, (nodes, bytes), effects);
                }
                News::State(state) => self.peer_state(peer, &key, state, now, effects)?,
            }
        }
        Ok(())
    }

    fn peer_state(
        &mut self,
        peer: PeerId,
        key: &PinKey,
        state: PeerState,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let old = Lacking::load(&self.store, key)?;
        let mut new = old.clone();
        match &state {
            PeerState::Held { record } if old.0.contains(&peer) => {
                if self.is_record(key, *record)? {
                    new.0.remove(&peer);
                }
            }
            PeerState::Missing { lost, .. } if !old.0.contains(&peer) => {
                if !mutant::is(Mutant::LossIgnored)
                    && self.counts_as_lost(&peer, key, *lost, now)?
                {
                    new.0.insert(peer);
                    effects.push(Effect::AskOthers);
                }
            }
            PeerState::Held { .. } | PeerState::Missing { .. } | PeerState::Unknown => {}
        }
        new.save(&mut self.store, key, &old);
        match state {
            PeerState::Held { .. } if new != old => {
                self.waiters.recovered(key, &peer);
                self.recheck_pin(key, now, effects)
            }
            PeerState::Missing { attempts, error, is_away, .. } if new.0.contains(&peer) => {
                let is_new = self.waiters.has_failed_anew(key, peer, attempts);
                if is_new || is_away {
                    self.attempt_failed(key, peer, error, now, effects)
                } else {
                    Ok(())
                }
            }
            PeerState::Held { .. } | PeerState::Missing { .. } | PeerState::Unknown => Ok(()),
        }
    }

    /// Whether our record is of this second: a peer may hold what an earlier one asked for.
    fn is_record(&self, key: &PinKey, second: u64) -> Result<bool, StoreError> {
        let pin = self.pinset.pin(&self.store, key)?;
        Ok(mutant::is(Mutant::AnyRecordHeld) || pin.is_some_and(|pin| pin.created_at == second))
    }

    /// What a new member does not hold yet of what is pinned everywhere makes no pin less pinned, unless
    /// it was a member when the pin was made, heard of here or not yet.
    fn counts_as_lost(
        &self,
        peer: &PeerId,
        key: &PinKey,
        lost: bool,
        now: Time,
    ) -> Result<bool, StoreError> {
        let Some(pin) = self.pinset.pin(&self.store, key)? else { return Ok(false) };
        if !pin_row::is_for(&pin, peer) {
            return Ok(false);
        }
        if pin.replication != Replication::Everywhere {
            return Ok(true);
        }
        let made = super::expiry::time_of(pin.created_at).plus_millis(HEARD_LATE);
        let since = self.members.member_since(peer, now).filter(|_| self.counts_in(peer, now));
        Ok(since.is_some_and(|since| lost || since <= made))
    }

    /// Whether so many hold a pin as must, and this machine's Kubo has let go of what it held before.
    pub(super) fn is_spread(&self, key: &PinKey, now: Time) -> Result<bool, StoreError> {
        let unsettled = Unsettled::load(&self.store, key)?;
        if unsettled.as_ref().is_some_and(|unsettled| unsettled.goal == Goal::Unpin) {
            return Ok(false);
        }
        self.is_held_by_enough(key, unsettled.is_some(), now)
    }

    /// Whether so many hold a pin as must. True where there is no pin.
    pub(super) fn is_held_by_enough(
        &self,
        key: &PinKey,
        own_lacks: bool,
        now: Time,
    ) -> Result<bool, StoreError> {
        let Lacking(mut lacking) = Lacking::load(&self.store, key)?;
        if own_lacks {
            lacking.insert(self.config.peer);
        }
        if lacking.is_empty() || mutant::is(Mutant::AnyHolderSuffices) {
            return Ok(!own_lacks);
        }
        let pin = self.pinset.pin(&self.store, key)?;
        Ok(pin.is_none_or(|pin| suffices(&pin, &lacking, |peer| self.counts_in(peer, now))))
    }

    /// Whether what is pinned everywhere is to be held there, too: at every member that is trusted.
    pub(super) fn counts_in(&self, peer: &PeerId, now: Time) -> bool {
        self.config.trusts(peer) && self.members.is_member(peer, now)
    }
}

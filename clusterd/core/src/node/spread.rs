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
use crate::tracker::Outcome;
use crate::tracker::phase::{Goal, Unsettled};

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
        if lacking.0.len() < had.0.len() && new.is_some() {
            self.free_local(key, now, effects)?;
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
            (_, Replication::Everywhere) => self.members.members(now),
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
                    self.waiters.tell(Outcome::Progress(key, (nodes, bytes)), effects);
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
            PeerState::Held => {
                new.0.remove(&peer);
            }
            PeerState::Missing { lost, .. } if !old.0.contains(&peer) => {
                if !mutant::is(Mutant::LossIgnored) && self.counts_as_lost(&peer, key, *lost)? {
                    new.0.insert(peer);
                    effects.push(Effect::AskOthers);
                }
            }
            PeerState::Missing { .. } | PeerState::Unknown => {}
        }
        new.save(&mut self.store, key, &old);
        match state {
            PeerState::Held if new != old => {
                self.waiters.recovered(key, &peer);
                self.free_local(key, now, effects)?;
                self.check_waiters(key, now, effects)
            }
            PeerState::Missing { error: Some(reason), .. } if new.0.contains(&peer) => {
                self.attempt_failed(key, peer, reason, now, effects)
            }
            PeerState::Held | PeerState::Missing { .. } | PeerState::Unknown => Ok(()),
        }
    }

    /// What a new member does not hold yet of what is pinned everywhere makes no pin less pinned.
    fn counts_as_lost(&self, peer: &PeerId, key: &PinKey, lost: bool) -> Result<bool, StoreError> {
        let Some(pin) = self.pinset.pin(&self.store, key)? else { return Ok(false) };
        Ok(pin_row::is_for(&pin, peer) && (lost || pin.replication != Replication::Everywhere))
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

    pub(super) fn counts_in(&self, peer: &PeerId, now: Time) -> bool {
        self.members.is_member(peer, now)
    }
}

//! Re-allocating the pins of peers that stay away: after a grace period, one elected peer for each pin, and
//! not faster than a rate. Nothing of it is on disk: what a crash cuts short is found again.

use std::collections::BTreeSet;

use common::ids::PeerId;

use super::Node;
use super::waiters::answer;
use crate::allocator::Candidate;
use crate::config::RepinConfig;
use crate::effect::{Answer, Effect};
use crate::election::Electors;
use crate::input::{Time, WaiterId};
use crate::members::FOLLOWER;
use crate::repin::View;
use crate::store::{Store, StoreError};
use sweep::Sweep;

mod sweep;

/// How often it is looked who is gone, in milliseconds; sooner where the grace period is short.
/// Source: `check_interval` of Go's monitor.
const CHECK_EVERY: u64 = 15_000;
/// A node that was not woken for so much longer, in milliseconds, has slept itself: all peers seem
/// silent to it, and their grace period begins anew.
const SLEPT_AFTER: u64 = 5_000;
/// So long a ping holds that was not heard here, in milliseconds, as this node slept or was not started yet.
/// Source: twice `monitor_ping_interval` of Go ipfs-cluster.
const PING_LIFE: u64 = 30_000;
/// Moves are collected for so long, in milliseconds, to be one block of the history.
const COLLECTED_FOR: u64 = 1000;

/// Who is gone, and how far their pins are.
#[derive(Debug)]
pub(super) struct Repin {
    settings: RepinConfig,
    /// Nobody is silent for longer than since then.
    since: Time,
    checked: Time,
    /// Peers that are gone, as the newest sweep knows.
    gone: BTreeSet<PeerId>,
    /// Peers that were given up by hand, until their pins are through.
    given_up: BTreeSet<PeerId>,
    /// Those of them whose pins went through a sweep that is not durable yet.
    through: BTreeSet<PeerId>,
    sweep: Option<Sweep>,
    /// A sweep from the first pin on is due then.
    again: Option<Time>,
    /// The rate is used up until then.
    spent: Time,
    /// The sweep goes on then.
    step: Time,
}

/// What one step works with; it is the same for all rows of it.
struct Scene {
    candidates: Vec<Candidate>,
    electors: Electors,
}

impl Repin {
    pub(super) fn new(settings: RepinConfig, now: Time) -> Self {
        let since = now.plus_millis(PING_LIFE);
        Self {
            settings,
            since,
            checked: now,
            gone: BTreeSet::new(),
            given_up: BTreeSet::new(),
            through: BTreeSet::new(),
            sweep: None,
            // Holders that were away before this peer started are in no metric.
            again: settings.after.map(|after| since.plus_millis(patience(after) + 1)),
            spent: now,
            step: now,
        }
    }

    /// After a failure: what was done may be lost, so the walk begins anew.
    pub(super) fn reset(&mut self, now: Time) {
        self.given_up.append(&mut self.through);
        // A sweep that failed, or ended in the failed batch, is none any more.
        let has_work = !self.given_up.is_empty() || !self.gone.is_empty();
        if self.sweep.take().is_some() || has_work {
            self.again = Some(now.plus_millis(super::PAUSE_AFTER_ROLLBACK));
        }
    }

    /// What the sweeps did is durable.
    pub(super) fn committed(&mut self) {
        self.through.clear();
    }

    /// When there is something to do.
    pub(super) fn next_wake(&self) -> Option<Time> {
        let step = self.sweep.as_ref().map(|_| self.step);
        let check = self.settings.after.map(|after| self.checked.plus_millis(check_every(after)));
        [step, check, self.again].into_iter().flatten().min()
    }

    /// Whether one more may be moved now. A second's worth may be moved at once.
    fn spend(&mut self, now: Time) -> bool {
        if self.spent > now {
            return false;
        }
        let each = 60_000 / u64::from(self.settings.per_minute.max(1));
        let from = self.spent.max(Time(now.0.saturating_sub(COLLECTED_FOR)));
        self.spent = from.plus_millis(each.max(1));
        true
    }
}

fn check_every(after: u64) -> u64 {
    CHECK_EVERY.min(after / 4).max(100)
}

/// A silent peer is gone after so long. A node that slept for less than can be noticed has missed pings
/// meanwhile, and must not cut the grace period short by that.
fn patience(after: u64) -> u64 {
    after.saturating_add(check_every(after) + SLEPT_AFTER)
}

impl<S: Store> Node<S> {
    /// Goes on with re-allocating, one step of it.
    pub(super) fn repin(&mut self, now: Time, effects: &mut Vec<Effect>) -> Result<(), StoreError> {
        if self.config.follower {
            return Ok(());
        }
        self.check_gone(now);
        if self.repin.again.is_some_and(|again| again <= now) {
            self.repin.again = None;
            self.repin.sweep = Some(Sweep::default());
        }
        let is_due = self.repin.step <= now;
        match self.repin.sweep.take() {
            Some(sweep) if is_due => self.sweep_gone(sweep, now, effects),
            other => {
                self.repin.sweep = other;
                Ok(())
            }
        }
    }

    /// Gives a peer up by hand: its pins go to others, whether it lives or not.
    pub(super) fn give_up(&mut self, peer: PeerId, now: Time) {
        if peer != self.config.peer && !self.config.follower {
            self.repin.given_up.insert(peer);
            self.repin.again = Some(now);
        }
    }

    /// Forgets a peer that an operator has removed. Source: `PeerRemove` of Go, which re-allocates the
    /// pins of the peer unless that is switched off.
    pub(super) fn remove_peer(&mut self, peer: PeerId, now: Time) {
        self.members.forget(&peer);
        self.repin.gone.remove(&peer);
        tracing::info!(%peer, "peer removed");
        if self.repin.settings.after.is_some() {
            self.give_up(peer, now);
        } else {
            tracing::warn!(
                %peer,
                "re-allocation is switched off: the pins of the removed peer stay allocated to it until clusterdctl repin moves them"
            );
        }
    }

    /// Tells what [`Self::give_up`] would start from.
    pub(super) fn view_repin(
        &self,
        waiter: WaiterId,
        peer: PeerId,
        now: Time,
        effects: &mut Vec<Effect>,
    ) {
        let scene = self.scene(now, &BTreeSet::from([peer]));
        let known = self.members.heard_of().copied();
        let mut gone: BTreeSet<PeerId> = known.filter(|known| self.is_gone(known, now)).collect();
        let silent = self.silent_since(&peer, now);
        let due = self.repin.settings.after.filter(|_| !self.config.follower);
        let due = silent.and_then(|silent| Some(silent.plus_millis(patience(due?))));
        gone.insert(peer);
        let Scene { candidates, electors } = scene;
        let view = Box::new(View { candidates, electors, gone, due });
        effects.push(answer(waiter, Answer::Repin(view)));
    }

    /// Since when a peer is silent, as far as is known; `None` while it is a member.
    fn silent_since(&self, peer: &PeerId, now: Time) -> Option<Time> {
        if self.members.is_member(peer, now) {
            return None;
        }
        let last = self.members.silent_since(peer, now).unwrap_or_default();
        Some(last.max(self.repin.since))
    }

    fn is_gone(&self, peer: &PeerId, now: Time) -> bool {
        let after = self.repin.settings.after;
        self.repin.given_up.contains(peer)
            || after.is_some_and(|after| self.is_silent_for(peer, patience(after), now))
    }

    fn is_silent_for(&self, peer: &PeerId, millis: u64, now: Time) -> bool {
        self.silent_since(peer, now).is_some_and(|since| since.plus_millis(millis) < now)
    }

    /// Looks who has gone, and who is back.
    fn check_gone(&mut self, now: Time) {
        let Some(after) = self.repin.settings.after else { return };
        let every = check_every(after);
        if now < self.repin.checked.plus_millis(every) {
            return;
        }
        if self.repin.checked.plus_millis(every + SLEPT_AFTER) < now {
            self.repin.since = now.plus_millis(PING_LIFE);
            self.repin.again = Some(self.repin.since.plus_millis(patience(after) + 1));
        }
        self.repin.checked = now;
        let known = self.members.heard_of().copied();
        let gone: Vec<PeerId> =
            known.filter(|peer| self.is_silent_for(peer, patience(after), now)).collect();
        for peer in gone {
            if self.repin.gone.insert(peer) {
                tracing::warn!(%peer, "a peer has been silent for longer than repin_after: its pins go to others");
                self.repin.again = Some(now);
            }
        }
        let members = &self.members;
        self.repin.gone.retain(|peer| {
            let is_back = members.is_member(peer, now);
            if is_back {
                tracing::info!(%peer, "a peer is back: none of its pins is moved any more");
            }
            !is_back
        });
    }

    /// Who can take pins, and who moves them; `without` these peers.
    fn scene(&self, now: Time, without: &BTreeSet<PeerId>) -> Scene {
        let own = self.config.peer;
        let is_elector = |peer: &PeerId| {
            // One that writes nothing must not be waited for.
            let is_follower = self.members.current(peer, FOLLOWER, now).is_some();
            *peer == own || (self.config.trusts(peer) && !is_follower)
        };
        let is_out = |peer: &PeerId| without.contains(peer) || self.is_gone(peer, now);
        let members = self.members.members(now).into_iter();
        let electors = Electors::new(members.filter(|peer| is_elector(peer) && !is_out(peer)));
        let mut candidates = self.candidates(now);
        candidates.retain(|candidate| !is_out(&candidate.peer));
        Scene { candidates, electors }
    }
}

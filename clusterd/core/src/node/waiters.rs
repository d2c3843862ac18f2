//! Those who wait until pins are held or let go.

use std::collections::{BTreeMap, BTreeSet};

use common::ids::{Cid, PeerId};

use crate::effect::{Answer, Effect, Refusal};
use crate::input::{Time, WaiterId};
use crate::pinset::key::PinKey;
use crate::tracker::phase::Goal;

/// Most requests that wait at once; each is a connection that somebody holds open.
const WAITERS_MAX: usize = 4096;

/// What a deadline means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// The request failed, though the change stays.
    Fails,
    /// The answer is given all the same; the tracker goes on.
    Suffices,
}

#[derive(Debug)]
struct Waiter {
    goal: Goal,
    patience: Patience,
    deadline: Option<Time>,
    /// What the answer names, in the client's order.
    cids: Vec<Cid>,
    /// What is not reached yet.
    missing: BTreeSet<PinKey>,
    /// Nodes and bytes by pin, and together.
    progress: BTreeMap<PinKey, (u64, u64)>,
    sum: (u64, u64),
}

/// A key that somebody waits for.
#[derive(Debug, Default)]
struct Awaited {
    by: BTreeSet<WaiterId>,
    /// Peers where an attempt to pin failed since the newest of them began to wait.
    failed: BTreeSet<PeerId>,
    /// Failed attempts at other peers when that one began to wait, as far as they were told since.
    attempts: BTreeMap<PeerId, u32>,
    /// The pin was new then: no attempt can be older.
    is_fresh: bool,
}

/// Everybody who waits, by what they wait for. Nothing of it outlives the process: whoever waited
/// asks again.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    waiters: BTreeMap<WaiterId, Waiter>,
    by_key: BTreeMap<PinKey, Awaited>,
    deadlines: BTreeSet<(Time, WaiterId)>,
}

/// One request that begins to wait.
pub(super) struct Wait {
    pub(super) waiter: WaiterId,
    pub(super) goal: Goal,
    pub(super) patience: Patience,
    pub(super) deadline: Option<Time>,
    pub(super) cids: Vec<Cid>,
    pub(super) missing: BTreeSet<PinKey>,
    /// Pins that were not there before.
    pub(super) fresh: BTreeSet<PinKey>,
}

pub(super) fn answer(waiter: WaiterId, answer: Answer) -> Effect {
    Effect::Answer { waiter, answer }
}

pub(super) fn refused(waiter: WaiterId, refusal: Refusal) -> Effect {
    answer(waiter, Answer::Refused(refusal))
}

impl Waiters {
    pub(super) fn is_full(&self) -> bool {
        self.waiters.len() >= WAITERS_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// All that somebody waits for.
    pub(super) fn keys(&self) -> Vec<PinKey> {
        self.by_key.keys().cloned().collect()
    }

    /// Notes that an attempt failed at a peer; all where one did. `None` when nobody waits.
    pub(super) fn failed(&mut self, key: &PinKey, peer: PeerId) -> Option<BTreeSet<PeerId>> {
        let awaited = self.by_key.get_mut(key)?;
        awaited.failed.insert(peer);
        Some(awaited.failed.clone())
    }

    /// Whether a peer that tells of so many failed attempts has failed since somebody began to wait.
    pub(super) fn has_failed_anew(&mut self, key: &PinKey, peer: PeerId, attempts: u32) -> bool {
        let Some(awaited) = self.by_key.get_mut(key) else { return false };
        let first = if awaited.is_fresh { 0 } else { attempts };
        attempts > *awaited.attempts.entry(peer).or_insert(first)
    }

    /// A peer holds it now, whatever failed there before.
    pub(super) fn recovered(&mut self, key: &PinKey, peer: &PeerId) {
        if let Some(awaited) = self.by_key.get_mut(key) {
            awaited.failed.remove(peer);
        }
    }

    pub(super) fn is_awaited(&self, key: &PinKey) -> bool {
        self.by_key.contains_key(key)
    }

    /// Begins to wait, or answers at once when nothing is missing.
    pub(super) fn add(&mut self, wait: Wait, effects: &mut Vec<Effect>) {
        let Wait { waiter, goal, patience, deadline, cids, missing, fresh } = wait;
        if missing.is_empty() {
            effects.push(answer(waiter, Answer::Done { cids }));
            return;
        }
        for key in &missing {
            let awaited = self.by_key.entry(key.clone()).or_default();
            awaited.by.insert(waiter);
            awaited.failed.clear();
            awaited.attempts.clear();
            awaited.is_fresh = fresh.contains(key);
        }
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, waiter));
        }
        let (progress, sum) = (BTreeMap::new(), (0, 0));
        let entry = Waiter { goal, patience, deadline, cids, missing, progress, sum };
        self.waiters.insert(waiter, entry);
    }

    pub(super) fn remove(&mut self, id: WaiterId) {
        self.take(id);
    }

    fn take(&mut self, id: WaiterId) -> Option<Waiter> {
        let waiter = self.waiters.remove(&id)?;
        for key in &waiter.missing {
            self.forget(key, id);
        }
        if let Some(deadline) = waiter.deadline {
            self.deadlines.remove(&(deadline, id));
        }
        Some(waiter)
    }

    fn forget(&mut self, key: &PinKey, id: WaiterId) {
        if let Some(awaited) = self.by_key.get_mut(key) {
            awaited.by.remove(&id);
            if awaited.by.is_empty() {
                self.by_key.remove(key);
            }
        }
    }

    fn of(&self, key: &PinKey) -> Vec<WaiterId> {
        self.by_key.get(key).into_iter().flat_map(|awaited| &awaited.by).copied().collect()
    }

    /// A pin is gone: nobody waits for it any more.
    pub(super) fn withdrawn(&mut self, key: &PinKey, effects: &mut Vec<Effect>) {
        if let Some(cid) = key.to_cid() {
            self.refuse(key, &Refusal::Withdrawn(cid), effects);
        }
    }

    /// This machine's Kubo is as it shall be; `is_pinned`: and as many peers hold the pin as must.
    pub(super) fn settled(&mut self, key: &PinKey, is_pinned: bool, effects: &mut Vec<Effect>) {
        for id in self.of(key) {
            let Some(waiter) = self.waiters.get_mut(&id) else {
                continue;
            };
            // Who waits for an unpin is content when the pin was asked for again meanwhile.
            if waiter.goal == Goal::Pin && !is_pinned {
                continue;
            }
            waiter.missing.remove(key);
            let is_done = waiter.missing.is_empty();
            self.forget(key, id);
            if is_done && let Some(waiter) = self.take(id) {
                effects.push(answer(id, Answer::Done { cids: waiter.cids }));
            }
        }
    }

    pub(super) fn refuse(&mut self, key: &PinKey, refusal: &Refusal, effects: &mut Vec<Effect>) {
        for id in self.of(key) {
            let waits_for_pin =
                self.waiters.get(&id).is_some_and(|waiter| waiter.goal == Goal::Pin);
            if waits_for_pin && self.take(id).is_some() {
                effects.push(refused(id, refusal.clone()));
            }
        }
    }

    /// So many nodes and bytes of a pin are fetched, here or elsewhere.
    pub(super) fn progress(&mut self, key: &PinKey, new: (u64, u64), effects: &mut Vec<Effect>) {
        for id in self.of(key) {
            let Some(waiter) = self.waiters.get_mut(&id) else {
                continue;
            };
            let most = waiter.progress.entry(key.clone()).or_default();
            let sum = &mut waiter.sum;
            // Of several peers that fetch it the furthest counts. A further attempt may begin lower;
            // the sum that a client sees does not fall.
            sum.0 += new.0.saturating_sub(most.0);
            sum.1 += new.1.saturating_sub(most.1);
            *most = (most.0.max(new.0), most.1.max(new.1));
            if waiter.goal == Goal::Pin {
                effects.push(answer(id, Answer::Progress { nodes: sum.0, bytes: sum.1 }));
            }
        }
    }

    /// Ends the waits whose time is over.
    pub(super) fn expire(&mut self, now: Time, effects: &mut Vec<Effect>) {
        while let Some((deadline, id)) = self.deadlines.first().copied() {
            if deadline > now {
                return;
            }
            self.deadlines.pop_first();
            let Some(waiter) = self.take(id) else {
                continue;
            };
            effects.push(match waiter.patience {
                Patience::Fails => refused(id, Refusal::DeadlineExceeded),
                Patience::Suffices => answer(id, Answer::Done { cids: waiter.cids }),
            });
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }
}

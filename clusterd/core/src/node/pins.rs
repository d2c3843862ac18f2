//! Pinning: from what a client asks for to a record, and into the pinset.

use std::collections::BTreeSet;

use common::ids::Cid;
use common::pin::{Depth, FastProvide, Pin, PinMode, PinType, Replication};

use super::Node;
use super::requests::{Ending, Past};
use super::waiters::answer;
use crate::allocator::{self, Candidate, Wish};
use crate::effect::{Answer, Effect, Refusal};
use crate::input::{PinCall, PinRequest, Time, Until, WaiterId};
use crate::pinset::key::PinKey;
use crate::pinset::pin_row;
use crate::pinset::record::encode_pin;
use crate::store::{Store, StoreError};
use crate::tracker::goals::Origin;
use crate::tracker::phase::Goal;

/// Largest record that is written. Many of them must fit a block of 1 MiB.
const RECORD_BYTES_MAX: usize = 64 << 10;

/// [`crate::input::Input::Pin`].
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) waiter: WaiterId,
    pub(super) call: Option<PinCall>,
    pub(super) pins: Vec<PinRequest>,
    pub(super) until: Until,
}

/// What was asked for is in the pinset.
struct Taken {
    keys: BTreeSet<PinKey>,
    /// Those that were not there before.
    fresh: BTreeSet<PinKey>,
    /// Whether that changed it.
    wrote: bool,
}

/// A record to be written.
struct Planned {
    key: PinKey,
    old: Option<Pin>,
    /// `None`: the record is there already with these options.
    new: Option<Pin>,
    origin: Origin,
    provide: FastProvide,
}

impl<S: Store> Node<S> {
    /// Accepts a request and answers it, or begins to wait; gives why it is refused.
    pub(super) fn try_pin(
        &mut self,
        asked: Asked,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<Option<Refusal>, StoreError> {
        let Asked { waiter, call, pins, until } = asked;
        if self.waiters.is_full() && until != Until::Accepted {
            return Ok(Some(Refusal::TooManyWaiters));
        }
        let cids: Vec<Cid> = pins.iter().map(|request| request.cid).collect();
        let was_done = match call {
            Some(call) => call.accepted || self.requests.past(&self.store, call.id)?.is_some(),
            None => false,
        };
        let taken = match was_done {
            true => self.take_up(&cids, now, effects)?,
            false => self.pin_all(pins, now, effects)?,
        };
        let Taken { keys, fresh, wrote } = match taken {
            Ok(taken) => taken,
            Err(refusal) => return Ok(Some(refusal)),
        };
        // The same pin again writes nothing, not even this.
        if let Some(call) = call.filter(|_| wrote) {
            let past = Past { done: cids.len(), ending: Ending::Done };
            self.requests.remember(&mut self.store, call.id, past, now)?;
        }
        match until {
            Until::Accepted => effects.push(answer(waiter, Answer::Done { cids })),
            Until::Done { deadline } => {
                if call.is_some() {
                    effects.push(answer(waiter, Answer::Progress { nodes: 0, bytes: 0 }));
                }
                self.wait(waiter, Goal::Pin, deadline, (cids, keys, fresh), now, effects)?;
            }
        }
        Ok(None)
    }

    /// Accepts all or, on a refusal, none.
    fn pin_all(
        &mut self,
        requests: Vec<PinRequest>,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<Result<Taken, Refusal>, StoreError> {
        let mut plan = Vec::with_capacity(requests.len());
        for request in last_of_each(requests) {
            match self.plan(request, now)? {
                Ok(planned) => plan.push(planned),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        let mut taken = Taken { keys: BTreeSet::new(), fresh: BTreeSet::new(), wrote: false };
        for planned in plan {
            taken.keys.insert(planned.key.clone());
            if planned.old.is_none() {
                taken.fresh.insert(planned.key.clone());
            }
            taken.wrote |= planned.new.is_some();
            self.carry_out(planned, now, effects)?;
        }
        Ok(Ok(taken))
    }

    /// What an earlier call has pinned has its turn now; what is no longer pinned was withdrawn.
    fn take_up(
        &mut self,
        cids: &[Cid],
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<Result<Taken, Refusal>, StoreError> {
        let mut keys = BTreeSet::new();
        for cid in cids {
            let key = PinKey::from_cid(cid);
            if self.pinset.pin(&self.store, &key)?.is_none() {
                return Ok(Err(Refusal::Withdrawn(*cid)));
            }
            keys.insert(key);
        }
        for key in &keys {
            self.work(now, effects, |tracker, work| tracker.recover(work, key).map(|_| ()))?;
        }
        Ok(Ok(Taken { keys, fresh: BTreeSet::new(), wrote: false }))
    }

    fn carry_out(
        &mut self,
        planned: Planned,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let Planned { key, old, new, origin, provide } = planned;
        self.tracker.wish(&key, provide);
        match (new, old) {
            (Some(new), old) => self.put_pin(&key, old.as_ref(), &new, origin, now, effects),
            (None, Some(old)) => self.pin_again(&key, &old, origin, now, effects),
            (None, None) => Ok(()),
        }
    }

    /// Writes a record and lets the tracker bring Kubo to it.
    pub(super) fn put_pin(
        &mut self,
        key: &PinKey,
        old: Option<&Pin>,
        new: &Pin,
        origin: Origin,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        self.pinset.put_pin(&mut self.store, new)?;
        if old.is_none() {
            self.counts.pins += 1;
        }
        if let Some(second) = new.expires_at {
            self.note_expiry(key, second);
        }
        self.note_spread(key, (old, Some(new)), now, effects)?;
        let peer = self.config.peer;
        let held = old.filter(|old| pin_row::is_for(old, &peer));
        // What Kubo was given here for others to hold stays until they do.
        let is_local = origin == Origin::Added;
        let is_needed = is_local && !self.is_held_by_enough(key, false, now)?;
        self.work(now, effects, |tracker, work| match (pin_row::is_for(new, &peer), held) {
            (true, held) => tracker.want(work, key, new, held, origin),
            (false, Some(held)) => tracker.let_go(work, key, held, is_needed),
            (false, None) if is_local => tracker.let_go(work, key, new, is_needed),
            (false, None) => Ok(()),
        })?;
        if old.is_some() { self.recheck_pin(key, now, effects) } else { Ok(()) }
    }

    /// The record that a request leads to, or why there is none.
    fn plan(&self, request: PinRequest, now: Time) -> Result<Result<Planned, Refusal>, StoreError> {
        let key = PinKey::from_cid(&request.cid);
        let old = self.pinset.pin(&self.store, &key)?;
        if let Some(refusal) = forbidden(&request, old.as_ref(), now) {
            return Ok(Err(refusal));
        }
        let origin = if request.local { Origin::Added } else { Origin::Asked };
        let provide = request.provide;
        let mut new = match request.update_from {
            Some(from) if from != request.cid => {
                let source = self.pinset.pin(&self.store, &PinKey::from_cid(&from))?;
                let Some(source) = source.filter(|source| source.kind == PinType::Data) else {
                    return Ok(Err(Refusal::NotPinned));
                };
                updated(source, request, now)
            }
            Some(_) | None => match self.allocated(request, old.as_ref(), now) {
                Ok(new) => new,
                Err(refusal) => return Ok(Err(refusal)),
            },
        };
        if encode_pin(&new).len() > RECORD_BYTES_MAX {
            return Ok(Err(Refusal::RecordTooLarge { cid: new.cid, max: RECORD_BYTES_MAX }));
        }
        let is_same = old.as_ref().is_some_and(|old| {
            new.created_at = old.created_at;
            *old == new
        });
        new.created_at = now.seconds();
        Ok(Ok(Planned { key, old, new: (!is_same).then_some(new), origin, provide }))
    }

    /// The peers that can take pins, and may. One that is alone has no choice, whatever its metrics say.
    pub(super) fn candidates(&self, now: Time) -> Vec<Candidate> {
        let own = self.config.peer;
        let mut candidates = match self.members.members(now).len() {
            1 => vec![Candidate { peer: own, metrics: Vec::new() }],
            _ => self.members.candidates(&self.config.allocate_by, now),
        };
        candidates.retain(|candidate| self.config.eligible.admits(&candidate.peer));
        candidates
    }

    /// The record of an ordinary request, with its allocations.
    fn allocated(&self, request: PinRequest, old: Option<&Pin>, now: Time) -> Result<Pin, Refusal> {
        let replication = request.replication.unwrap_or(self.config.replication);
        let mut preferred = request.user_allocations;
        // Peers that the client named go ahead of the one that has the content, as in Go.
        let has_room = match replication {
            Replication::Between { max, .. } => usize::from(max.get()) > preferred.len(),
            Replication::Everywhere | Replication::Unusable { .. } => true,
        };
        if request.local && has_room {
            preferred.insert(0, self.config.peer);
        }
        let wish = Wish {
            replication,
            current: old.map(|old| old.allocations.as_slice()).unwrap_or_default(),
            preferred: &preferred,
        };
        let candidates = self.candidates(now);
        let allocations = allocator::allocate(&wish, &candidates).map_err(|short| {
            let (needed, found) = (short.needed, short.found);
            Refusal::NotEnoughPeers { cid: request.cid, needed, found }
        })?;
        Ok(Pin {
            depth: Depth::from(request.mode),
            name: request.name.unwrap_or_default(),
            allocations,
            metadata: request.metadata,
            origins: request.origins,
            expires_at: request.expires_at,
            // Which pin it once replaced does not change with other options.
            update_from: old.and_then(|old| old.update_from),
            ..Pin::new(request.cid, replication, now.seconds())
        })
    }
}

/// Of requests for one CID the last counts, as if they had come one after another.
fn last_of_each(mut requests: Vec<PinRequest>) -> Vec<PinRequest> {
    let mut seen = BTreeSet::new();
    requests.reverse();
    requests.retain(|request| seen.insert(request.cid));
    requests.reverse();
    requests
}

/// A copy of a pin for another CID, whose blocks it shares.
fn updated(source: Pin, request: PinRequest, now: Time) -> Pin {
    Pin {
        cid: request.cid,
        update_from: Some(source.cid),
        name: request.name.unwrap_or(source.name),
        expires_at: request.expires_at.or(source.expires_at),
        created_at: now.seconds(),
        ..source
    }
}

fn forbidden(request: &PinRequest, old: Option<&Pin>, now: Time) -> Option<Refusal> {
    if request.expires_at.is_some_and(|second| second <= now.seconds()) {
        return Some(Refusal::ExpiredAlready);
    }
    let old = old?;
    if old.kind != PinType::Data {
        return Some(Refusal::PartOfShard(request.cid));
    }
    let narrows = request.mode == PinMode::Direct && old.depth != Depth::Direct;
    narrows.then_some(Refusal::AlreadyRecursive(request.cid))
}

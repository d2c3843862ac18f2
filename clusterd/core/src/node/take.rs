//! Hands each input to who takes it.

use super::waiters::refused;
use super::{Node, pins, unpins};
use crate::effect::{Effect, Refusal};
use crate::input::{Input, Time, WaiterId};
use crate::store::{Store, StoreError};

impl<S: Store> Node<S> {
    pub(super) fn take(
        &mut self,
        input: Input,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        if self.config.follower
            && let Some(waiter) = change_of_client(&input)
        {
            effects.push(refused(waiter, Refusal::Follower));
            return Ok(());
        }
        if let Some(ring) = self.ring.clone()
            && let Some(waiter) = new_pin(&input)
            && !self.is_repeated(&input)?
        {
            effects.push(refused(waiter, Refusal::Ring { ring }));
            return Ok(());
        }
        if let Input::RepinView { waiter, peer } = input {
            self.view_repin(waiter, peer, now, effects);
        } else if let Input::Repin { peer } = input {
            self.give_up(peer, now);
        } else if let Input::Ring { ring } = input {
            self.ring = ring;
        } else if let Input::Below { unsettled, is_doubtful } = input {
            let comes = unsettled.is_some_and(|unsettled| self.counts.to_pin() > unsettled);
            if comes || is_doubtful {
                self.tracker.audit.hurry(now);
            }
        } else if let Input::PeerRemoved { peer } = input {
            self.remove_peer(peer, now);
        } else if let Input::WaiterGone { waiter } = input {
            self.waiters.remove(waiter);
            self.forget_early(waiter);
        } else {
            return self.take_other(input, now, effects);
        }
        Ok(())
    }

    fn take_other(
        &mut self,
        input: Input,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        match input {
            Input::Pin { waiter, call, pins, until } => {
                self.pin(pins::Asked { waiter, call, pins, until }, now, effects)
            }
            Input::Unpin { waiter, request, cids, recursive, until } => {
                let unpin = unpins::Unpin { waiter, request, cids, recursive, until };
                self.unpin(unpin, now, effects)
            }
            Input::Update { waiter, request, from, to, unpin, name, provide, until } => {
                let update =
                    unpins::Update { waiter, request, from, to, unpin, name, provide, until };
                self.update(update, now, effects)
            }
            Input::Import { waiter, pins } => self.import(waiter, pins, now, effects),
            Input::Recover { waiter, cid } => self.recover(waiter, cid, now, effects),
            Input::Status { waiter, cid } => self.status(waiter, cid, effects),
            Input::Operations { waiter } => self.asked(waiter, Self::operations, effects),
            Input::History { waiter } => self.asked(waiter, Self::history, effects),
            Input::Members { waiter } => self.asked(waiter, Self::show_members, effects),
            Input::Metric(metric) => {
                self.metric(metric);
                Ok(())
            }
            Input::IpfsProgress { op, nodes, bytes } => self.work(now, effects, |tracker, work| {
                tracker.progress(work, op, (nodes, bytes));
                Ok(())
            }),
            Input::IpfsEnded { op, outcome } => {
                self.work(now, effects, |tracker, work| tracker.ended(work, op, outcome))
            }
            Input::IpfsProbed { alive } => {
                self.work(now, effects, |tracker, work| tracker.probed(work, alive))
            }
            Input::Audited { held } => {
                self.work(now, effects, |tracker, work| tracker.audited(work, &held))
            }
            Input::AuditEnded { complete } => {
                self.tracker.audit.read(complete, now);
                Ok(())
            }
            Input::HeadsSeen { heads, asked } => self.heads_seen(&heads, asked),
            Input::BlockFetched { id, bytes } => self.block_fetched(id, &bytes, now, effects),
            Input::BlockFailed { id } => self.block_failed(id, now, effects),
            Input::PeerCame => {
                self.walk.peer_came();
                Ok(())
            }
            Input::PeerReports { peer, reports } => self.reports(peer, reports, now, effects),
            Input::Tick
            | Input::WaiterGone { .. }
            | Input::RepinView { .. }
            | Input::Repin { .. }
            | Input::PeerRemoved { .. }
            | Input::Ring { .. }
            | Input::Below { .. } => Ok(()),
        }
    }

    /// Whether a call finds its own work done, and only waits.
    fn is_repeated(&self, input: &Input) -> Result<bool, StoreError> {
        let request = if let Input::Pin { call, .. } = input {
            if call.as_ref().is_some_and(|call| call.accepted) {
                return Ok(true);
            }
            call.as_ref().map(|call| call.id)
        } else if let Input::Update { request, .. } = input {
            *request
        } else {
            None
        };
        let past = request.map(|id| self.requests.past(&self.store, id)).transpose()?;
        Ok(past.flatten().is_some())
    }

    /// A question that memory answers.
    fn asked(
        &self,
        waiter: WaiterId,
        answer: fn(&Self, WaiterId, &mut Vec<Effect>),
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        answer(self, waiter, effects);
        Ok(())
    }
}

/// Who waits for a change of the pinset; `None` when the input is none.
pub(super) fn change_of_client(input: &Input) -> Option<WaiterId> {
    if let Input::Pin { waiter, .. }
    | Input::Unpin { waiter, .. }
    | Input::Update { waiter, .. }
    | Input::Import { waiter, .. } = input
    {
        return Some(*waiter);
    }
    None
}

/// Who waits for a new pin; `None` when the input asks for none.
fn new_pin(input: &Input) -> Option<WaiterId> {
    if let Input::Pin { waiter, .. } | Input::Update { waiter, .. } | Input::Import { waiter, .. } =
        input
    {
        return Some(*waiter);
    }
    None
}

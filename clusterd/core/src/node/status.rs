//! Telling how far a pin is, and what runs.

use common::ids::Cid;
use common::pin::PinType;
use common::status::PinStatus;

use super::Node;
use super::waiters::answer;
use crate::effect::{Answer, Effect, PeerPinStatus};
use crate::input::{Time, WaiterId};
use crate::pinset::key::PinKey;
use crate::pinset::pin_row;
use crate::store::{Store, StoreError};
use crate::tracker::Tracker;
use crate::tracker::ops::Running;
use crate::tracker::phase::{Goal, Unsettled};

impl<S: Store> Node<S> {
    pub(super) fn status(
        &mut self,
        waiter: WaiterId,
        cid: Cid,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let key = PinKey::from_cid(&cid);
        let pin = self.pinset.pin(&self.store, &key)?;
        let unsettled = Unsettled::load(&self.store, &key)?;
        let settled = match &pin {
            None => PinStatus::Unpinned,
            Some(pin) if pin.kind == PinType::Meta => PinStatus::Sharded,
            Some(pin) if pin_row::is_for(pin, &self.config.peer) => PinStatus::Pinned,
            Some(_) => PinStatus::Remote,
        };
        let status = match (self.tracker.ops.of(&key), unsettled) {
            (Some((_, running)), unsettled) => self.running(running, unsettled.as_ref()),
            (None, Some(unsettled)) => self.waiting(&unsettled),
            (None, None) => {
                let since =
                    pin.as_ref().map_or(Time(0), |pin| super::expiry::time_of(pin.created_at));
                PeerPinStatus { since, ..self.at_rest(settled) }
            }
        };
        let answer_ = Answer::Status { pin: pin.map(Box::new), peers: vec![status] };
        effects.push(answer(waiter, answer_));
        Ok(())
    }

    pub(super) fn operations(&self, waiter: WaiterId, effects: &mut Vec<Effect>) {
        let running: Vec<_> =
            self.tracker.ops.iter().map(|(_, op)| (op.cid, self.running(op, None))).collect();
        let away = self.ipfs_away().map(|(since, words)| (since, words.to_owned()));
        let waiting = self.counts.unsettled().saturating_sub(running.len() as u64);
        effects.push(answer(waiter, Answer::Operations { running, waiting, away }));
    }

    pub(super) fn history(&self, waiter: WaiterId, effects: &mut Vec<Effect>) {
        let progress = self.walk.progress();
        let (fetching, missing) = (progress.fetching as u64, progress.failed as u64);
        let heads = self.pinset.heads().iter().collect();
        effects.push(answer(waiter, Answer::History { heads, fetching, missing }));
    }

    fn at_rest(&self, status: PinStatus) -> PeerPinStatus {
        PeerPinStatus {
            peer: self.config.peer,
            status,
            since: Time(0),
            error: String::new(),
            attempts: 0,
            priority: false,
            progress: None,
        }
    }

    fn running(&self, op: &Running, unsettled: Option<&Unsettled>) -> PeerPinStatus {
        PeerPinStatus {
            since: op.since,
            error: unsettled.map(|unsettled| unsettled.error.clone()).unwrap_or_default(),
            attempts: op.attempts,
            priority: op.attempts == 0,
            progress: (op.goal == Goal::Pin).then_some(op.progress),
            ..self.at_rest(Tracker::running_status(op.goal))
        }
    }

    /// While Kubo is away a waiting pin shows why nothing happens.
    fn waiting(&self, unsettled: &Unsettled) -> PeerPinStatus {
        let away = self.ipfs_away().map(|(_, words)| words);
        let status = match (unsettled.goal, away) {
            (Goal::Pin, Some(_)) => PinStatus::PinError,
            (Goal::Unpin, Some(_)) => PinStatus::UnpinError,
            (Goal::Pin | Goal::Unpin, None) => unsettled.status(),
        };
        PeerPinStatus {
            since: unsettled.since,
            error: away.unwrap_or(&unsettled.error).to_owned(),
            attempts: unsettled.attempts,
            priority: unsettled.attempts == 0,
            ..self.at_rest(status)
        }
    }
}

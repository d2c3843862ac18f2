//! Metrics of the peers as they come and run out.

use super::{Node, waiters};
use crate::effect::{Answer, Effect};
use crate::input::{Time, WaiterId};
use crate::members::Metric;
use crate::store::Store;

impl<S: Store> Node<S> {
    pub(super) fn metric(&mut self, metric: Metric) {
        let peer = metric.peer;
        if !self.members.take(metric) {
            tracing::debug!(%peer, "a metric is too large or one too many");
        }
    }

    /// Keeps an alert of each metric that ran out.
    pub(super) fn check_members(&mut self, now: Time) {
        for alert in self.members.check(now) {
            let (peer, name) = (alert.metric.peer, alert.metric.name);
            tracing::debug!(%peer, name, "a metric ran out");
        }
    }

    pub(super) fn show_members(&self, waiter: WaiterId, effects: &mut Vec<Effect>) {
        let members = Box::new(self.members.clone());
        effects.push(waiters::answer(waiter, Answer::Members(members)));
    }
}

//! What a caller of `pin/add` has been told so far, so that progress never falls and ends whole.

use std::time::Duration;

use common::api::proxy::PinAddEvent;
use common::ids::Cid;
use tokio::time::{MissedTickBehavior, interval};

use super::super::door::Progress;
use super::super::reply::{Gone, Lines};
use super::super::room::Room;
use super::Deadline;

/// While a DAG is walked: how often it is looked whether the caller is still there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The answer, and what of it is out.
pub(super) struct Told<'a> {
    lines: &'a mut Lines,
    accepted: bool,
    /// Of parts that are over.
    before: Progress,
    /// All together.
    sum: Progress,
}

impl<'a> Told<'a> {
    pub(super) fn new(lines: &'a mut Lines) -> Self {
        Self { lines, accepted: false, before: (0, 0), sum: (0, 0) }
    }

    /// Whether no progress was told.
    pub(super) fn nothing(&self) -> bool {
        self.sum == (0, 0)
    }

    /// Tells, once, that all pins are accepted.
    pub(super) async fn accepted(&mut self) -> Result<(), Gone> {
        if std::mem::replace(&mut self.accepted, true) {
            return Ok(());
        }
        self.lines.json(&PinAddEvent::Accepted).await
    }

    /// Tells how far the part under way is, if that is news.
    pub(super) async fn progress(&mut self, part: Progress) -> Result<(), Gone> {
        self.at_least((self.before.0 + part.0, self.before.1 + part.1)).await
    }

    /// What follows counts from here.
    pub(super) fn next_part(&mut self) {
        self.before = self.sum;
    }

    /// Counts what Kubo holds of these DAGs, as its own pin does when it finds all there. A DAG that
    /// cannot be counted is left out: it is pinned all the same.
    pub(super) async fn walk(
        &mut self,
        room: &Room,
        cids: &[Cid],
        deadline: Deadline,
    ) -> Result<(), Gone> {
        let mut walked = (0, 0);
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for cid in cids {
            let size = room.kubo.dag_size(*cid, deadline.left());
            tokio::pin!(size);
            let size = loop {
                tokio::select! {
                    biased;
                    size = &mut size => break size,
                    _ = looks.tick() => self.lines.json(&self.event()).await?,
                }
            };
            if let Ok((nodes, bytes)) = size {
                walked = (walked.0 + nodes, walked.1 + bytes);
            }
        }
        self.at_least(walked).await
    }

    async fn at_least(&mut self, sum: Progress) -> Result<(), Gone> {
        let sum = (self.sum.0.max(sum.0), self.sum.1.max(sum.1));
        if sum == self.sum {
            return Ok(());
        }
        self.sum = sum;
        self.lines.json(&self.event()).await
    }

    fn event(&self) -> PinAddEvent {
        PinAddEvent::Progress { nodes: self.sum.0, bytes: self.sum.1 }
    }
}

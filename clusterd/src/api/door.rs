//! The way to the node: inputs go in through a bounded queue, answers come back to who waits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clusterd_core::effect::Answer;
use clusterd_core::input::{Input, Time, WaiterId};
use common::api::error::{ApiError, ErrorCode};
use tokio::sync::{mpsc, oneshot, watch};

/// Nodes and bytes fetched so far.
pub type Progress = (u64, u64);

/// The final answer, or why there is none.
pub type Outcome = Result<Answer, ApiError>;

/// Sends inputs to the node. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    inputs: mpsc::Sender<Input>,
    waiters: Arc<Waiters>,
    clock: fn() -> Time,
}

/// Everybody who waits for an answer.
#[derive(Default)]
pub struct Waiters {
    drawn: AtomicU64,
    waiting: Mutex<HashMap<WaiterId, Waiter>>,
}

struct Waiter {
    last: oneshot::Sender<Outcome>,
    progress: watch::Sender<Progress>,
    /// The node knows of it; before that it stands in the queue.
    is_known: bool,
}

/// One who waits. Dropping it tells the node that nobody waits any more.
pub struct Wait {
    id: WaiterId,
    last: oneshot::Receiver<Outcome>,
    progress: watch::Receiver<Progress>,
    door: Door,
    over: bool,
}

/// What a wait brings.
#[derive(Debug)]
pub enum News {
    /// So much is fetched.
    Progress(Progress),
    /// It is over.
    Over(Outcome),
    /// The node no longer knows of the wait: what was asked may be asked again.
    Lost,
}

impl Door {
    /// A door to the node behind a queue, with the clock of its owner.
    pub fn new(inputs: mpsc::Sender<Input>, waiters: Arc<Waiters>, clock: fn() -> Time) -> Self {
        Self { inputs, waiters, clock }
    }

    /// The time as the node sees it.
    #[must_use]
    pub fn now(&self) -> Time {
        (self.clock)()
    }

    /// Puts a question to the node. Waits while its queue is full. Cancel-safe.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn ask(&self, question: impl FnOnce(WaiterId) -> Input) -> Result<Wait, ApiError> {
        let (id, last, progress) = self.waiters.enter();
        let wait = Wait { id, last, progress, door: self.clone(), over: false };
        self.inputs.send(question(id)).await.map_err(|_| stopped())?;
        Ok(wait)
    }

    /// Tells the node something that has no answer. Waits while its queue is full.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn tell(&self, input: Input) -> Result<(), ApiError> {
        self.inputs.send(input).await.map_err(|_| stopped())
    }

    /// Puts a question and waits for its one answer.
    ///
    /// # Errors
    /// When the node has stopped, or the store failed.
    pub async fn answer(&self, question: impl FnOnce(WaiterId) -> Input) -> Outcome {
        self.ask(question).await?.outcome().await
    }
}

impl Waiters {
    fn enter(&self) -> (WaiterId, oneshot::Receiver<Outcome>, watch::Receiver<Progress>) {
        let id = WaiterId(self.drawn.fetch_add(1, Ordering::Relaxed));
        let (last, outcome) = oneshot::channel();
        let (progress, seen) = watch::channel((0, 0));
        self.waiting().insert(id, Waiter { last, progress, is_known: false });
        (id, outcome, seen)
    }

    /// Hands an answer on; one for somebody who left is dropped.
    pub fn tell(&self, id: WaiterId, answer: Answer) {
        if let Answer::Progress { nodes, bytes } = answer {
            if let Some(waiter) = self.waiting().get(&id) {
                waiter.progress.send_replace((nodes, bytes));
            }
        } else {
            self.finish(id, Ok(answer));
        }
    }

    /// Ends a wait without the node's answer.
    pub fn finish(&self, id: WaiterId, outcome: Outcome) {
        if let Some(waiter) = self.waiting().remove(&id) {
            // An error means that nobody waits any more.
            drop(waiter.last.send(outcome));
        }
    }

    /// Notes that the node gets to know of these.
    pub fn introduce(&self, ids: &[WaiterId]) {
        let mut waiting = self.waiting();
        for id in ids {
            if let Some(waiter) = waiting.get_mut(id) {
                waiter.is_known = true;
            }
        }
    }

    /// Forgets all that the node knew of, as it no longer does; they may ask again.
    pub fn forget_known(&self) {
        self.waiting().retain(|_, waiter| !waiter.is_known);
    }

    /// Forgets everybody: the node is gone.
    pub fn forget_all(&self) {
        self.waiting().clear();
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<WaiterId, Waiter>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wait {
    /// Waits for the final answer. Cancel-safe.
    ///
    /// # Errors
    /// When the node has stopped, or the store failed.
    pub async fn outcome(mut self) -> Outcome {
        let outcome = (&mut self.last).await;
        self.over = true;
        outcome.unwrap_or_else(|_| Err(stopped()))
    }

    /// Waits for progress or the final answer, which is the last news. Cancel-safe.
    pub async fn news(&mut self) -> News {
        let outcome = tokio::select! {
            // Both may have come since the last look, and Kubo tells the last progress first.
            biased;
            Ok(()) = self.progress.changed() => {
                return News::Progress(*self.progress.borrow_and_update());
            }
            outcome = &mut self.last => outcome,
        };
        self.over = true;
        outcome.map_or(News::Lost, News::Over)
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        self.door.waiters.waiting().remove(&self.id);
        // With a full queue the node learns it with the final answer, which then finds nobody.
        drop(self.door.inputs.try_send(Input::WaiterGone { waiter: self.id }));
    }
}

fn stopped() -> ApiError {
    ApiError::new(ErrorCode::Busy, "clusterd is stopping; try again")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door() -> (Door, mpsc::Receiver<Input>) {
        let (inputs, queue) = mpsc::channel(1);
        (Door::new(inputs, Arc::default(), || Time(1)), queue)
    }

    fn asked(input: Option<Input>) -> WaiterId {
        match input {
            Some(Input::Operations { waiter }) => waiter,
            other => panic!("not the question: {other:?}"),
        }
    }

    #[tokio::test]
    async fn progress_is_told_before_the_last_answer() {
        let (door, mut queue) = door();
        let mut wait = door.ask(|waiter| Input::Operations { waiter }).await.unwrap();
        let id = asked(queue.recv().await);
        door.waiters.tell(id, Answer::Progress { nodes: 1, bytes: 2 });
        assert!(matches!(wait.news().await, News::Progress((1, 2))));
        door.waiters.tell(id, Answer::Progress { nodes: 2, bytes: 3 });
        door.waiters.tell(id, Answer::Done { cids: Vec::new() });
        assert!(matches!(wait.news().await, News::Progress((2, 3))));
        assert!(matches!(wait.news().await, News::Over(Ok(Answer::Done { .. }))));
        drop(wait);
        assert!(queue.try_recv().is_err(), "a wait that is over is not given up");
    }

    #[tokio::test]
    async fn the_node_is_told_of_those_who_leave() {
        let (door, mut queue) = door();
        let wait = door.ask(|waiter| Input::Operations { waiter }).await.unwrap();
        let id = asked(queue.recv().await);
        drop(wait);
        assert_eq!(queue.recv().await, Some(Input::WaiterGone { waiter: id }));
        assert!(door.waiters.waiting().is_empty());
    }

    #[tokio::test]
    async fn only_those_that_the_node_knew_are_forgotten_with_it() {
        let (door, mut queue) = door();
        let mut known = door.ask(|waiter| Input::Operations { waiter }).await.unwrap();
        door.waiters.introduce(&[asked(queue.recv().await)]);
        let queued = door.ask(|waiter| Input::Operations { waiter }).await.unwrap();
        door.waiters.forget_known();
        assert!(matches!(known.news().await, News::Lost));
        door.waiters.tell(asked(queue.recv().await), Answer::Recovering { pins: 0 });
        assert!(queued.outcome().await.is_ok());
    }
}

//! Garbage of the Kubo beside us: one collection at a time, and none while fresh blocks have no pin yet.

use std::time::{Duration, Instant};

use common::api::error::{ApiError, ErrorCode};
use common::api::repo::{RepoGc, RepoGcKey};
use common::api::time::WireTime;
use tokio::sync::{MutexGuard, mpsc, watch};

use super::kubo::Collected;
use super::room::Room;
use crate::clock;

/// When Kubo was last given blocks without a pin, as far as is known. Whoever puts blocks one by one pins
/// them at the end, and until then they look like garbage.
pub struct Unpinned {
    hold_off: Duration,
    last: watch::Sender<Option<Instant>>,
}

impl Unpinned {
    /// None so far; each will hold collections off for so long, zero for not at all.
    #[must_use]
    pub fn new(hold_off: Duration) -> Self {
        Self { hold_off, last: watch::Sender::new(None) }
    }

    /// Kubo is given blocks without a pin now.
    pub fn note(&self) {
        if !self.hold_off.is_zero() {
            self.last.send_replace(Some(Instant::now()));
        }
    }

    /// How long collections must still wait.
    fn left(&self) -> Option<Duration> {
        let since = (*self.last.borrow())?.elapsed();
        self.hold_off.checked_sub(since).filter(|left| !left.is_zero())
    }

    /// Why there is no collection now, if there is none.
    fn refusal(&self) -> Option<ApiError> {
        let left = u64::try_from(self.left()?.as_millis()).unwrap_or(u64::MAX);
        // Whole seconds, rounded up: at that time it can be done.
        let until =
            WireTime::from_seconds(clock::now().plus_millis(left.saturating_add(999)).seconds());
        let words = format!(
            "blocks were put here without a pin, which may still come: no garbage is collected until {until}"
        );
        Some(ApiError::new(ErrorCode::Conflict, words))
    }
}

/// A collection under way. Dropping it ends it in Kubo.
pub(super) struct Collection<'a> {
    steps: mpsc::Receiver<Result<Collected, ApiError>>,
    unpinned: &'a Unpinned,
    noted: watch::Receiver<Option<Instant>>,
    _alone: MutexGuard<'a, ()>,
}

impl Collection<'_> {
    /// The next step; `None` at the end. Blocks that come without a pin meanwhile end it with an error.
    pub(super) async fn next(&mut self) -> Option<Result<Collected, ApiError>> {
        tokio::select! {
            biased;
            Ok(()) = self.noted.changed(), if !self.steps.is_closed() => {
                self.steps.close();
                while self.steps.try_recv().is_ok() {}
                self.unpinned.refusal().map(Err)
            }
            step = self.steps.recv() => step,
        }
    }
}

impl Room {
    /// Starts a collection once no other runs here.
    ///
    /// # Errors
    /// When fresh blocks must be spared; until when stands in the words.
    pub(super) async fn collection(&self) -> Result<Collection<'_>, ApiError> {
        let alone = self.collecting.lock().await;
        let noted = self.unpinned.last.subscribe();
        match self.unpinned.refusal() {
            Some(refusal) => Err(refusal),
            None => {
                let (steps, unpinned) = (self.kubo.collect(), &self.unpinned);
                Ok(Collection { steps, unpinned, noted, _alone: alone })
            }
        }
    }

    /// Collects the garbage of the Kubo beside us.
    pub async fn collect_here(&self) -> RepoGc {
        let mut gc = RepoGc {
            peer: self.me.peer,
            peername: self.me.peername.clone(),
            keys: Vec::new(),
            error: String::new(),
        };
        let mut collection = match self.collection().await {
            Ok(collection) => collection,
            Err(error) => return RepoGc { error: error.message, ..gc },
        };
        while let Some(step) = collection.next().await {
            match step {
                Ok(Ok(cid)) => gc.keys.push(RepoGcKey { key: Some(cid), error: String::new() }),
                Ok(Err(error)) => gc.keys.push(RepoGcKey { key: None, error }),
                Err(error) => gc.error = error.message,
            }
        }
        gc
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_without_a_pin_hold_collections_off_for_a_while() {
        let unpinned = Unpinned::new(Duration::from_secs(600));
        assert_eq!(unpinned.refusal(), None);
        unpinned.note();
        let words = unpinned.refusal().unwrap().message;
        let until: u64 = clock::now().seconds() + 600;
        let is_named = |second| words.contains(&WireTime::from_seconds(second).to_string());
        // The clock may have gone on since.
        assert!((until - 2..=until + 2).any(is_named), "{words}");
        unpinned.last.send_replace(Instant::now().checked_sub(Duration::from_secs(599)));
        assert!(unpinned.refusal().is_some());
        unpinned.last.send_replace(Instant::now().checked_sub(Duration::from_secs(600)));
        assert_eq!(unpinned.refusal(), None);
    }

    #[test]
    fn without_a_time_nothing_is_held_off() {
        let unpinned = Unpinned::new(Duration::ZERO);
        unpinned.note();
        assert_eq!((unpinned.left(), *unpinned.last.borrow()), (None, None));
    }

    #[tokio::test]
    async fn a_block_without_a_pin_ends_a_collection_that_runs() {
        let unpinned = Unpinned::new(Duration::from_secs(600));
        let (to, steps) = mpsc::channel(4);
        let alone = tokio::sync::Mutex::new(());
        let noted = unpinned.last.subscribe();
        let mut collection =
            Collection { steps, unpinned: &unpinned, noted, _alone: alone.lock().await };
        to.send(Ok(Err("locked".to_owned()))).await.unwrap();
        assert_eq!(collection.next().await, Some(Ok(Err("locked".to_owned()))));
        to.send(Ok(Err("not seen".to_owned()))).await.unwrap();
        unpinned.note();
        let ended = collection.next().await.unwrap().unwrap_err();
        assert!(ended.message.contains("without a pin"), "{ended}");
        assert_eq!(collection.next().await, None);
        assert!(to.is_closed(), "Kubo is told to stop");
    }
}

//! Peers that want to know how this peer's pins stand: each gets all that is not as wanted, then
//! what is new.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clusterd_core::pinset::key::PinKey;
use clusterd_core::snapshot::Snapshot;
use clusterd_core::spread::{News, PeerState, Report};
use clusterd_core::store::{Space, StoreError};
use clusterd_core::tracker::phase::Unsettled;
use common::ids::{Cid, PeerId};
use tokio::sync::mpsc;

use crate::net::gorpc::items::{Feed, Items, Refusal, items};
use crate::net::gorpc::types::{Asked, Reports, TOGETHER_MAX};

/// Peers that watch at a time, each once; more are refused.
pub(super) const WATCHERS_MAX: usize = 256;

/// News that wait for one watcher. One that is further behind is cut off, and begins anew.
const NEWS_WAITING_MAX: usize = 20_000;

/// Parts of a list that wait to be written.
const PARTS_WAITING_MAX: usize = 4;

/// A watcher hears something so often, also when nothing is new.
pub(super) const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(15);

/// Who watches this peer. Clones share it.
#[derive(Clone)]
pub struct Watchers {
    own: PeerId,
    snapshot: Arc<dyn Snapshot>,
    queues: Arc<Mutex<Queues>>,
    /// How it showed that Kubo is away.
    away: Arc<Mutex<Option<String>>>,
}

#[derive(Default)]
struct Queues {
    /// Of each watcher the newest, with its number.
    open: HashMap<PeerId, (u64, mpsc::Sender<Notice>)>,
    next: u64,
}

/// Something to tell. A state is read when it is told, together with the record that it is of.
#[derive(Debug, Clone)]
pub enum Notice {
    /// How this pin stands.
    State(Cid),
    /// How far a running attempt is.
    Progress(Report),
}

impl Watchers {
    /// Nobody yet; states are read from `snapshot`.
    #[must_use]
    pub fn new(own: PeerId, snapshot: Arc<dyn Snapshot>) -> Self {
        Self { own, snapshot, queues: Arc::default(), away: Arc::default() }
    }

    /// Tells everybody who watches. Does not wait: whoever is too far behind is cut off.
    pub fn publish(&self, notice: &Notice) {
        self.queues().open.retain(|_, (_, queue)| queue.try_send(notice.clone()).is_ok());
    }

    /// Kubo is away, with how it showed, or back. Who watches gets the whole list anew when it is away: nothing
    /// comes of what it lacks. When it is back, what becomes of that is told anyway.
    pub fn set_away(&self, words: Option<String>) {
        let is_away = words.is_some();
        *self.away.lock().unwrap_or_else(PoisonError::into_inner) = words;
        if is_away {
            self.queues().open.clear();
        }
    }

    fn away(&self) -> Option<String> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A list for one watcher, in place of one that it has already.
    #[must_use]
    pub fn watch(&self, watcher: PeerId) -> Items<Reports> {
        let (feed, list) = items(PARTS_WAITING_MAX);
        let (queue, news) = mpsc::channel(NEWS_WAITING_MAX);
        let watchers = self.clone();
        // Before anything is read: what changes meanwhile is told behind it.
        let Some(number) = self.register(watcher, queue) else {
            tokio::spawn(feed.fail(Refusal("too many peers watch this one".to_owned())));
            return list;
        };
        tokio::spawn(async move {
            watchers.serve(&feed, news).await;
            watchers.leave(&watcher, number);
            drop(feed);
        });
        list
    }

    fn register(&self, watcher: PeerId, queue: mpsc::Sender<Notice>) -> Option<u64> {
        let mut queues = self.queues();
        if queues.open.len() >= WATCHERS_MAX && !queues.open.contains_key(&watcher) {
            return None;
        }
        queues.next += 1;
        let number = queues.next;
        queues.open.insert(watcher, (number, queue));
        Some(number)
    }

    fn leave(&self, watcher: &PeerId, number: u64) {
        let mut queues = self.queues();
        if queues.open.get(watcher).is_some_and(|(newest, _)| *newest == number) {
            queues.open.remove(watcher);
        }
    }

    /// Ends when nobody reads any more, when the store fails, or when the reader is too slow.
    async fn serve(&self, feed: &Feed<Reports>, mut news: mpsc::Receiver<Notice>) {
        let mut after = None;
        loop {
            let page = self.unsettled(after).await;
            let Some((reports, last)) = readable(page) else { return };
            if feed.send(Reports(reports)).await.is_err() {
                return;
            }
            match last {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        loop {
            let mut batch = Vec::new();
            let came = news.recv_many(&mut batch, TOGETHER_MAX);
            if tokio::time::timeout(SIGN_OF_LIFE_EVERY, came).await == Ok(0) {
                return;
            }
            let Some(reports) = readable(self.tell(batch).await) else { return };
            if feed.send(reports).await.is_err() {
                return;
            }
        }
    }

    /// A part of what this peer shall hold and does not, and where the next begins.
    async fn unsettled(
        &self,
        after: Option<Vec<u8>>,
    ) -> Result<(Vec<Report>, Option<Vec<u8>>), StoreError> {
        let (snapshot, away) = (Arc::clone(&self.snapshot), self.away());
        read(move || {
            let rows = snapshot.rows(Space::Unsettled, after.as_deref(), TOGETHER_MAX)?;
            let last = rows.last().filter(|_| rows.len() == TOGETHER_MAX);
            let last = last.map(|(key, _)| key.clone());
            let report = |(key, row): (Vec<u8>, Vec<u8>)| {
                let state = PeerState::of_unsettled(Some(&Unsettled::decode(&row)?), 0)?;
                let is_missing = matches!(state, PeerState::Missing { .. });
                let cid = PinKey::from_stored(key).to_cid().filter(|_| is_missing)?;
                Some(Report { cid, news: News::State(state.while_away(away.as_deref())) })
            };
            Ok((rows.into_iter().filter_map(report).collect(), last))
        })
        .await
    }

    /// What the notices stand for, in their order.
    async fn tell(&self, notices: Vec<Notice>) -> Result<Reports, StoreError> {
        let state_of = |notice: &Notice| match notice {
            Notice::State(cid) => Some(*cid),
            Notice::Progress(_) => None,
        };
        let asked = Asked(notices.iter().filter_map(state_of).collect());
        let mut states = self.states(asked).await?.0.into_iter();
        let report = |notice| match notice {
            Notice::State(_) => states.next(),
            Notice::Progress(report) => Some(report),
        };
        Ok(Reports(notices.into_iter().filter_map(report).collect()))
    }

    /// How pins stand here.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn states(&self, asked: Asked) -> Result<Reports, StoreError> {
        let (snapshot, own) = (Arc::clone(&self.snapshot), self.own.encode());
        let away = self.away();
        read(move || {
            let mut reports = Vec::with_capacity(asked.0.len());
            for cid in asked.0 {
                let mut state = PeerState::Unknown;
                snapshot.look(PinKey::from_cid(&cid).as_bytes(), &mut |row| {
                    state = PeerState::of_row(row, &own);
                })?;
                let state = state.while_away(away.as_deref());
                reports.push(Report { cid, news: News::State(state) });
            }
            Ok(Reports(reports))
        })
        .await
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn readable<T>(read: Result<T, StoreError>) -> Option<T> {
    read.inspect_err(|error| tracing::error!(%error, "cannot read what is to be told to a peer"))
        .ok()
}

/// Reads away from the threads that serve connections.
pub(super) async fn read<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(read).await;
    done.unwrap_or_else(|_| {
        Err(StoreError::Damaged { what: "a row: its reader failed".to_owned() })
    })
}

//! Asking one peer about the pins that it shall hold and is not known to.

use std::time::Duration;

use clusterd_core::pinset::key::PinKey;
use clusterd_core::spread::{Lacking, News, PeerState, Report};
use clusterd_core::store::{Space, StoreError};
use common::ids::{Cid, PeerId};
use common::status::{PinStatus, StatusFilter};
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::watchers::read;
use super::watching::Watching;
use crate::net::gorpc::client::{RpcError, calls, within};
use crate::net::gorpc::methods::Method;
use crate::net::gorpc::types::{Asked, PeerPin, TOGETHER_MAX};

/// Questions about the same pins come ever rarer: peers of ours tell by themselves, and are asked in
/// case that something was lost or overtaken.
const ASK_AFTER: Duration = Duration::from_secs(1);
const ASK_AFTER_MAX: Duration = Duration::from_secs(30);
const ASK_GO_AFTER_MAX: Duration = Duration::from_secs(4);

/// Go's peers are asked pin by pin, so many at a time and in one round.
const GO_CALLS_MAX: usize = 8;
const GO_ROUND_MAX: usize = 256;

/// What old pins Go's peers lack is asked for so often.
const GO_LIST_EVERY: Duration = Duration::from_secs(60);

/// Rows that are looked at in one round with a peer of ours; the next round goes on behind them.
const ROWS_MAX: usize = 5 * TOGETHER_MAX;

/// For the answer to one question, or the next part of a list.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// What asks one peer.
pub(super) struct Asking {
    watching: Watching,
    peer: PeerId,
    /// Turns true when the peer is found to be Go's.
    go: watch::Receiver<bool>,
    /// Where the next round goes on.
    after: Option<Vec<u8>>,
    /// When a peer of Go is asked for its list next.
    list_at: Instant,
}

impl Asking {
    pub(super) fn new(watching: Watching, peer: PeerId, go: watch::Receiver<bool>) -> Self {
        Self { watching, peer, go, after: None, list_at: Instant::now() }
    }

    /// Never ends by itself.
    pub(super) async fn run(mut self) {
        let mut fresh = self.watching.fresh.subscribe();
        let mut wait = ASK_AFTER;
        loop {
            tokio::select! {
                () = sleep(wait) => {}
                _ = fresh.changed() => {
                    wait = ASK_AFTER;
                    sleep(wait).await;
                    fresh.mark_unchanged();
                }
            }
            let is_go = *self.go.borrow();
            let asked = if is_go { self.ask_go().await } else { self.ask_ours().await };
            if let Err(error) = asked {
                let peer = self.peer;
                tracing::debug!(%peer, error, "a peer does not say how its pins stand");
            }
            wait = (wait * 2).min(if is_go { ASK_GO_AFTER_MAX } else { ASK_AFTER_MAX });
        }
    }

    /// Many at once, in parts.
    async fn ask_ours(&mut self) -> Result<(), String> {
        for _ in 0..ROWS_MAX / TOGETHER_MAX {
            let after = self.after.take();
            let (cids, last) = self.outstanding(after).await.map_err(|error| error.to_string())?;
            if !cids.is_empty() {
                let method = Method::CompositeStates;
                let call = async {
                    calls::states(self.watching.open(self.peer, method).await?, &Asked(cids)).await
                };
                match within(ANSWER_WITHIN, method, call).await {
                    Ok(reports) => self.watching.tell(self.peer, reports.0).await,
                    Err(error) if error.is_missing_method() => return Ok(()),
                    Err(error) => return Err(error.to_string()),
                }
            }
            self.after = last;
            if self.after.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Young pins one by one; of the others a list of those that are not pinned.
    async fn ask_go(&mut self) -> Result<(), String> {
        let mut asked = 0;
        while asked < GO_ROUND_MAX {
            let after = self.after.take();
            let (cids, last) = self.outstanding(after).await.map_err(|error| error.to_string())?;
            asked += cids.len();
            let states = futures_util::stream::iter(cids).map(|cid| self.status(cid));
            let mut states = states.buffer_unordered(GO_CALLS_MAX);
            while let Some(state) = states.next().await {
                let report = state.map_err(|error| error.to_string())?;
                self.watching.tell(self.peer, vec![report]).await;
            }
            drop(states);
            self.after = last;
            if self.after.is_none() {
                break;
            }
        }
        if self.list_at <= Instant::now() {
            self.list_at = Instant::now() + GO_LIST_EVERY;
            self.list_go().await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    async fn status(&self, cid: Cid) -> Result<Report, RpcError> {
        let method = Method::PinTrackerStatus;
        let call =
            async { calls::status(self.watching.open(self.peer, method).await?, &cid).await };
        let state = within(ANSWER_WITHIN, method, call).await?;
        Ok(Report { cid, news: News::State(state_of(state)) })
    }

    async fn list_go(&self) -> Result<(), RpcError> {
        let method = Method::PinTrackerStatusAll;
        let wanting = [
            PinStatus::PinError,
            PinStatus::UnexpectedlyUnpinned,
            PinStatus::PinQueued,
            PinStatus::Pinning,
        ];
        let bits = wanting.into_iter().map(|status| i64::from(status.bit())).sum();
        let filter = StatusFilter::from_bits(bits);
        let call =
            async { calls::status_all(self.watching.open(self.peer, method).await?, filter).await };
        let mut states = within(ANSWER_WITHIN, method, call).await?;
        let mut reports = Vec::new();
        while let Some(state) = within(ANSWER_WITHIN, method, states.next()).await? {
            reports.push(Report { cid: state.cid, news: News::State(state_of(state)) });
            if reports.len() == TOGETHER_MAX {
                self.watching.tell(self.peer, std::mem::take(&mut reports)).await;
            }
        }
        self.watching.tell(self.peer, reports).await;
        Ok(())
    }

    /// A part of the pins that the peer is not known to hold, and where the next begins.
    async fn outstanding(
        &self,
        after: Option<Vec<u8>>,
    ) -> Result<(Vec<Cid>, Option<Vec<u8>>), StoreError> {
        let (snapshot, peer) = (std::sync::Arc::clone(&self.watching.snapshot), self.peer);
        read(move || {
            let rows = snapshot.rows(Space::Spread, after.as_deref(), TOGETHER_MAX)?;
            let last = rows.last().filter(|_| rows.len() == TOGETHER_MAX);
            let last = last.map(|(key, _)| key.clone());
            let lacks = |row: &[u8]| Lacking::decode(row).is_some_and(|row| row.0.contains(&peer));
            let cids = rows.into_iter().filter(|(_, row)| lacks(row));
            Ok((cids.filter_map(|(key, _)| PinKey::from_stored(key).to_cid()).collect(), last))
        })
        .await
    }
}

/// What the state that a peer shows means for the pin.
fn state_of(pin: PeerPin) -> PeerState {
    let (attempts, error) = (pin.info.attempt_count, pin.info.error);
    match pin.info.status {
        PinStatus::Pinned => {
            let record = pin.created.seconds().and_then(|seconds| u64::try_from(seconds).ok());
            record.map_or(PeerState::Unknown, |record| PeerState::Held { record })
        }
        PinStatus::PinError => {
            PeerState::Missing { lost: false, attempts: attempts.max(1), error, is_away: false }
        }
        PinStatus::UnexpectedlyUnpinned => {
            PeerState::Missing { lost: true, attempts, error, is_away: false }
        }
        PinStatus::PinQueued | PinStatus::Pinning => {
            PeerState::Missing { lost: false, attempts: 0, error: String::new(), is_away: false }
        }
        PinStatus::ClusterError
        | PinStatus::UnpinError
        | PinStatus::Unpinning
        | PinStatus::Unpinned
        | PinStatus::Remote
        | PinStatus::UnpinQueued
        | PinStatus::Sharded => PeerState::Unknown,
    }
}

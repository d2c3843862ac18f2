//! How pins stand at the other peers: peers of ours tell it, peers of Go are asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clusterd_core::input::Input;
use clusterd_core::snapshot::Snapshot;
use clusterd_core::spread::Report;
use common::ids::{Cid, PeerId};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use super::asking::Asking;
use super::watchers::SIGN_OF_LIFE_EVERY;
use crate::net::gorpc::client::{RpcError, calls, within};
use crate::net::gorpc::methods::Method;
use crate::net::gorpc::types::Reports;
use crate::net::{Net, RpcStream};

/// A watched peer that says nothing for so long is asked anew.
const SILENT_MAX: Duration = Duration::from_secs(45);
const _: () = assert!(SILENT_MAX.as_secs() > 2 * SIGN_OF_LIFE_EVERY.as_secs());

/// First and longest wait after a watch that ended.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(30);

/// Pins that others are made to try again at a time; more are left to their own turn.
const RECOVERIES_MAX: usize = 64;

/// For another peer to take a pin up again.
const RECOVER_WITHIN: Duration = Duration::from_secs(10);

/// Follows all connected peers. Clones share it.
#[derive(Clone)]
pub struct Watching {
    pub(super) net: Net,
    pub(super) inputs: mpsc::Sender<Input>,
    pub(super) snapshot: Arc<dyn Snapshot>,
    followed: Arc<Mutex<HashMap<PeerId, JoinHandle<()>>>>,
    /// Counts what is to be asked, and what is to be listened to anew.
    pub(super) fresh: watch::Sender<u64>,
    anew: watch::Sender<u64>,
    recoveries: Arc<Semaphore>,
}

impl Watching {
    /// Nobody is followed yet. What peers tell goes to `inputs`; what is not known of them is read
    /// from `snapshot`.
    #[must_use]
    pub fn new(net: Net, inputs: mpsc::Sender<Input>, snapshot: Arc<dyn Snapshot>) -> Self {
        Self {
            net,
            inputs,
            snapshot,
            followed: Arc::default(),
            fresh: watch::Sender::new(0),
            anew: watch::Sender::new(0),
            recoveries: Arc::new(Semaphore::new(RECOVERIES_MAX)),
        }
    }

    /// A peer is connected: it is followed until it is not any more.
    pub fn follow(&self, peer: PeerId) {
        let watching = self.clone();
        let task = tokio::spawn(async move { watching.run(peer).await });
        self.replace(peer, Some(task));
    }

    /// A peer is not connected any more.
    pub fn forget(&self, peer: &PeerId) {
        self.replace(*peer, None);
    }

    fn replace(&self, peer: PeerId, task: Option<JoinHandle<()>>) {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match task {
            Some(task) => followed.insert(peer, task),
            None => followed.remove(&peer),
        };
        if let Some(before) = before {
            before.abort();
        }
    }

    /// There are pins of which it is not known whether others hold them.
    pub fn ask(&self) {
        self.fresh.send_modify(|count| *count += 1);
    }

    /// What peers told before is not to be relied on.
    pub fn listen_anew(&self) {
        self.anew.send_modify(|count| *count += 1);
    }

    /// Lets a peer try a pin again, as a task of `runtime`.
    pub fn recover(&self, runtime: &Handle, peer: PeerId, cid: Cid) {
        let Ok(place) = Arc::clone(&self.recoveries).try_acquire_owned() else { return };
        let watching = self.clone();
        runtime.spawn(async move {
            let method = Method::PinTrackerRecover;
            let call = async { calls::recover(watching.open(peer, method).await?, &cid).await };
            if let Err(error) = within(RECOVER_WITHIN, method, call).await {
                tracing::debug!(%peer, %cid, %error, "a peer does not try a pin again");
            }
            drop(place);
        });
    }

    /// Listens to a peer and asks it; over both, it becomes known whether the peer is Go's.
    async fn run(self, peer: PeerId) {
        let go = watch::Sender::new(false);
        let asking = Asking::new(self.clone(), peer, go.subscribe());
        tokio::join!(self.listen(peer, &go), asking.run());
    }

    async fn listen(&self, peer: PeerId, go: &watch::Sender<bool>) {
        let mut anew = self.anew.subscribe();
        let mut wait = AGAIN_AFTER;
        loop {
            anew.mark_unchanged();
            let ended = tokio::select! {
                ended = self.listen_once(peer, &mut wait) => ended,
                _ = anew.changed() => continue,
            };
            if let Err(error) = ended {
                if error.is_missing_method() {
                    go.send_replace(true);
                    return;
                }
                tracing::debug!(%peer, %error, "a peer tells no more of its pins");
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(AGAIN_AFTER_MAX);
        }
    }

    async fn listen_once(&self, peer: PeerId, wait: &mut Duration) -> Result<(), RpcError> {
        let method = Method::CompositeWatch;
        let net = self.net.clone();
        let is_connected = move || net.address_of(&peer).is_some();
        let opened = async { calls::watch(self.open(peer, method).await?).await };
        let mut news = within(SILENT_MAX, method, opened).await?.while_connected(is_connected);
        loop {
            let Some(Reports(reports)) = within(SILENT_MAX, method, news.next()).await? else {
                return Ok(());
            };
            *wait = AGAIN_AFTER;
            self.tell(peer, reports).await;
        }
    }

    /// Hands reports on to the node.
    pub(super) async fn tell(&self, peer: PeerId, reports: Vec<Report>) {
        if !reports.is_empty() {
            // An error means that the daemon is ending.
            drop(self.inputs.send(Input::PeerReports { peer, reports }).await);
        }
    }

    /// A stream for a call of the peer's RPC.
    pub(super) async fn open(
        &self,
        peer: PeerId,
        method: Method,
    ) -> Result<Compat<RpcStream>, RpcError> {
        let opened = self.net.open_rpc(peer).await;
        let broken = |reason: String| RpcError::Broken { method, reason };
        opened.map(TokioAsyncReadCompatExt::compat).map_err(|error| broken(error.to_string()))
    }
}

//! The network for the node: what happens among the peers becomes inputs, calls of peers are served.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use clusterd_core::input::Input;
use common::ids::PeerId;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::informer::{for_node, now_ns};
use super::peer::RpcPeer;
use super::watchers::WATCHERS_MAX;
use super::watching::Watching;
use crate::net::gorpc::client::{RpcError, calls, within};
use crate::net::gorpc::methods::Method;
use crate::net::gorpc::metric::{Metric, Ping};
use crate::net::gorpc::server::{Patience, serve};
use crate::net::{IncomingRpc, Net, NetEvent, clock_skew};

/// A fresh peer asks the others for their heads; one that does not answer in this time tells them later.
const HEADS_WITHIN: Duration = Duration::from_secs(10);

/// Calls of all peers that are served at a time, beside those that only watch; more of them wait. Each may
/// hold some megabytes.
const CALLS_MAX: usize = 256;

/// What the peers last said of themselves in their pings.
#[derive(Debug, Clone, Default)]
pub struct Pings {
    newest: Arc<RwLock<BTreeMap<PeerId, Ping>>>,
    changed: Arc<Notify>,
}

/// Most peers whose pings are kept.
const PINGS_MAX: usize = 10_000;

impl Pings {
    /// The newest of a peer.
    #[must_use]
    pub fn of(&self, peer: &PeerId) -> Option<Ping> {
        self.newest.read().unwrap_or_else(PoisonError::into_inner).get(peer).cloned()
    }

    /// Waits until a peer has said something new; for one listener. Cancel-safe.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Forgets what a peer said.
    pub fn forget(&self, peer: &PeerId) {
        self.newest.write().unwrap_or_else(PoisonError::into_inner).remove(peer);
    }

    fn note(&self, peer: PeerId, ping: Ping) {
        let mut pings = self.newest.write().unwrap_or_else(PoisonError::into_inner);
        let is_same = pings.get(&peer) == Some(&ping);
        if !is_same && (pings.len() < PINGS_MAX || pings.contains_key(&peer)) {
            pings.insert(peer, ping);
            self.changed.notify_one();
        }
    }
}

/// Hands on what happens among the peers.
pub struct Bridge {
    /// To ask new peers.
    pub net: Net,
    /// To the node.
    pub inputs: mpsc::Sender<Input>,
    /// Somebody listens to metrics since now.
    pub wake: Arc<Notify>,
    /// What peers say of themselves.
    pub pings: Pings,
    /// Follows how pins stand at them.
    pub watching: Watching,
}

impl Bridge {
    /// Runs until the network or the node has gone. While the node is busy, events wait in the network,
    /// which drops what will be repeated.
    pub async fn run(self, mut events: mpsc::Receiver<NetEvent>) {
        while let Some(event) = events.recv().await {
            let input = match event {
                NetEvent::Heads { heads, .. } => Some(Input::HeadsSeen { heads, asked: false }),
                NetEvent::Metric { from, payload } => self.metric(from, &payload),
                NetEvent::Connected { peer } => {
                    self.ask_heads(peer);
                    self.watching.follow(peer);
                    Some(Input::PeerCame)
                }
                NetEvent::Disconnected { peer } => {
                    self.watching.forget(&peer);
                    None
                }
                NetEvent::Subscribed { .. } => {
                    self.wake.notify_one();
                    None
                }
            };
            if let Some(input) = input
                && self.inputs.send(input).await.is_err()
            {
                return;
            }
        }
    }

    /// A metric counts only for the peer that signed it.
    fn metric(&self, from: PeerId, payload: &[u8]) -> Option<Input> {
        let metric = match Metric::from_payload(payload) {
            Ok(metric) if metric.peer == from => metric,
            Ok(metric) => {
                tracing::debug!(peer = %from, metric = metric.name, "a metric tells of another peer");
                return None;
            }
            Err(error) => {
                tracing::debug!(peer = %from, %error, "a metric cannot be read");
                return None;
            }
        };
        if let Some(skew) = clock_skew(metric.expires_at_ns, now_ns()) {
            self.net.advise_of_clock(from, skew);
        }
        if let Some(ping) = metric.to_ping() {
            self.pings.note(from, ping);
        }
        Some(Input::Metric(for_node(metric)))
    }

    /// A peer of ours tells its heads at once; those of Go announce theirs within minutes.
    fn ask_heads(&self, peer: PeerId) {
        let (watching, inputs) = (self.watching.clone(), self.inputs.clone());
        tokio::spawn(async move {
            match heads_of(&watching, peer).await {
                Ok(heads) => drop(inputs.send(Input::HeadsSeen { heads, asked: true }).await),
                Err(error) => tracing::debug!(%peer, %error, "a peer does not tell its heads"),
            }
        });
    }
}

async fn heads_of(
    watching: &Watching,
    peer: PeerId,
) -> Result<Vec<clusterd_core::pinset::codec::BlockId>, RpcError> {
    let asked = async {
        let stream = watching.open(peer, Method::CompositeHeads).await?;
        Ok(calls::heads(stream).await?.0)
    };
    within(HEADS_WITHIN, Method::CompositeHeads, asked).await
}

/// Serves the calls of peers until the network has gone, or until `stopping`.
pub async fn serve_peers(
    mut incoming: IncomingRpc,
    peer: Arc<RpcPeer>,
    stopping: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(CALLS_MAX + WATCHERS_MAX));
    while let Some((caller, stream)) = incoming.next().await {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (peer, mut stopping) = (Arc::clone(&peer), stopping.clone());
        tokio::spawn(async move {
            let stop = async move { drop(stopping.wait_for(|stopping| *stopping).await) };
            let patience = Patience::default();
            if let Err(error) = serve(peer.as_ref(), caller, stream.compat(), patience, stop).await
            {
                tracing::debug!(peer = %caller, %error, "a call of a peer was not served");
            }
            drop(place);
        });
    }
}

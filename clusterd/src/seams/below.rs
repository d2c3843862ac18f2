//! Asks the daemon beside this peer, at the start and each minute, which clusters are below it. This one
//! must not be among them: its pins would go round for ever.

use std::sync::Arc;
use std::time::Duration;

use clusterd_core::input::Input;
use common::api::tree::{ClusterId, Daemon, Query};
use common::messages;
use common::status::PinStatus;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::api::below::Below;
use crate::api::kubo::Kubo;
use crate::ipfs::error::ConnectorError;

/// How often an answer is asked for anew.
const EVERY: Duration = Duration::from_secs(60);
/// How soon one is asked for that was not whole: somebody further below did not answer.
const SOONER: Duration = Duration::from_secs(15);
/// How soon a daemon that gave none is asked again.
const AGAIN: Duration = Duration::from_secs(5);
/// How long the answer may take: each cluster on the way keeps some of it.
const WITHIN: Duration = Duration::from_secs(10);
/// A pin waits so long for the first answer.
const FIRST_WITHIN: Duration = Duration::from_secs(15);
/// What each cluster below needs, after its own time-out, to tell of it.
const LEVEL_WITHIN: Duration = Duration::from_secs(20);

/// Who asks.
pub struct Asker {
    /// The daemon.
    pub kubo: Arc<dyn Kubo>,
    /// This cluster.
    pub cluster: ClusterId,
    /// Its name.
    pub name: String,
    /// The node refuses new pins while there is a ring.
    pub inputs: mpsc::Sender<Input>,
    /// What is known.
    pub below: watch::Sender<Below>,
}

impl Asker {
    /// Asks until the node has gone.
    pub async fn run(self) {
        loop {
            let within_ms = u64::try_from(WITHIN.as_millis()).ok();
            let above = self.cluster.to_string();
            let query = Query { above, cid: None, within_ms, shallow: false };
            let found = self.kubo.below(query).await;
            let rest = match found {
                Ok(daemon) => {
                    let rest = if daemon.is_whole() { EVERY } else { SOONER };
                    if !self.take(daemon).await {
                        return;
                    }
                    rest
                }
                Err(error) => {
                    tracing::debug!(%error, "what the ipfs daemon is cannot be said");
                    self.below.send_modify(|below| below.is_asked = true);
                    AGAIN
                }
            };
            tokio::select! {
                () = sleep(rest) => {}
                () = self.inputs.closed() => return,
            }
        }
    }

    /// `false` once the node has gone.
    async fn take(&self, daemon: Daemon) -> bool {
        let (way, levels) = match &daemon {
            Daemon::Cluster { tree } => (tree.way_to(&self.cluster), tree.levels()),
            Daemon::Kubo { .. }
            | Daemon::GoCluster { .. }
            | Daemon::Untold { .. }
            | Daemon::Unknown { .. } => (None, 0),
        };
        let ring = way.map(|way| format!("{} > {}", self.name, way.join(" > ")));
        let old = self.below.borrow().clone();
        self.tell(&old, &daemon, ring.as_deref());
        // Nobody waits for an attempt that was given up here, and its next turn may be hours away.
        if let Some(unsettled) = unsettled(&daemon)
            && self.inputs.send(Input::Below { unsettled }).await.is_err()
        {
            return false;
        }
        let is_new = old.ring != ring;
        let told = ring.clone();
        self.below.send_replace(Below { is_asked: true, daemon: Some(daemon), ring, levels });
        !is_new || self.inputs.send(Input::Ring { ring: told }).await.is_ok()
    }

    fn tell(&self, old: &Below, daemon: &Daemon, ring: Option<&str>) {
        match (ring, old.ring.is_some()) {
            (Some(ring), _) if old.ring.as_deref() != Some(ring) => tracing::error!(
                name: messages::RING, ring,
                "this cluster is its own sub-cluster and refuses new pins: let api in [ipfs] of one of them name another IPFS daemon"
            ),
            (None, true) => {
                tracing::info!("this cluster is its own sub-cluster no more, and takes pins")
            }
            (Some(_) | None, _) => {}
        }
        let is_go = |daemon: &Daemon| matches!(daemon, Daemon::GoCluster { .. });
        if is_go(daemon) && !old.daemon.as_ref().is_some_and(is_go) {
            tracing::warn!(
                name: messages::GO_BELOW,
                "the ipfs daemon is the proxy of a Go ipfs-cluster: what it calls pinned is accepted there, and perhaps not held"
            );
        }
    }
}

/// Pins that the peers of a cluster in place of Kubo shall hold and do not; `None` for another daemon.
fn unsettled(daemon: &Daemon) -> Option<u64> {
    match daemon {
        Daemon::Cluster { tree } => {
            let is_unpin = |status: &PinStatus| {
                use PinStatus::{UnpinError, UnpinQueued, Unpinning};
                matches!(status, UnpinError | UnpinQueued | Unpinning)
            };
            let states = tree.peers.iter().flat_map(|peer| &peer.unsettled);
            Some(states.filter(|(status, _)| !is_unpin(status)).map(|(_, pins)| pins).sum())
        }
        Daemon::Kubo { .. }
        | Daemon::GoCluster { .. }
        | Daemon::Untold { .. }
        | Daemon::Unknown { .. } => None,
    }
}

/// Waits for the first answer of the daemon, and refuses while there is a ring. Gives how much longer a pin
/// that does not move is waited for: a cluster below gives up before, and says why.
///
/// # Errors
/// The refusal, in the words that clients see.
pub async fn check(mut below: watch::Receiver<Below>) -> Result<Duration, ConnectorError> {
    let first = timeout(FIRST_WITHIN, below.wait_for(|below| below.is_asked)).await;
    let (refusal, levels) = match first {
        Ok(Ok(below)) => (below.refusal(), below.levels),
        // Nobody asks any more, or the daemon hangs: the pin's own call will say so.
        Ok(Err(_)) | Err(_) => (String::new(), 0),
    };
    if refusal.is_empty() {
        return Ok(LEVEL_WITHIN * levels);
    }
    Err(ConnectorError::Refused { attempt: "pin", message: refusal })
}

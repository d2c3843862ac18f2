//! Lets effects happen: answers go to who waits, operations to Kubo, each as a task of its own.
//!
//! The number of tasks is bounded by the node, which starts no more operations than it is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clusterd_core::effect::Effect;
use clusterd_core::input::{Input, IpfsFailure, OpId};
use clusterd_core::pinset::codec::BlockId;
use clusterd_core::spread::{News, Report};
use common::ids::Cid;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::api::below::Below;
use crate::api::door::Waiters;
use crate::ipfs::audit::{Audit, Pace};
use crate::ipfs::client::Client;
use crate::ipfs::error::ConnectorError;
use crate::ipfs::held;
use crate::ipfs::pin::{self, PinOrder};
use crate::ipfs::repo;
use crate::net::Net;
use crate::seams::below;
use crate::seams::watchers::{Notice, Watchers};
use crate::seams::watching::Watching;
use crate::story;

/// A living Kubo says who it is in this time, however busy it is.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Hands effects to those who can do them.
pub struct Outbox {
    runtime: Handle,
    waiters: Arc<Waiters>,
    kubo: Client,
    pin_timeout: Duration,
    inputs: mpsc::Sender<Input>,
    peers: Peers,
    below: watch::Receiver<Below>,
    operations: Arc<Mutex<Operations>>,
}

/// Who hears of this peer, and whom it hears of.
pub struct Peers {
    /// Blocks and announcements.
    pub net: Net,
    /// Those who want to know how pins stand here.
    pub watchers: Watchers,
    /// How pins stand elsewhere.
    pub watching: Watching,
}

#[derive(Default)]
struct Operations {
    running: HashMap<OpId, (Cid, JoinHandle<()>)>,
    /// Cancelled ones whose connection may not be closed yet.
    ending: HashMap<Cid, JoinHandle<()>>,
}

impl Outbox {
    /// An outbox whose tasks run on `runtime`; what they bring goes to `inputs`.
    pub fn new(
        runtime: Handle,
        waiters: Arc<Waiters>,
        kubo: Client,
        pin_timeout: Duration,
        inputs: mpsc::Sender<Input>,
        (peers, below): (Peers, watch::Receiver<Below>),
    ) -> Self {
        let operations = Arc::default();
        Self { runtime, waiters, kubo, pin_timeout, inputs, peers, below, operations }
    }

    /// Lets one effect happen. Does not wait.
    pub fn release(&self, effect: Effect) {
        match effect {
            Effect::Answer { waiter, answer } => self.waiters.tell(waiter, answer),
            Effect::IpfsPin { op, cid, mode, levels, name, update_from, origins, provide } => {
                let order = PinOrder { cid, mode, levels, name, update_from, origins, provide };
                self.pin(op, order);
            }
            Effect::IpfsUnpin { op, cid } => {
                let (kubo, limit) = (self.kubo.clone(), self.pin_timeout);
                let work = async move { pin::unpin(&kubo, &cid, limit).await };
                self.start(op, cid, story::LET_GO, work);
            }
            Effect::IpfsCancel { op } => self.cancel(op),
            Effect::IpfsProbe => self.probe(),
            Effect::IpfsAudit => self.audit(),
            Effect::FetchBlock { id } => self.fetch(id),
            Effect::Broadcast { heads } => self.announce(heads),
            Effect::TellState { cid } => self.peers.watchers.publish(&Notice::State(cid)),
            Effect::TellAway { words } => self.peers.watchers.set_away(words),
            Effect::TellProgress { cid, nodes, bytes } => {
                let news = News::Progress { nodes, bytes };
                self.peers.watchers.publish(&Notice::Progress(Report { cid, news }));
            }
            Effect::AskOthers => self.peers.watching.ask(),
            Effect::ListenAnew => self.peers.watching.listen_anew(),
            Effect::RecoverAt { peer, cid } => {
                self.peers.watching.recover(&self.runtime, peer, cid)
            }
        }
    }

    /// Tells the network that these blocks are stored: peers that waited for them get them.
    pub fn have(&self, blocks: Vec<BlockId>) {
        if !blocks.is_empty() {
            let net = self.peers.net.clone();
            self.runtime.spawn(async move { net.have(blocks).await });
        }
    }

    fn fetch(&self, id: BlockId) {
        let (net, inputs) = (self.peers.net.clone(), self.inputs.clone());
        self.runtime.spawn(async move {
            let input = match net.fetch(id).await {
                Ok(bytes) => Input::BlockFetched { id, bytes },
                Err(error) => {
                    tracing::debug!(block = ?id, %error, "a block cannot be had");
                    Input::BlockFailed { id }
                }
            };
            // An error means that the daemon is ending.
            drop(inputs.send(input).await);
        });
    }

    fn announce(&self, heads: Vec<BlockId>) {
        let net = self.peers.net.clone();
        self.runtime.spawn(async move {
            // Others may have asked for it already.
            net.have(heads.clone()).await;
            net.publish_heads(heads).await;
        });
    }

    /// Breaks all operations off; nothing follows for them.
    pub fn cancel_all(&self) {
        for (_, (_, task)) in self.operations().running.drain() {
            task.abort();
        }
    }

    /// Operations that run now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.operations().running.len()
    }

    fn pin(&self, op: OpId, order: PinOrder) {
        let (kubo, limit) = (self.kubo.clone(), self.pin_timeout);
        let (inputs, below) = (self.inputs.clone(), self.below.clone());
        let cid = order.cid;
        self.start(op, cid, story::HELD, async move {
            let patience = below::check(below).await?;
            let limit = limit + patience;
            let progress = |nodes, bytes| {
                let sent = inputs.send(Input::IpfsProgress { op, nodes, bytes });
                // An error means that the daemon is ending.
                async { drop(sent.await) }
            };
            pin::pin(&kubo, &order, limit, progress).await?;
            match patience.is_zero() {
                true => Ok(()),
                false => held::await_held(&kubo, (&order.cid, order.mode), limit).await,
            }
        });
    }

    fn start(
        &self,
        op: OpId,
        cid: Cid,
        done: &'static str,
        work: impl Future<Output = Result<(), ConnectorError>> + Send + 'static,
    ) {
        let mut operations = self.operations();
        let before = operations.ending.remove(&cid);
        let (inputs, all) = (self.inputs.clone(), Arc::clone(&self.operations));
        let task = self.runtime.spawn(async move {
            if let Some(before) = before {
                // Its end, whatever it was, means that its connection is closed.
                drop(before.await);
            }
            let outcome = work.await.map_err(failure);
            story::ended(&cid, done, &outcome);
            locked(&all).running.remove(&op);
            // An error means that the daemon is ending.
            drop(inputs.send(Input::IpfsEnded { op, outcome }).await);
        });
        operations.running.insert(op, (cid, task));
    }

    fn cancel(&self, op: OpId) {
        let mut operations = self.operations();
        operations.ending.retain(|_, task| !task.is_finished());
        if let Some((cid, task)) = operations.running.remove(&op) {
            task.abort();
            operations.ending.insert(cid, task);
        }
    }

    fn probe(&self) {
        let (kubo, inputs) = (self.kubo.clone(), self.inputs.clone());
        self.runtime.spawn(async move {
            let alive = repo::id(&kubo, PROBE_TIMEOUT).await.is_ok();
            drop(inputs.send(Input::IpfsProbed { alive }).await);
        });
    }

    fn audit(&self) {
        let (kubo, inputs) = (self.kubo.clone(), self.inputs.clone());
        self.runtime.spawn(async move {
            let complete = read_all(Audit::new(kubo, Pace::Gentle), &inputs).await;
            drop(inputs.send(Input::AuditEnded { complete }).await);
        });
    }

    fn operations(&self) -> MutexGuard<'_, Operations> {
        locked(&self.operations)
    }
}

/// Whether Kubo's list was read to its end.
async fn read_all(mut audit: Audit, inputs: &mpsc::Sender<Input>) -> bool {
    loop {
        match audit.next().await {
            Ok(Some(held)) => {
                if inputs.send(Input::Audited { held }).await.is_err() {
                    return false;
                }
            }
            Ok(None) => return true,
            Err(error) => {
                tracing::warn!(%error, "cannot compare the pinset with what ipfs holds");
                return false;
            }
        }
    }
}

fn locked(operations: &Mutex<Operations>) -> MutexGuard<'_, Operations> {
    operations.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failure(error: ConnectorError) -> IpfsFailure {
    match error {
        ConnectorError::Refused { message, .. } => {
            // The node puts the same word in front of every failure.
            let words = message.strip_prefix("pin: ").unwrap_or(&message);
            IpfsFailure::Refused(words.to_owned())
        }
        ConnectorError::Unreachable { .. } => IpfsFailure::Unreachable(error.to_string()),
        ConnectorError::Stalled { .. } => IpfsFailure::Stalled(error.to_string()),
        ConnectorError::Unintelligible { .. } => IpfsFailure::Refused(error.to_string()),
    }
}

//! What the page shows, gathered at once within a bounded time: what does not come is left out and said so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clusterd_core::effect::Answer;
use clusterd_core::input::Input;
use common::api::error::ApiError;
use common::api::health::{AlertJson, PeerHealth};
use common::api::tree::{Query, Tree, TreePeer};
use common::ids::PeerId;
use jiff::Timestamp;
use tokio::time::timeout;

use super::super::refusal::unexpected;
use super::super::rest::health::{alert, one, told};
use super::super::room::{Counts, Me, Room};
use super::failures::{self, Failures};

/// The node, the store, Kubo and the tree answer in this time, or the page goes without.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// For so long a tree is shown again: it is what costs other peers work.
const TREE_SHARED_FOR: Duration = Duration::from_secs(4);

/// A tree that could not be renewed is shown for so long, with its age.
const TREE_KEPT_FOR: Duration = Duration::from_secs(10 * 60);

/// Alerts that are shown.
pub(super) const ALERTS_MAX: usize = 20;

/// The newest tree, kept from one page to the next.
#[derive(Default)]
pub(super) struct KnownTree {
    newest: Option<(Instant, Tree)>,
    /// Why it could not be renewed; empty where it could.
    pub(super) error: String,
}

/// All that a page shows besides the tree. What did not come in time is `None`.
pub(super) struct Seen {
    pub(super) now: Timestamp,
    pub(super) me: Me,
    pub(super) counts: Counts,
    pub(super) node: Option<Node>,
    pub(super) kubo: Kubo,
    pub(super) failures: Option<Failures>,
    pub(super) stored_bytes: Option<u64>,
}

/// What the node says.
pub(super) struct Node {
    /// Every peer that told anything within a day, and this one, by name.
    pub(super) peers: Vec<PeerHealth>,
    /// The newest first.
    pub(super) alerts: Vec<AlertJson>,
    /// Alerts that are not among them.
    pub(super) alerts_left: usize,
    pub(super) running: usize,
    pub(super) waiting: u64,
}

/// The Kubo beside this peer, or what stands in its place.
pub(super) enum Kubo {
    Answers,
    Silent { error: String },
}

impl KnownTree {
    /// A tree that has just been made.
    pub(super) fn new(tree: Tree) -> Self {
        Self { newest: Some((Instant::now(), tree)), error: String::new() }
    }

    /// The tree, where there is one that is worth showing.
    pub(super) fn tree(&self) -> Option<&Tree> {
        let (made, tree) = self.newest.as_ref()?;
        (made.elapsed() < TREE_KEPT_FOR).then_some(tree)
    }

    /// Its age, where it could not be renewed.
    pub(super) fn age(&self) -> Option<Duration> {
        let (made, _) = self.newest.as_ref()?;
        (!self.error.is_empty()).then(|| made.elapsed())
    }

    /// The peers of this cluster in the tree.
    pub(super) fn peers(&self) -> BTreeMap<PeerId, &TreePeer> {
        let peers = self.tree().into_iter().flat_map(|tree| &tree.peers);
        peers.map(|peer| (peer.peer, peer)).collect()
    }

    async fn renew(&mut self, room: &Room) {
        if self.newest.as_ref().is_some_and(|(made, _)| made.elapsed() < TREE_SHARED_FOR) {
            return;
        }
        let within_ms = u64::try_from(ANSWER_MAX.as_millis()).ok();
        let query = Query { within_ms, ..Query::default() };
        match room.tree(&query).await {
            Ok(tree) => *self = Self::new(tree),
            Err(error) => self.error = error.message,
        }
    }
}

/// Looks at everything at once; over after the longest of the limits above.
pub(super) async fn look(room: &Room, tree: &mut KnownTree) -> Seen {
    let stored = Arc::clone(&room.stored_bytes);
    let counts = room.counts.borrow().clone();
    let (node, kubo, stored_bytes, failures, ()) = tokio::join!(
        timeout(ANSWER_MAX, node(room)),
        kubo(room),
        // It may wait for a commit.
        timeout(ANSWER_MAX, tokio::task::spawn_blocking(move || stored())),
        timeout(ANSWER_MAX, failures(room)),
        tree.renew(room),
    );
    Seen {
        now: Timestamp::now(),
        me: room.me.clone(),
        counts,
        node: node.ok().and_then(Result::ok),
        kubo,
        failures: failures.ok().flatten(),
        stored_bytes: stored_bytes.ok().and_then(Result::ok).flatten(),
    }
}

async fn node(room: &Room) -> Result<Node, ApiError> {
    let members = told(room).await?;
    let asked = room.door.answer(|waiter| Input::Operations { waiter }).await?;
    let Answer::Operations { running, waiting, .. } = asked else { return Err(unexpected()) };
    let peers = members.known().into_iter().map(|peer| one(room, &members, peer));
    let mut peers: Vec<PeerHealth> = peers.collect();
    peers.sort_by(|a, b| (&a.peername, a.peer).cmp(&(&b.peername, b.peer)));
    let alerts = members.alerts().take(ALERTS_MAX).map(alert).collect();
    let alerts_left = members.alerts().count().saturating_sub(ALERTS_MAX);
    Ok(Node { peers, alerts, alerts_left, running: running.len(), waiting })
}

async fn kubo(room: &Room) -> Kubo {
    match timeout(ANSWER_MAX, room.kubo.id()).await {
        Ok(Ok(_)) => Kubo::Answers,
        Ok(Err(error)) => Kubo::Silent { error: error.message },
        Err(_) => Kubo::Silent { error: format!("no answer within {} s", ANSWER_MAX.as_secs()) },
    }
}

async fn failures(room: &Room) -> Option<Failures> {
    let snapshot = Arc::clone(&room.snapshot);
    let read = tokio::task::spawn_blocking(move || failures::read(snapshot.as_ref()));
    match read.await {
        Ok(Ok(failures)) => Some(failures),
        Ok(Err(error)) => {
            tracing::warn!(%error, "cannot read what failed");
            None
        }
        Err(_) => None,
    }
}

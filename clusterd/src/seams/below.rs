//! Asks the daemon beside this peer, at the start and each minute, which clusters are below it. This one
//! must not be among them: its pins would go round for ever.

use std::sync::Arc;
use std::time::Duration;

use clusterd_core::input::Input;
use common::api::tree::{ClusterId, Daemon, Query, Tree, TreePeer};
use common::messages;
use common::printable::{printable, shortened};
use common::status::PinStatus;
use tokio::sync::mpsc::error::SendError;
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
/// Answers in which somebody is missing that leave what was known before as it is: five minutes.
const PARTIAL_MAX: u32 = 20;
/// Longest name of a cluster in a ring, in characters.
const NAME_CHARS_MAX: usize = 60;
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
        let mut last: Option<Daemon> = None;
        loop {
            let within_ms = u64::try_from(WITHIN.as_millis()).ok();
            let above = self.cluster.to_string();
            let query = Query { above, cid: None, within_ms, shallow: false };
            let found = self.kubo.below(query).await;
            let rest = match found {
                Ok(daemon) => {
                    let rest = if daemon.is_whole() { EVERY } else { SOONER };
                    if self.take(last.as_ref(), &daemon).await.is_err() {
                        return;
                    }
                    last = Some(daemon);
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

    /// An error means that the node has gone.
    async fn take(&self, last: Option<&Daemon>, daemon: &Daemon) -> Result<(), SendError<Input>> {
        let is_doubtful = last.is_some_and(|last| may_hold_less(last, daemon));
        let old = self.below.borrow().clone();
        let new = now_known(&old, daemon, (&self.cluster, &self.name));
        tell_ring(old.ring.as_deref(), new.ring.as_deref());
        tell_go(last, daemon);
        let (unsettled, ring) = (unsettled(daemon), new.ring.clone());
        self.below.send_replace(new);
        // Told each time: the node forgets what it could not store.
        self.inputs.send(Input::Ring { ring }).await?;
        self.inputs.send(Input::Below { unsettled, is_doubtful }).await
    }
}

fn tell_ring(old: Option<&str>, new: Option<&str>) {
    match (new, old) {
        (Some(ring), old) if old != Some(ring) => tracing::error!(
            name: messages::RING, ring,
            "this cluster is its own sub-cluster and refuses new pins: let api in [ipfs] of one of them name another IPFS daemon"
        ),
        (None, Some(_)) => {
            tracing::info!("this cluster is its own sub-cluster no more, and takes pins");
        }
        (Some(_) | None, _) => {}
    }
}

fn tell_go(last: Option<&Daemon>, daemon: &Daemon) {
    let is_go = |daemon: &Daemon| matches!(daemon, Daemon::GoCluster { .. });
    if is_go(daemon) && !last.is_some_and(is_go) {
        tracing::warn!(
            name: messages::GO_BELOW,
            "the ipfs daemon is the proxy of a Go ipfs-cluster: what it calls pinned is accepted there, and perhaps not held"
        );
    }
}

/// What is known with a new answer. One in which somebody is missing says neither that there is no ring nor
/// how deep it goes; but it cannot do so for ever, as peers may stay away for good.
fn now_known(old: &Below, daemon: &Daemon, (own, name): (&ClusterId, &str)) -> Below {
    let (way, levels) = match daemon {
        Daemon::Cluster { tree } => (tree.way_to(own), tree.levels()),
        Daemon::Kubo { .. }
        | Daemon::GoCluster { .. }
        | Daemon::Untold { .. }
        | Daemon::Unknown { .. } => (None, 0),
    };
    let found = way.map(|way| ring(name, &way));
    let is_partial = found.is_none() && !daemon.is_whole() && old.partial < PARTIAL_MAX;
    Below {
        is_asked: true,
        ring: if is_partial { old.ring.clone() } else { found },
        levels: if is_partial { levels.max(old.levels) } else { levels },
        partial: if is_partial { old.partial + 1 } else { 0 },
    }
}

/// The names on the way, harmless to screens and logs; others chose them.
fn ring(name: &str, way: &[String]) -> String {
    let names = std::iter::once(name).chain(way.iter().map(String::as_str));
    let short = |name: &str| printable(&shortened(name, NAME_CHARS_MAX));
    names.map(short).collect::<Vec<_>>().join(" > ")
}

/// Whether another daemon answers now, or one that has lost pins or records: what was held there may not be.
fn may_hold_less(old: &Daemon, new: &Daemon) -> bool {
    match (old, new) {
        (Daemon::Cluster { tree: old }, Daemon::Cluster { tree: new }) => {
            old.id != new.id || new.pins < old.pins || lost(new) > lost(old)
        }
        (Daemon::Kubo { id: old }, Daemon::Kubo { id: new }) => old != new,
        (old, new) => std::mem::discriminant(old) != std::mem::discriminant(new),
    }
}

fn lost(tree: &Tree) -> u64 {
    let lost = |peer: &TreePeer| peer.unsettled.get(&PinStatus::UnexpectedlyUnpinned).copied();
    tree.peers.iter().filter_map(lost).sum()
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

#[cfg(test)]
mod tests {
    use super::*;
    use common::ids::PeerId;

    fn id(digit: char) -> ClusterId {
        String::from(digit).repeat(32).parse().unwrap()
    }

    fn cluster(digit: char, beside: Daemon) -> Daemon {
        let peer: PeerId = "12D3KooWSZ2ZmmbwDEcQsJwM2QWHLhiQWc5hUAGivYC9fDYPEPha".parse().unwrap();
        let peer = TreePeer {
            peer,
            name: "one".to_owned(),
            is_member: true,
            free: None,
            unsettled: [].into(),
            pin: None,
            daemon: Some(beside),
        };
        let above = Tree::above(id(digit), format!("{digit}\u{1b}"));
        Daemon::Cluster { tree: Box::new(Tree { is_above: false, peers: vec![peer], ..above }) }
    }

    fn unknown() -> Daemon {
        Daemon::Unknown { error: "silent".to_owned() }
    }

    #[test]
    fn an_answer_with_somebody_missing_does_not_open_a_ring_at_once() {
        let own = id('a');
        let top = Daemon::Cluster { tree: Box::new(Tree::above(own.clone(), "top".to_owned())) };
        let ask = |old: &Below, daemon: Daemon| now_known(old, &daemon, (&own, "top"));
        let ring = ask(&Below::default(), cluster('b', cluster('c', top)));
        assert_eq!(ring.ring.as_deref(), Some("top > b\u{fffd} > c\u{fffd} > top"));
        assert_eq!(ring.levels, 3);
        let mut known = ring.clone();
        for _ in 0..PARTIAL_MAX {
            known = ask(&known, cluster('b', unknown()));
            assert_eq!((&known.ring, known.levels), (&ring.ring, 3));
        }
        assert_eq!(ask(&known, cluster('b', unknown())).ring, None, "not for ever");
        let kubo = Daemon::Kubo { id: "k".to_owned() };
        assert_eq!(ask(&ring, cluster('b', kubo)).ring, None, "a whole answer counts");
    }

    #[test]
    fn another_daemon_or_one_that_lost_something_is_doubted() {
        let kubo = |id: &str| Daemon::Kubo { id: id.to_owned() };
        let with = |pins, lost| {
            let Daemon::Cluster { mut tree } = cluster('b', kubo("k")) else { unreachable!() };
            tree.pins = pins;
            tree.peers[0].unsettled.insert(PinStatus::UnexpectedlyUnpinned, lost);
            Daemon::Cluster { tree }
        };
        assert!(may_hold_less(&kubo("a"), &kubo("b")) && !may_hold_less(&kubo("a"), &kubo("a")));
        assert!(may_hold_less(&kubo("a"), &with(3, 0)) && may_hold_less(&with(3, 0), &kubo("a")));
        assert!(may_hold_less(&with(3, 0), &with(2, 0)) && may_hold_less(&with(3, 0), &with(3, 1)));
        assert!(!may_hold_less(&with(3, 1), &with(4, 0)));
        assert!(may_hold_less(&with(3, 0), &cluster('c', kubo("k"))));
    }
}

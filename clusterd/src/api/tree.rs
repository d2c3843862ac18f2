//! This cluster with all that is below it: each member tells what its daemon is, and a daemon that is a
//! cluster tells the same of itself.

use std::time::Duration;

use clusterd_core::effect::Refusal;
use common::api::error::{ApiError, ErrorCode};
use common::api::pins::{GlobalPinInfo, PinInfo};
use common::api::tree::{
    Beside, ClusterId, ClusterPin, DEPTH_MAX, Daemon, PeerPinState, Query, Tree, TreePeer,
};
use common::ids::{Cid, PeerId};
use common::pin::Replication;
use common::status::PinStatus;
use futures_util::StreamExt;
use tokio::time::timeout;

use super::capacity::capacity;
use super::others::ask_all;
use super::refusal::{bad, unexpected};
use super::rest::health::{one, told};
use super::room::Room;

/// How long all of it may take, where the caller does not say.
pub const WITHIN: Duration = Duration::from_secs(10);
/// Longest time that a caller may give.
const WITHIN_MAX: Duration = Duration::from_secs(60);
/// What each step down leaves for the way back up.
const STEP: Duration = Duration::from_millis(500);
/// Trees that are made at a time; each may be megabytes, and asks all members. More of them wait.
pub const TREES_MAX: usize = 32;
/// Largest tree that is told, in bytes of JSON: callers take 4 MiB.
const TREE_BYTES_MAX: usize = 3 << 20;

impl Room {
    /// This cluster with all below it; nothing is waited for longer than the query says.
    ///
    /// # Errors
    /// A query that means nothing, too little time, or a node that has stopped.
    pub async fn tree(&self, query: &Query) -> Result<Tree, ApiError> {
        let (own, name) = (self.me.cluster.clone(), self.me.cluster_name.clone());
        let above = above(query)?;
        if above.contains(&own) {
            return Ok(Tree::above(own, name));
        }
        let made = async {
            if query.shallow {
                return self.alone(query.cid).await;
            }
            let _place = self.trees.acquire().await.map_err(|_| unexpected())?;
            let mut below = query.clone();
            let all = above.iter().chain([&own]);
            below.above = all.map(ClusterId::to_string).collect::<Vec<_>>().join(",");
            let mut tree = self.alone(query.cid).await?;
            self.ask_members(&mut tree, &below, above.len()).await;
            Ok(bounded(tree))
        };
        let late = || ApiError::new(ErrorCode::DeadlineExceeded, "the tree was not made in time");
        timeout(given(query), made).await.unwrap_or_else(|_| Err(late()))
    }

    /// Why new pins are refused here; empty while they are not.
    fn refusal(&self) -> String {
        match self.me.is_follower {
            true => Refusal::Follower.to_string(),
            false => self.below.borrow().refusal(),
        }
    }

    /// This cluster without what stands beside its peers.
    async fn alone(&self, cid: Option<Cid>) -> Result<Tree, ApiError> {
        let members = told(self).await?;
        let known = members.known().into_iter().map(|peer| one(self, &members, peer));
        let mut peers: Vec<TreePeer> = known
            .map(|peer| TreePeer {
                peer: peer.peer,
                name: peer.peername,
                is_member: peer.member,
                free: peer.freespace,
                unsettled: Default::default(),
                pin: None,
                daemon: None,
            })
            .collect();
        peers.sort_by(|a, b| (&a.name, a.peer).cmp(&(&b.name, b.peer)));
        let pin = match cid {
            Some(cid) => Some(self.pin_in_cluster(&cid).await?),
            None => None,
        };
        let free: Vec<u64> =
            peers.iter().filter(|peer| peer.is_member).filter_map(|peer| peer.free).collect();
        let (replication_min, replication_max) = self.me.replication.factors();
        let counts = self.counts.borrow().clone();
        Ok(Tree {
            id: self.me.cluster.clone(),
            name: self.me.cluster_name.clone(),
            is_above: false,
            replication_min,
            replication_max,
            pins: counts.pins,
            free: (!free.is_empty()).then(|| capacity(self.me.replication, &free)),
            refuses: self.refusal(),
            pin,
            peers,
        })
    }

    /// Asks each member what stands beside it.
    async fn ask_members(&self, tree: &mut Tree, query: &Query, depth: usize) {
        let Some(query) = deeper(query) else {
            return mark_all(tree, &no_time().message);
        };
        if depth >= DEPTH_MAX {
            let words =
                format!("more than {DEPTH_MAX} clusters one above the other are not looked at");
            return mark_all(tree, &words);
        }
        let members = self.members.borrow().clone();
        let ask = |peer: PeerId| {
            let (query, is_own) = (query.clone(), peer == self.me.peer);
            let limit = Duration::from_millis(query.within_ms.unwrap_or_default());
            async move {
                // What it says may stop this cluster's pins.
                if !is_own && !self.trusted.includes(&peer) {
                    let words = "the peer is not trusted, and so not asked";
                    return Err(ApiError::new(ErrorCode::Forbidden, words));
                }
                let told = async {
                    match is_own {
                        true => self.beside(&query).await,
                        false => self.others.beside(peer, query.clone()).await,
                    }
                };
                let waited = timeout(limit, told).await;
                waited.unwrap_or_else(|_| {
                    let words = format!("the peer did not answer within {} ms", limit.as_millis());
                    Err(ApiError::new(ErrorCode::DeadlineExceeded, words))
                })
            }
        };
        let mut answers = std::pin::pin!(ask_all(&members, ask));
        while let Some((peer, answer)) = answers.next().await {
            let Some(entry) = tree.peers.iter_mut().find(|entry| entry.peer == peer) else {
                continue;
            };
            match answer {
                Ok(Beside { unsettled, pin, daemon }) => {
                    entry.unsettled = unsettled;
                    entry.pin = pin;
                    entry.daemon = Some(daemon);
                }
                Err(error) => entry.daemon = Some(Daemon::Unknown { error: error.message }),
            }
        }
        for silent in tree.peers.iter_mut().filter(|peer| peer.daemon.is_none()) {
            silent.daemon = Some(Daemon::Unknown { error: "the peer is silent".to_owned() });
        }
        if let Some(pin) = &mut tree.pin {
            let is_held = |peer: &&TreePeer| {
                peer.pin.as_ref().is_some_and(|pin| pin.status == PinStatus::Pinned)
            };
            pin.held = tree.peers.iter().filter(is_held).count() as u64;
        }
    }

    /// What stands beside this peer, and how it stands itself; nothing is waited for longer than the query
    /// says.
    ///
    /// # Errors
    /// A query that means nothing, or too little time.
    pub async fn beside(&self, query: &Query) -> Result<Beside, ApiError> {
        above(query)?;
        let limit = given(query);
        let pin = async {
            match query.cid {
                Some(cid) => Some(
                    self.status_here(cid)
                        .await
                        .map_or_else(|error| failed(error.message), pin_state),
                ),
                None => None,
            }
        };
        let daemon = async {
            match deeper(query) {
                Some(query) => self.kubo.below(query).await,
                None => Err(no_time()),
            }
        };
        let (pin, daemon) =
            timeout(limit, async { tokio::join!(pin, daemon) }).await.map_err(|_| no_time())?;
        Ok(Beside {
            unsettled: self.counts.borrow().unsettled.clone(),
            pin,
            daemon: daemon.unwrap_or_else(|error| Daemon::Unknown { error: error.message }),
        })
    }

    /// What the record of a pin asks for.
    async fn pin_in_cluster(&self, cid: &Cid) -> Result<ClusterPin, ApiError> {
        let Some(record) = self.record(cid).await? else { return Ok(ClusterPin::default()) };
        let members = self.members.borrow().len() as u64;
        let (needed, allocated) = match record.replication {
            Replication::Everywhere => (members, members),
            Replication::Between { min, .. } => {
                (u64::from(min.get()), record.allocations.len() as u64)
            }
            Replication::Unusable { .. } => (1, record.allocations.len() as u64),
        };
        Ok(ClusterPin { is_recorded: true, name: record.name, needed, allocated, held: 0 })
    }
}

fn above(query: &Query) -> Result<Vec<ClusterId>, ApiError> {
    query.clusters_above().map_err(|error| bad(error.to_string()))
}

/// How long the answer may take.
fn given(query: &Query) -> Duration {
    query.within_ms.map_or(WITHIN, Duration::from_millis).min(WITHIN_MAX)
}

/// The same question a step further down; `None` where no time is left for it.
fn deeper(query: &Query) -> Option<Query> {
    let left = given(query).checked_sub(STEP).filter(|left| !left.is_zero())?;
    Some(Query { within_ms: u64::try_from(left.as_millis()).ok(), ..query.clone() })
}

fn no_time() -> ApiError {
    ApiError::new(ErrorCode::DeadlineExceeded, "there was no time left to ask")
}

/// A tree that those above can read: what is below is left out of one that is too large.
fn bounded(mut tree: Tree) -> Tree {
    if serde_json::to_vec(&tree).is_ok_and(|json| json.len() <= TREE_BYTES_MAX) {
        return tree;
    }
    for peer in &mut tree.peers {
        if matches!(peer.daemon, Some(Daemon::Cluster { .. })) {
            let error = "left out: the tree is too large to be told; ask that cluster".to_owned();
            peer.daemon = Some(Daemon::Unknown { error });
        }
    }
    tree
}

fn mark_all(tree: &mut Tree, words: &str) {
    for peer in &mut tree.peers {
        peer.daemon = Some(Daemon::Unknown { error: words.to_owned() });
    }
}

/// The state in what one peer tells of a pin.
pub fn pin_state(mut state: GlobalPinInfo) -> PeerPinState {
    match state.peer_map.pop_first() {
        Some((_, PinInfo { status, error, progress, .. })) => {
            PeerPinState { status, error, progress }
        }
        None => failed("there is no state of this pin".to_owned()),
    }
}

/// That the state of a pin cannot be said.
pub fn failed(error: String) -> PeerPinState {
    PeerPinState { status: PinStatus::ClusterError, error, progress: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_leaves_time_for_the_way_back() {
        let query = |millis| Query { within_ms: Some(millis), ..Query::default() };
        assert_eq!(deeper(&query(2000)).unwrap().within_ms, Some(1500));
        assert_eq!(deeper(&query(500)), None);
        assert_eq!(deeper(&Query::default()).unwrap().within_ms, Some(9500));
        assert_eq!(deeper(&query(u64::MAX)).unwrap().within_ms, Some(59_500));
    }
}

//! Who is connected to whom: every member is asked whom it sees, and whom its Kubo is connected to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue};
use common::api::error::ApiError;
use common::api::health::{ConnectGraph, MISSING};
use common::api::peers::IdInfo;
use common::ids::PeerId;
use futures_util::StreamExt;
use tokio::time::timeout;

use super::super::kubo::Soon;
use super::super::others::ask_all;
use super::super::reply::{Answered, json};
use super::super::room::Room;
use crate::config::Trusted;

/// For the list of one Kubo's connections: less than a peer has for its whole answer, so that who is
/// slow with this is still in the graph.
const SWARM_MAX: Duration = Duration::from_secs(7);

/// What one member told: who it is, and whom its Kubo is connected to.
type Told = (IdInfo, Vec<PeerId>);

pub(in super::super) async fn graph(State(room): State<Arc<Room>>) -> Answered {
    let own = room.me.peer;
    let members = room.members.borrow().clone();
    let mut graph = begun(own, &members, &room.trusted);
    let mut missing = BTreeSet::new();
    let ask = |peer| match peer == own {
        true => with_swarm(Box::pin(async { Ok(room.id().await) }), room.kubo.swarm_peers()),
        false => with_swarm(room.others.id(peer), room.others.swarm_peers(peer)),
    };
    let mut answers = std::pin::pin!(ask_all(&members, ask));
    while let Some((peer, told)) = answers.next().await {
        match told {
            Ok(told) => add(&mut graph, peer, told),
            Err(error) => {
                tracing::debug!(%peer, %error, "a peer is missing in the graph");
                missing.insert(peer.to_string());
            }
        }
    }
    let mut answer = json(&graph)?;
    let missing = Vec::from_iter(missing).join(", ");
    if let Some(missing) = HeaderValue::try_from(missing).ok().filter(|names| !names.is_empty()) {
        answer.headers_mut().insert(HeaderName::from_static(MISSING), missing);
    }
    Ok(answer)
}

/// A Kubo that does not tell has no connections, as in Go.
async fn with_swarm(id: Soon<'_, IdInfo>, swarm: Soon<'_, Vec<PeerId>>) -> Result<Told, ApiError> {
    let (id, swarm) = tokio::join!(id, timeout(SWARM_MAX, swarm));
    Ok((id?, swarm.ok().and_then(Result::ok).unwrap_or_default()))
}

/// All members, without a link.
fn begun(own: PeerId, members: &BTreeSet<PeerId>, trusted: &Trusted) -> ConnectGraph {
    let trusts = |peer: &PeerId| *peer == own || trusted.includes(peer);
    ConnectGraph {
        cluster_id: own,
        id_to_peername: BTreeMap::new(),
        ipfs_links: BTreeMap::new(),
        cluster_links: members.iter().map(|peer| (*peer, Vec::new())).collect(),
        cluster_trust_links: members.iter().map(|peer| (*peer, trusts(peer))).collect(),
        cluster_to_ipfs: BTreeMap::new(),
    }
}

/// Links lead to members alone: Go's `health graph` breaks off at one that leads elsewhere.
fn add(graph: &mut ConnectGraph, peer: PeerId, (id, swarm): Told) {
    graph.id_to_peername.insert(peer, id.peername);
    let is_member = |seen: &PeerId| *seen != peer && graph.cluster_links.contains_key(seen);
    let links: BTreeSet<PeerId> = id.cluster_peers.into_iter().filter(is_member).collect();
    graph.cluster_links.insert(peer, links.into_iter().collect());
    if let Some(kubo) = id.ipfs.id.filter(|_| id.ipfs.error.is_empty()) {
        graph.cluster_to_ipfs.insert(peer, kubo);
        graph.ipfs_links.insert(kubo, swarm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::api::peers::IpfsInfo;

    fn peer(number: usize) -> PeerId {
        let ids = [
            "12D3KooWPU2wk6iUQAcXnhcPm7z5TzpGe6fe9HZYrmDfWz3FJCHt",
            "12D3KooWSUmugQVfogFSJyTSqNpXmGmreFgPncRsbcuQyASKoN6G",
            "12D3KooWSZ2ZmmbwDEcQsJwM2QWHLhiQWc5hUAGivYC9fDYPEPha",
            "12D3KooWLeTYRzRbbd38BbSMF5Tntgo7ridMziK8FUr4R7cj478q",
        ];
        ids[number].parse().unwrap()
    }

    fn told(number: usize, sees: &[usize], kubo: IpfsInfo) -> Told {
        let id = IdInfo {
            id: peer(number),
            addresses: Vec::new(),
            cluster_peers: sees.iter().map(|seen| peer(*seen)).collect(),
            cluster_peers_addresses: Vec::new(),
            version: String::new(),
            commit: String::new(),
            rpc_protocol_version: String::new(),
            error: String::new(),
            ipfs: kubo,
            peername: format!("peer {number}"),
        };
        (id, vec![peer(3)])
    }

    #[test]
    fn links_lead_to_members_and_a_dead_kubo_has_none() {
        let members = BTreeSet::from([peer(0), peer(1)]);
        let trusted = Trusted::Only(Vec::new());
        let mut graph = begun(peer(0), &members, &trusted);
        let kubo = IpfsInfo { id: Some(peer(3)), ..IpfsInfo::default() };
        // Its list may name itself, somebody twice, and somebody whom we do not count.
        add(&mut graph, peer(0), told(0, &[0, 1, 1, 2], kubo.clone()));
        let dead = IpfsInfo { error: "refused".to_owned(), ..kubo };
        add(&mut graph, peer(1), told(1, &[], dead));
        assert_eq!(graph.cluster_links, [(peer(0), vec![peer(1)]), (peer(1), vec![])].into());
        assert_eq!(graph.cluster_trust_links, [(peer(0), true), (peer(1), false)].into());
        assert_eq!(graph.cluster_to_ipfs, [(peer(0), peer(3))].into());
        assert_eq!(graph.ipfs_links, [(peer(3), vec![peer(3)])].into());
        assert_eq!(graph.id_to_peername[&peer(1)], "peer 1");
    }
}

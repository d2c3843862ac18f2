//! `/pins`: how far pins are at each peer, and trying failed ones again.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use common::api::error::ApiError;
use common::api::pins::{GlobalPinInfo, PinInfo};
use common::api::time::WireTime;
use common::ids::{Cid, PeerId};
use common::pin::Replication;
use common::status::{PinStatus, StatusFilter};
use futures_util::StreamExt;

use super::super::here::PinStates;
use super::super::others::{ask_all, hides, others};
use super::super::refusal::bad;
use super::super::reply::{Answered, json, nothing, stream};
use super::super::room::Room;
use super::gather::Gathered;
use super::{Parameters, bad_filter, cid, parameter};

/// CIDs in one `cids` list: as many as fit into a head of hyper's size.
const CIDS_MAX: usize = 5000;

pub(in super::super) async fn status_all(
    State(room): State<Arc<Room>>,
    Query(query): Parameters,
) -> Answered {
    let filter = parameter(&query, "filter").unwrap_or_default();
    let filter = StatusFilter::parse(filter).map_err(|_| bad_filter())?;
    let is_local = parameter(&query, "local") == Some("true");
    if let Some(cids) = parameter(&query, "cids") {
        return status_of(room, cids, filter, is_local);
    }
    let here = room.statuses_here(filter).await?;
    if is_local {
        return list(here).await;
    }
    let mut gathered = Gathered::default();
    let ask = |peer| gathered_list(room.others.status_all(peer, filter));
    gathered.take_all(&room, here, ask).await?;
    send(gathered)
}

/// What one peer tells, whole or not at all.
async fn gathered_list(mut list: PinStates) -> Result<Vec<GlobalPinInfo>, ApiError> {
    let mut whole = Vec::new();
    while let Some(state) = list.recv().await {
        whole.push(state?);
    }
    Ok(whole)
}

/// States of this peer alone, as they come.
async fn list(mut states: PinStates) -> Answered {
    let Some(first) = states.recv().await.transpose()? else { return Ok(nothing()) };
    let (mut lines, response) = stream();
    tokio::spawn(async move {
        let mut next = Some(Ok(first));
        while let Some(state) = next {
            // A failure, or a client that left, cuts the answer off.
            let Ok(state) = state else { return };
            if lines.json(&state).await.is_err() {
                return;
            }
            next = states.recv().await;
        }
        lines.end();
    });
    Ok(response)
}

fn send(gathered: Gathered) -> Answered {
    let states = gathered.into_states();
    if states.is_empty() {
        return Ok(nothing());
    }
    let (mut lines, response) = stream();
    tokio::spawn(async move {
        for state in states.values() {
            if lines.json(state).await.is_err() {
                return;
            }
        }
        lines.end();
    });
    Ok(response)
}

fn status_of(room: Arc<Room>, cids: &str, filter: StatusFilter, is_local: bool) -> Answered {
    let cids = cids.split(',').map(cid).collect::<Result<Vec<_>, _>>()?;
    if cids.len() > CIDS_MAX {
        return Err(bad(format!("cids has more than {CIDS_MAX} elements")).into());
    }
    let (mut lines, response) = stream();
    tokio::spawn(async move {
        for cid in cids {
            let info = match is_local {
                true => room.status_here(cid).await,
                false => status_everywhere(&room, cid).await,
            };
            let Ok(info) = info else { return };
            let is_listed = info.peer_map.values().any(|peer| filter.admits(peer.status));
            if is_listed && lines.json(&info).await.is_err() {
                return;
            }
        }
        lines.end();
    });
    Ok(response)
}

pub(in super::super) async fn status(
    State(room): State<Arc<Room>>,
    Path(text): Path<String>,
    Query(query): Parameters,
) -> Answered {
    let cid = cid(&text)?;
    if parameter(&query, "local") == Some("true") {
        return json(&room.status_here(cid).await?);
    }
    json(&status_everywhere(&room, cid).await?)
}

/// The peers that know a pin's state: those that shall hold it; all for one that is not in the pinset.
async fn concerned(room: &Room, cid: &Cid) -> Result<BTreeSet<PeerId>, ApiError> {
    let members = room.members.borrow().clone();
    let all = others(&members, &room.me.peer);
    Ok(match room.record(cid).await? {
        Some(pin) if pin.replication != Replication::Everywhere => {
            others(&pin.allocations.into_iter().collect(), &room.me.peer)
        }
        Some(_) | None => all,
    })
}

/// One pin at all members. Source: `globalPinInfoCid` of Go ipfs-cluster.
async fn status_everywhere(room: &Room, cid: Cid) -> Result<GlobalPinInfo, ApiError> {
    let here = room.status_here(cid).await?;
    at_all(room, cid, here, |peer| room.others.status(peer, cid)).await
}

/// Joins the state here with what the peers that are concerned answer.
async fn at_all<'a, F>(
    room: &'a Room,
    cid: Cid,
    mut state: GlobalPinInfo,
    ask: impl Fn(PeerId) -> F + 'a,
) -> Result<GlobalPinInfo, ApiError>
where
    F: Future<Output = Result<GlobalPinInfo, ApiError>> + 'a,
{
    let concerned = concerned(room, &cid).await?;
    let mut answers = std::pin::pin!(ask_all(&concerned, ask));
    while let Some((peer, answer)) = answers.next().await {
        match answer {
            Ok(told) => state.peer_map.extend(told.peer_map),
            Err(error) if hides(&error) => {}
            Err(error) => {
                state.peer_map.insert(peer, unreachable_at(room, &peer, &error));
            }
        }
    }
    let members = room.members.borrow().clone();
    for peer in members.iter().filter(|peer| !concerned.contains(peer)) {
        let remote = || unasked(room, peer, PinStatus::Remote, String::new());
        state.peer_map.entry(*peer).or_insert_with(remote);
    }
    Ok(state)
}

/// The entry of a peer that could not be asked.
pub(super) fn unreachable_at(room: &Room, peer: &PeerId, error: &ApiError) -> PinInfo {
    unasked(room, peer, PinStatus::ClusterError, error.message.clone())
}

/// What is known of a pin at a peer without asking it.
fn unasked(room: &Room, peer: &PeerId, status: PinStatus, error: String) -> PinInfo {
    PinInfo {
        peername: room.others.name(peer),
        ipfs_peer_id: None,
        ipfs_peer_addresses: Vec::new(),
        status,
        timestamp: WireTime::from_millis(room.door.now().0),
        error,
        attempt_count: 0,
        priority_pin: false,
        progress: None,
    }
}

pub(in super::super) async fn recover(
    State(room): State<Arc<Room>>,
    Path(text): Path<String>,
    Query(query): Parameters,
) -> Answered {
    let cid = cid(&text)?;
    let here = room.recover_here(cid).await?;
    if parameter(&query, "local") == Some("true") {
        return json(&here);
    }
    json(&at_all(&room, cid, here, |peer| room.others.recover(peer, cid)).await?)
}

pub(in super::super) async fn recover_all(
    State(room): State<Arc<Room>>,
    Query(query): Parameters,
) -> Answered {
    let here = room.recover_all_here().await?;
    if parameter(&query, "local") == Some("true") {
        return list(here).await;
    }
    let mut gathered = Gathered::default();
    gathered.take_all(&room, here, |peer| gathered_list(room.others.recover_all(peer))).await?;
    send(gathered)
}

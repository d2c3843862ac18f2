//! Who is there, how they are, and collecting garbage everywhere; with one peer, that peer.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use clusterd_core::effect::Answer;
use clusterd_core::input::Input;
use common::api::composite::Summary;
use common::api::peers::{IdInfo, IpfsInfo, VersionInfo};
use common::api::repo::{GlobalRepoGc, RepoGc, RepoGcKey};

use super::super::reply::{Answered, json, stream};
use super::super::room::{Room, VERSION};

pub(in super::super) async fn id(State(room): State<Arc<Room>>) -> Answered {
    json(&this_peer(&room).await)
}

pub(in super::super) async fn version() -> Answered {
    json(&VersionInfo { version: VERSION.to_owned() })
}

pub(in super::super) async fn peers(State(room): State<Arc<Room>>) -> Answered {
    let (mut lines, response) = stream();
    tokio::spawn(async move {
        if lines.json(&this_peer(&room).await).await.is_ok() {
            lines.end();
        }
    });
    Ok(response)
}

async fn this_peer(room: &Room) -> IdInfo {
    let ipfs = room
        .kubo
        .id()
        .await
        .unwrap_or_else(|error| IpfsInfo { error: error.message, ..IpfsInfo::default() });
    let me = &room.me;
    IdInfo {
        id: me.peer,
        addresses: me.addresses.clone(),
        cluster_peers: vec![me.peer],
        cluster_peers_addresses: Vec::new(),
        version: VERSION.to_owned(),
        commit: String::new(),
        rpc_protocol_version: IdInfo::RPC_PROTOCOL_VERSION.to_owned(),
        error: String::new(),
        ipfs,
        peername: me.peername.clone(),
    }
}

pub(in super::super) async fn collect(State(room): State<Arc<Room>>) -> Answered {
    let _alone = room.collecting.lock().await;
    let mut gc = RepoGc {
        peer: room.me.peer,
        peername: room.me.peername.clone(),
        keys: Vec::new(),
        error: String::new(),
    };
    let mut steps = room.kubo.collect();
    while let Some(step) = steps.recv().await {
        match step {
            Ok(Ok(cid)) => gc.keys.push(RepoGcKey { key: Some(cid), error: String::new() }),
            Ok(Err(error)) => gc.keys.push(RepoGcKey { key: None, error }),
            Err(error) => gc.error = error.message,
        }
    }
    json(&GlobalRepoGc { peer_map: BTreeMap::from([(room.me.peer, gc)]) })
}

pub(in super::super) async fn summary(State(room): State<Arc<Room>>) -> Answered {
    let (mut running, mut waiting) = (0, 0);
    let asked = room.door.answer(|waiter| Input::Operations { waiter }).await?;
    if let Answer::Operations { running: operations, waiting: others, .. } = asked {
        running = operations.len() as u64;
        waiting = others;
    }
    let ipfs = room.kubo.id().await;
    let counts = room.counts.borrow().clone();
    json(&Summary {
        peername: room.me.peername.clone(),
        version: VERSION.to_owned(),
        pins: counts.pins,
        unsettled: counts.unsettled,
        running,
        waiting,
        ipfs_reachable: ipfs.is_ok(),
        ipfs_error: ipfs.err().map(|error| error.message).unwrap_or_default(),
    })
}

//! Who is there, how they are, and collecting garbage everywhere; with one peer, that peer.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use clusterd_core::effect::Answer;
use clusterd_core::input::Input;
use common::api::composite::Summary;
use common::api::error::ApiError;
use common::api::peers::VersionInfo;
use common::api::repo::{GlobalRepoGc, RepoGc};

use super::super::others::{hides, others};
use super::super::reply::{Answered, json, nothing, stream};
use super::super::room::{Room, VERSION};
use super::{Parameters, parameter, peer};

pub(in super::super) async fn id(State(room): State<Arc<Room>>) -> Answered {
    json(&room.id().await)
}

pub(in super::super) async fn version() -> Answered {
    json(&VersionInfo { version: VERSION.to_owned() })
}

pub(in super::super) async fn peers(State(room): State<Arc<Room>>) -> Answered {
    let (mut lines, response) = stream();
    let mut ids = room.ids();
    tokio::spawn(async move {
        while let Some(id) = ids.recv().await {
            if lines.json(&id).await.is_err() {
                return;
            }
        }
        lines.end();
    });
    Ok(response)
}

/// As Go: no content, or an error.
pub(in super::super) async fn remove(
    State(room): State<Arc<Room>>,
    Path(text): Path<String>,
) -> Answered {
    room.remove_peer(peer(&text)?).await?;
    Ok(nothing())
}

/// On one peer after the other, so that never all of them are busy with it; with `local` here alone.
pub(in super::super) async fn collect(
    State(room): State<Arc<Room>>,
    Query(query): Parameters,
) -> Answered {
    let own = room.me.peer;
    let mut peer_map = BTreeMap::from([(own, room.collect_here().await)]);
    let members = room.members.borrow().clone();
    let is_local = parameter(&query, "local") == Some("true");
    for peer in others(&members, &own).into_iter().filter(|_| !is_local) {
        match room.others.collect(peer).await {
            Ok(gc) => {
                peer_map.insert(peer, gc);
            }
            Err(error) if hides(&error) => {}
            Err(error) => {
                let (peername, keys) = (room.others.name(&peer), Vec::new());
                peer_map.insert(peer, RepoGc { peer, peername, keys, error: error.message });
            }
        }
    }
    json(&GlobalRepoGc { peer_map })
}

pub(in super::super) async fn summary(State(room): State<Arc<Room>>) -> Answered {
    json(&summed_up(&room).await?)
}

/// Counts and health of this peer.
pub(super) async fn summed_up(room: &Room) -> Result<Summary, ApiError> {
    let (mut running, mut waiting) = (0, 0);
    let asked = room.door.answer(|waiter| Input::Operations { waiter }).await?;
    if let Answer::Operations { running: operations, waiting: others, .. } = asked {
        running = operations.len() as u64;
        waiting = others;
    }
    let ipfs = room.kubo.id().await;
    let counts = room.counts.borrow().clone();
    Ok(Summary {
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

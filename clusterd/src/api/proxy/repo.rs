//! `repo/stat` and `repo/gc` over all peers; with one peer, over its Kubo.

use std::sync::Arc;

use axum::extract::{Query, State};
use common::api::proxy::{RepoGcEvent, RepoStat, RepoStatQuery};

use super::super::reply::{Answered, Gone, Lines, json, stream};
use super::super::room::Room;

pub(in super::super) async fn repo_stat(
    State(room): State<Arc<Room>>,
    Query(query): Query<RepoStatQuery>,
) -> Answered {
    match room.kubo.repo_stat(query.size_only).await {
        Ok(stat) => json(&stat),
        Err(error) => {
            tracing::warn!(%error, "cannot measure the repository");
            let missing = vec![room.me.peername.clone()];
            json(&RepoStat { missing, ..RepoStat::default() })
        }
    }
}

pub(in super::super) async fn repo_gc(State(room): State<Arc<Room>>) -> Answered {
    let (lines, response) = stream();
    tokio::spawn(async move {
        // Whoever left needs no answer; dropping the steps ends the collection.
        drop(serve(&room, lines).await);
    });
    Ok(response)
}

async fn serve(room: &Room, mut lines: Lines) -> Result<(), Gone> {
    let _alone = room.collecting.lock().await;
    let mut steps = room.kubo.collect();
    while let Some(step) = steps.recv().await {
        let error = |message| RepoGcEvent::Error { peer: room.me.peername.clone(), message };
        let event = match step {
            Ok(Ok(cid)) => RepoGcEvent::Removed(cid.to_string()),
            Ok(Err(message)) => error(message),
            Err(failure) => error(failure.message),
        };
        lines.json(&event).await?;
    }
    lines.json(&RepoGcEvent::Done).await?;
    lines.end();
    Ok(())
}

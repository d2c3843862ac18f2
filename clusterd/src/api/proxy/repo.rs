//! `repo/stat` and `repo/gc` over all members.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use common::api::proxy::{RepoGcEvent, RepoStat, RepoStatQuery};
use common::ids::PeerId;
use futures_util::StreamExt;

use super::super::others::{ask_all, others};
use super::super::reply::{Answered, Gone, Lines, json, nothing, stream};
use super::super::room::Room;

pub(in super::super) async fn repo_stat(
    State(room): State<Arc<Room>>,
    Query(query): Query<RepoStatQuery>,
) -> Answered {
    let mut sum = match room.kubo.repo_stat(query.size_only).await {
        Ok(stat) => stat,
        Err(error) => {
            tracing::warn!(%error, "cannot measure the repository");
            let missing = vec![room.me.peername.clone()];
            RepoStat { missing, ..RepoStat::default() }
        }
    };
    let counts = !query.size_only;
    let others = with_own_kubo(&room);
    let mut seen: BTreeSet<PeerId> = room.kubo.known_id().into_iter().collect();
    let mut answers = std::pin::pin!(ask_all(&others, |peer| room.others.repo(peer, counts)));
    while let Some((peer, repo)) = answers.next().await {
        match repo {
            // Its pings have not told yet that it shares the Kubo of another.
            Ok(repo) if repo.kubo.is_some_and(|kubo| !seen.insert(kubo)) => {}
            Ok(repo) => {
                sum.repo_size = sum.repo_size.saturating_add(repo.used);
                sum.storage_max = sum.storage_max.saturating_add(repo.allowed);
                match repo.objects {
                    Some(objects) => sum.num_objects = sum.num_objects.saturating_add(objects),
                    None if counts => sum.missing.push(room.others.name(&peer)),
                    None => {}
                }
            }
            Err(error) => {
                tracing::warn!(%peer, %error, "cannot measure the repository of a peer");
                sum.missing.push(room.others.name(&peer));
            }
        }
    }
    json(&sum)
}

/// The other members, one for each Kubo: a Kubo that serves two peers counts once.
fn with_own_kubo(room: &Room) -> BTreeSet<PeerId> {
    let mut seen: BTreeSet<PeerId> = room.kubo.known_id().into_iter().collect();
    let mut others = others(&room.members.borrow(), &room.me.peer);
    others.retain(|peer| room.others.kubo(peer).is_none_or(|kubo| seen.insert(kubo)));
    others
}

/// Kubo has just been given blocks without a pin.
pub(in super::super) async fn unpinned(State(room): State<Arc<Room>>) -> Response {
    room.unpinned.note();
    nothing()
}

pub(in super::super) async fn repo_gc(State(room): State<Arc<Room>>) -> Answered {
    let (lines, response) = stream();
    tokio::spawn(async move {
        // Whoever left needs no answer; dropping the steps ends the collection here.
        drop(serve(&room, lines).await);
    });
    Ok(response)
}

/// One peer after the other, so that never all of them are busy with it.
async fn serve(room: &Room, mut lines: Lines) -> Result<(), Gone> {
    collect_here(room, &mut lines).await?;
    for peer in with_own_kubo(room) {
        let name = room.others.name(&peer);
        let error = |message| RepoGcEvent::Error { peer: name.clone(), message };
        match room.others.collect(peer).await {
            Ok(gc) => {
                for key in gc.keys {
                    let event = match key.key {
                        Some(cid) => RepoGcEvent::Removed(cid.to_string()),
                        None => error(key.error),
                    };
                    lines.json(&event).await?;
                }
                if !gc.error.is_empty() {
                    lines.json(&error(gc.error)).await?;
                }
            }
            Err(failure) => lines.json(&error(failure.message)).await?,
        }
    }
    lines.json(&RepoGcEvent::Done).await?;
    lines.end();
    Ok(())
}

async fn collect_here(room: &Room, lines: &mut Lines) -> Result<(), Gone> {
    let error = |message| RepoGcEvent::Error { peer: room.me.peername.clone(), message };
    let mut collection = match room.collection().await {
        Ok(collection) => collection,
        Err(refusal) => return lines.json(&error(refusal.message)).await,
    };
    while let Some(step) = collection.next().await {
        let event = match step {
            Ok(Ok(cid)) => RepoGcEvent::Removed(cid.to_string()),
            Ok(Err(message)) => error(message),
            Err(failure) => error(failure.message),
        };
        lines.json(&event).await?;
    }
    Ok(())
}

//! `repo/stat` and `repo/gc` over all members.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use common::api::proxy::{RepoGcEvent, RepoStat, RepoStatQuery};
use common::ids::PeerId;
use common::pin::Replication;
use futures_util::StreamExt;

use super::super::capacity::capacity;
use super::super::others::{ask_all, others};
use super::super::reply::{Answered, Gone, Lines, json, nothing, stream};
use super::super::room::Room;

pub(in super::super) async fn repo_stat(
    State(room): State<Arc<Room>>,
    Query(query): Query<RepoStatQuery>,
) -> Answered {
    let mut spaces = Spaces::default();
    let mut sum = match room.kubo.repo_stat(query.size_only).await {
        Ok(stat) => {
            spaces.add(stat.repo_size, stat.storage_max);
            stat
        }
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
                spaces.add(repo.used, repo.allowed);
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
    (sum.repo_size, sum.storage_max) = (spaces.used, spaces.allowed(room.me.replication));
    json(&sum)
}

/// What the Kubos that answered use and have.
#[derive(Default)]
struct Spaces {
    used: u64,
    free: Vec<u64>,
    /// Bytes allowed at the last one.
    last: u64,
}

impl Spaces {
    fn add(&mut self, used: u64, allowed: u64) {
        self.used = self.used.saturating_add(used);
        self.free.push(allowed.saturating_sub(used));
        self.last = allowed;
    }

    /// A main cluster takes this less the bytes used for free space, so that the difference is what can
    /// be added. A single Kubo is told of as it tells of itself, full beyond its limit or not.
    fn allowed(&self, replication: Replication) -> u64 {
        match self.free.len() {
            1 => self.last,
            _ => self.used.saturating_add(capacity(replication, &self.free)),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn spaces(kubos: &[(u64, u64)]) -> Spaces {
        let mut spaces = Spaces::default();
        kubos.iter().for_each(|(used, allowed)| spaces.add(*used, *allowed));
        spaces
    }

    #[test]
    fn one_kubo_is_told_of_as_it_tells_of_itself() {
        for kubo in [(5, 9), (9, 5), (0, 0), (7, u64::MAX)] {
            assert_eq!(spaces(&[kubo]).allowed(Replication::Everywhere), kubo.1);
        }
        assert_eq!(spaces(&[]).allowed(Replication::Everywhere), 0);
    }

    #[test]
    fn of_several_the_difference_is_what_can_be_added() {
        let two = spaces(&[(10, 100), (20, 50)]);
        assert_eq!((two.used, two.allowed(Replication::Everywhere)), (30, 60));
        assert_eq!(two.allowed(Replication::from_stored(1, 1)), 150);
        let unlimited = spaces(&[(10, u64::MAX), (20, u64::MAX)]);
        assert_eq!(unlimited.allowed(Replication::Everywhere), u64::MAX);
        let over_full = spaces(&[(10, 5), (20, 50)]);
        assert_eq!(over_full.allowed(Replication::Everywhere), 30);
    }
}

//! This peer as others call it.

use std::sync::Arc;

use clusterd_core::effect::Answer;
use clusterd_core::input::{Input, Until};
use common::api::error::ApiError;
use common::api::peers::{IdInfo, VersionInfo};
use common::api::pins::GlobalPinInfo;
use common::api::repo::RepoGc;
use common::api::tree::{Beside, Query};
use common::ids::{Cid, PeerId};
use common::pin::Pin;
use common::status::StatusFilter;
use tokio::sync::Semaphore;

use super::put_blocks::in_batches;
use super::watchers::Watchers;
use crate::api::here::PinStates;
use crate::api::room::{Room, VERSION};
use crate::net::gorpc::items::{Feed, Items, Refusal, items};
use crate::net::gorpc::peer::{Peer, Soon};
use crate::net::gorpc::types::{
    Asked, BlockPut, CountedRepo, Heads, IpfsRepoStat, PeerPin, Reports,
};

/// Elements of a list that wait to be written.
const WAITING_MAX: usize = 64;

/// Batches of blocks that Kubo is given at a time, whoever sends them; more wait, and their senders with
/// them.
const BATCHES_MAX: usize = 8;

/// Answers the calls of other peers out of what the API shows here.
pub struct RpcPeer {
    room: Arc<Room>,
    watchers: Watchers,
    /// Places for batches on their way into Kubo.
    putting: Semaphore,
}

impl RpcPeer {
    /// Answers for `room`, and lets those watch who want to.
    #[must_use]
    pub fn new(room: Arc<Room>, watchers: Watchers) -> Self {
        Self { room, watchers, putting: Semaphore::new(BATCHES_MAX) }
    }
}

impl Peer for RpcPeer {
    fn trusts(&self, caller: &PeerId) -> bool {
        self.room.trusted.includes(caller)
    }

    fn id(&self) -> Soon<'_, IdInfo> {
        Box::pin(async { Ok(self.room.id().await) })
    }

    fn add_peer(&self, peer: PeerId) -> Soon<'_, IdInfo> {
        Box::pin(async move {
            let mut joiner = self.room.others.id(peer).await.map_err(refusal)?;
            if !joiner.cluster_peers.contains(&self.room.me.peer) {
                joiner.cluster_peers.push(self.room.me.peer);
            }
            Ok(joiner)
        })
    }

    fn remove_peer(&self, peer: PeerId) -> Soon<'_, ()> {
        Box::pin(async move { self.room.remove_peer(peer).await.map_err(refusal) })
    }

    fn version(&self) -> VersionInfo {
        VersionInfo { version: VERSION.to_owned() }
    }

    fn peers(&self) -> Items<IdInfo> {
        let (feed, list) = items(WAITING_MAX);
        let room = Arc::clone(&self.room);
        tokio::spawn(async move {
            let mut peers = room.ids();
            while let Some(peer) = peers.recv().await {
                if feed.send(peer).await.is_err() {
                    return;
                }
            }
            feed.end().await;
        });
        list
    }

    fn status(&self, cid: Cid) -> Soon<'_, PeerPin> {
        Box::pin(async move { one(self.room.status_here(cid).await) })
    }

    fn status_all(&self, filter: StatusFilter) -> Items<PeerPin> {
        let (feed, list) = items(WAITING_MAX);
        let room = Arc::clone(&self.room);
        tokio::spawn(async move { hand_on(room.statuses_here(filter).await, feed).await });
        list
    }

    fn recover(&self, cid: Cid) -> Soon<'_, PeerPin> {
        Box::pin(async move { one(self.room.recover_here(cid).await) })
    }

    fn recover_all(&self) -> Items<PeerPin> {
        let (feed, list) = items(WAITING_MAX);
        let room = Arc::clone(&self.room);
        tokio::spawn(async move { hand_on(room.recover_all_here().await, feed).await });
        list
    }

    fn collect(&self) -> Soon<'_, RepoGc> {
        Box::pin(async { Ok(self.room.collect_here().await) })
    }

    fn repo_stat(&self) -> Soon<'_, IpfsRepoStat> {
        Box::pin(async {
            let stat = self.room.kubo.repo_stat(true).await.map_err(refusal)?;
            Ok(IpfsRepoStat { repo_size: stat.repo_size, storage_max: stat.storage_max })
        })
    }

    fn counted_repo(&self) -> Soon<'_, CountedRepo> {
        Box::pin(async {
            let stat = self.room.kubo.repo_stat(false).await.map_err(refusal)?;
            let (repo_size, storage_max) = (stat.repo_size, stat.storage_max);
            let (num_objects, kubo) = (stat.num_objects, self.room.kubo.known_id());
            Ok(CountedRepo { repo_size, storage_max, num_objects, kubo })
        })
    }

    fn beside(&self, query: Query) -> Soon<'_, Beside> {
        Box::pin(async move { self.room.beside(&query).await.map_err(refusal) })
    }

    fn swarm_peers(&self) -> Soon<'_, Vec<PeerId>> {
        Box::pin(async { self.room.kubo.swarm_peers().await.map_err(refusal) })
    }

    fn put_blocks(&self, blocks: Items<BlockPut>) -> Soon<'_, ()> {
        Box::pin(in_batches(blocks, move |batch| async move {
            let _place =
                self.putting.acquire().await.map_err(|error| Refusal(error.to_string()))?;
            self.room.unpinned.note();
            self.room.kubo.put_blocks(batch).await.map_err(refusal)
        }))
    }

    fn log_pin(&self, pin: Pin) -> Soon<'_, ()> {
        Box::pin(async move {
            let pins = vec![pin];
            let asked = self.room.door.answer(|waiter| Input::Import { waiter, pins }).await;
            if let Answer::Refused(refused) = asked.map_err(refusal)? {
                return Err(Refusal(refused.to_string()));
            }
            Ok(())
        })
    }

    fn log_unpin(&self, pin: Pin) -> Soon<'_, ()> {
        Box::pin(async move {
            let (cids, recursive, until) = (vec![pin.cid], true, Until::Accepted);
            let asked = self.room.door.answer(|waiter| Input::Unpin {
                waiter,
                request: None,
                cids,
                recursive,
                until,
            });
            match asked.await.map_err(refusal)? {
                Answer::Refused(refused) => Err(Refusal(refused.to_string())),
                Answer::Done { .. }
                | Answer::Progress { .. }
                | Answer::Status { .. }
                | Answer::Operations { .. }
                | Answer::History { .. }
                | Answer::Members(_)
                | Answer::Imported { .. }
                | Answer::Repin(_)
                | Answer::Recovering { .. } => Ok(()),
            }
        })
    }

    fn heads(&self) -> Soon<'_, Heads> {
        Box::pin(async {
            match self.room.door.answer(|waiter| Input::History { waiter }).await {
                Ok(Answer::History { heads, .. }) => {
                    Ok(Heads(heads.into_iter().map(|(head, _)| head).collect()))
                }
                Ok(_) => Err(Refusal("the node gave an answer of another kind".to_owned())),
                Err(error) => Err(refusal(error)),
            }
        })
    }

    fn states(&self, asked: Asked) -> Soon<'_, Reports> {
        Box::pin(async move {
            self.watchers.states(asked).await.map_err(|error| Refusal(error.to_string()))
        })
    }

    fn watch(&self, caller: PeerId) -> Items<Reports> {
        self.watchers.watch(caller)
    }
}

/// Hands a list of states on, whole or broken.
async fn hand_on(states: Result<PinStates, ApiError>, feed: Feed<PeerPin>) {
    let mut states = match states {
        Ok(states) => states,
        Err(error) => return feed.fail(refusal(error)).await,
    };
    while let Some(state) = states.recv().await {
        match state {
            Ok(state) => {
                if let Some(state) = local(state)
                    && feed.send(state).await.is_err()
                {
                    return;
                }
            }
            Err(error) => return feed.fail(refusal(error)).await,
        }
    }
    feed.end().await;
}

fn one(state: Result<GlobalPinInfo, ApiError>) -> Result<PeerPin, Refusal> {
    let state = state.map_err(refusal)?;
    local(state).ok_or_else(|| Refusal("there is no state of this pin here".to_owned()))
}

/// The state at this peer, which stands alone in what is asked of it.
fn local(mut state: GlobalPinInfo) -> Option<PeerPin> {
    let (peer, info) = state.peer_map.pop_first()?;
    Some(PeerPin {
        cid: state.cid,
        name: state.name,
        peer,
        allocations: state.allocations,
        origins: state.origins,
        created: state.created,
        metadata: state.metadata.unwrap_or_default(),
        info,
    })
}

fn refusal(error: ApiError) -> Refusal {
    Refusal(error.message)
}

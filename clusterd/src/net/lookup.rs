//! Looking for peers whose address nobody here knows: one question to the DHT for each.

use std::collections::HashMap;

use libp2p::PeerId;
use libp2p::kad::{self, GetClosestPeersError, QueryId, QueryResult};

use super::streams::Reply;

/// Peers that are looked for at a time.
const LOOKUPS_MAX: usize = 32;

/// Streams that wait until one peer is found.
const WAITING_MAX: usize = 64;

/// Questions that run.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    running: HashMap<PeerId, Vec<Reply>>,
    queries: HashMap<QueryId, PeerId>,
}

/// What the DHT said.
#[derive(Debug)]
pub(super) struct Found {
    /// Who was looked for.
    pub(super) peer: PeerId,
    /// Where it is; empty when nobody knows.
    pub(super) addresses: Vec<libp2p::Multiaddr>,
    /// Who waits for a stream to it.
    pub(super) replies: Vec<Reply>,
}

impl Lookups {
    /// Lets `reply` wait for an answer about a peer; `ask` starts the question when none runs.
    /// Gives the reply back when there are too many.
    pub(super) fn wait(
        &mut self,
        peer: PeerId,
        reply: Reply,
        ask: impl FnOnce() -> QueryId,
    ) -> Result<(), Reply> {
        if let Some(replies) = self.running.get_mut(&peer) {
            if replies.len() >= WAITING_MAX {
                return Err(reply);
            }
            replies.push(reply);
            return Ok(());
        }
        if self.running.len() >= LOOKUPS_MAX {
            return Err(reply);
        }
        self.queries.insert(ask(), peer);
        self.running.insert(peer, vec![reply]);
        Ok(())
    }

    /// Takes an event of the DHT; something when it ends a question.
    pub(super) fn on_event(&mut self, event: kad::Event) -> Option<Found> {
        let kad::Event::OutboundQueryProgressed { id, result, step, .. } = event else {
            return None;
        };
        if !step.last {
            return None;
        }
        let peer = self.queries.remove(&id)?;
        let replies = self.running.remove(&peer).unwrap_or_default();
        let QueryResult::GetClosestPeers(result) = result else {
            return Some(Found { peer, addresses: Vec::new(), replies });
        };
        let peers = match result {
            Ok(found) => found.peers,
            Err(GetClosestPeersError::Timeout { peers, .. }) => peers,
        };
        let it = peers.into_iter().find(|found| found.peer_id == peer);
        Some(Found { peer, addresses: it.map(|found| found.addrs).unwrap_or_default(), replies })
    }
}

//! What the task is asked to do.

use clusterd_core::pinset::codec::BlockId;
use libp2p::PeerId;
use libp2p::gossipsub::IdentTopic;
use tokio::time::Instant;

use super::Task;
use crate::net::gossip;
use crate::net::handle::{Command, NetCounts};
use crate::net::streams::Reply;

impl Task {
    pub(super) fn on_command(&mut self, command: Command) {
        match command {
            Command::PublishHeads(heads) => {
                let topic = self.topics.heads.clone();
                self.publish(&topic, gossip::encode_heads(&heads));
            }
            Command::PublishMetric(payload) => {
                let topic = self.topics.metrics.clone();
                self.publish(&topic, payload);
            }
            Command::Fetch(id, waiter) => {
                if self.fetches.add(id, waiter) {
                    self.want(id);
                }
            }
            Command::Have(ids) => {
                for id in ids {
                    self.swarm.behaviour_mut().bitswap.have(&id);
                }
            }
            Command::Open(peer, reply) => self.open(peer, reply),
            Command::AddAddresses(peer, places) => self.learn(peer, &places, Instant::now()),
            Command::Forget(peer, reply) => {
                self.redial.remove(&peer);
                let was_known = self.swarm.behaviour_mut().book.forget(&peer);
                self.note_known();
                // An error means that nobody waits any more.
                reply.send(was_known).ok();
            }
            // Taken by the loop.
            Command::Stop => {}
        }
    }

    fn publish(&mut self, topic: &IdentTopic, payload: Vec<u8>) {
        let bytes = payload.len();
        if let Err(error) = self.swarm.behaviour_mut().gossip.publish(topic.hash(), payload) {
            // Alone, or all neighbours too slow: it is published again in any case.
            tracing::debug!(%error, bytes, "a message reached nobody");
        }
    }

    /// Asks all peers for a block.
    fn want(&mut self, id: BlockId) {
        if self.swarm.behaviour_mut().bitswap.want(id).is_err() {
            self.fetches.refuse(&id);
        }
    }

    /// Asks no longer.
    pub(super) fn unwant(&mut self, id: BlockId) {
        self.swarm.behaviour_mut().bitswap.cancel(id);
    }

    fn open(&mut self, peer: PeerId, reply: Reply) {
        let known = self.swarm.is_connected(&peer) || self.swarm.behaviour().book.knows(&peer);
        let behaviour = self.swarm.behaviour_mut();
        let reply = match behaviour.dht.as_mut() {
            Some(dht) if !known => {
                let asked = self.lookups.wait(peer, reply, || dht.get_closest_peers(peer));
                let Err(reply) = asked else { return };
                reply
            }
            Some(_) | None => reply,
        };
        // Without an address the answer says so.
        behaviour.rpc.open(peer, reply);
    }

    pub(super) fn counts(&self) -> NetCounts {
        NetCounts {
            rpc_refused: self.swarm.behaviour().rpc.refused(),
            heads_refused: self.heads_refused,
            fetching: self.fetches.len(),
        }
    }
}

//! What peers say: gossip, where they are, and whether they still live.

use common::ids::PeerId as Member;
use libp2p::gossipsub::{self, MessageAcceptance, MessageId};
use libp2p::{PeerId, identify, ping};
use tokio::time::Instant;

use super::Task;
use crate::net::behaviour::{BehaviourEvent, DHT_PROTOCOL};
use crate::net::bitswap;
use crate::net::gossip::{Topic, decode_heads};
use crate::net::{NetEvent, addresses};

impl Task {
    pub(super) fn on_message(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Gossip(event) => self.on_gossip(event),
            BehaviourEvent::Identify(event) => self.on_identify(event),
            BehaviourEvent::Ping(event) => self.on_ping(&event),
            BehaviourEvent::Dht(event) => {
                if let Some(found) = self.lookups.on_event(event) {
                    self.learn(found.peer, &found.addresses, Instant::now());
                    for reply in found.replies {
                        self.swarm.behaviour_mut().rpc.open(found.peer, reply);
                    }
                }
            }
            BehaviourEvent::Bitswap(bitswap::Event::Block { id, bytes, .. }) => {
                self.fetches.came(&id, bytes);
            }
            BehaviourEvent::Bitswap(bitswap::Event::Rejected { from, count }) => {
                tracing::warn!(peer = %from, count, "a peer sent blocks that nobody asked for");
            }
            BehaviourEvent::Connections(never)
            | BehaviourEvent::Memory(never)
            | BehaviourEvent::Book(never)
            | BehaviourEvent::Rpc(never) => match never {},
        }
    }

    fn on_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message { propagation_source, message_id, message } => {
                let verdict = self.judge(message);
                self.report(&message_id, &propagation_source, verdict);
            }
            gossipsub::Event::Subscribed { peer_id, topic } => match self.topics.find(&topic) {
                Some(Topic::Heads) => drop(self.silent.remove(&peer_id)),
                Some(Topic::Metrics) => {
                    self.note_subscription(&peer_id);
                    self.outlet.push(NetEvent::Subscribed { peer: Member::from(peer_id) });
                }
                None => self.note_subscription(&peer_id),
            },
            gossipsub::Event::SlowPeer { peer_id, .. } => {
                tracing::debug!(peer = %peer_id, "a peer takes messages too slowly; some were not sent");
            }
            gossipsub::Event::Unsubscribed { .. }
            | gossipsub::Event::GossipsubNotSupported { .. } => {}
        }
    }

    fn note_subscription(&mut self, peer: &PeerId) {
        if let Some(silence) = self.silent.get_mut(peer) {
            silence.subscribed = true;
        }
    }

    /// Takes a message, and says whether neighbours may have it from us.
    fn judge(&mut self, message: gossipsub::Message) -> MessageAcceptance {
        // Strict validation lets none through without a signer.
        let Some(signer) = message.source else { return MessageAcceptance::Reject };
        let from = Member::from(signer);
        match self.topics.find(&message.topic) {
            Some(Topic::Heads) if self.trusts(&from) => self.take_heads(from, &message.data),
            Some(Topic::Heads) => {
                self.heads_refused += 1;
                self.advice.untrusted(signer);
                return MessageAcceptance::Reject;
            }
            Some(Topic::Metrics) => {
                self.outlet.push(NetEvent::Metric { from, payload: message.data });
            }
            None => return MessageAcceptance::Ignore,
        }
        MessageAcceptance::Accept
    }

    fn trusts(&self, peer: &Member) -> bool {
        self.trusted.includes(peer) || peer.inner() == self.swarm.local_peer_id()
    }

    /// A payload that cannot be read is passed on all the same, as Go does: others may read it.
    fn take_heads(&mut self, from: Member, payload: &[u8]) {
        match decode_heads(payload) {
            Ok(heads) if !heads.is_empty() => self.outlet.push(NetEvent::Heads { from, heads }),
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(peer = %from, %error, "cannot read what a peer announced");
            }
        }
    }

    fn report(&mut self, id: &MessageId, neighbour: &PeerId, verdict: MessageAcceptance) {
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        // False when the message is no longer remembered: then nobody gets it from us.
        gossip.report_message_validation_result(id, neighbour, verdict);
    }

    fn on_identify(&mut self, event: identify::Event) {
        let identify::Event::Received { peer_id, info, .. } = event else { return };
        // An address of this machine is of use only to a peer that is on it too.
        let here = self.is_on_this_machine(&peer_id);
        let places: Vec<_> = info
            .listen_addrs
            .into_iter()
            .filter(|address| here || !addresses::is_loopback(address))
            .filter(addresses::is_dialable)
            .collect();
        self.learn(peer_id, &places, Instant::now());
        let speaks_dht = info.protocols.contains(&DHT_PROTOCOL);
        if let Some(dht) = self.swarm.behaviour_mut().dht.as_mut().filter(|_| speaks_dht) {
            for place in places {
                dht.add_address(&peer_id, place);
            }
        }
    }

    fn is_on_this_machine(&self, peer: &PeerId) -> bool {
        self.seen().connected.get(&Member::from(*peer)).is_some_and(addresses::is_loopback)
    }

    /// The second failure in a row comes here. On a dead connection it is one to open a stream.
    fn on_ping(&mut self, event: &ping::Event) {
        match &event.result {
            Ok(_) | Err(ping::Failure::Unsupported) => {}
            Err(ping::Failure::Timeout | ping::Failure::Other { .. }) => {
                tracing::info!(peer = %event.peer, "a peer does not answer; closing the connection");
                self.swarm.close_connection(event.connection);
            }
        }
    }
}

//! Gossip: the two topics, how messages are named, and what stands in an announcement of heads.

use std::time::Duration;

use clusterd_core::pinset::codec::BlockId;
use common::ids::Cid;
use libp2p::gossipsub::{
    self, AllowAllSubscriptionFilter, ConfigBuilder, IdentTopic, IdentityTransform,
    MaxCountSubscriptionFilter, MessageAuthenticity, MessageId, TopicHash, ValidationMode,
};
use libp2p::identity::Keypair;
use md5::{Digest, Md5};
use prost::Message;
use thiserror::Error;

#[cfg(test)]
mod tests;

/// Gossipsub as we use it.
pub(super) type Gossip =
    gossipsub::Behaviour<IdentityTransform, MaxCountSubscriptionFilter<AllowAllSubscriptionFilter>>;

/// Metrics of all peers, whatever their cluster's name. Source: `monitor/pubsubmon` of Go ipfs-cluster.
const METRICS_TOPIC: &str = "monitor.metrics";

/// Largest message and largest frame, in bytes. Source: `DefaultMaxMessageSize` of go-libp2p-pubsub.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Heads in one message: 40 kB. More are told in several messages.
pub(super) const HEADS_PER_MESSAGE_MAX: usize = 1000;

/// Topics that a peer may be subscribed to: members have two.
const TOPICS_PER_PEER_MAX: usize = 32;

/// Messages that wait for one slow peer; what exceeds them is lost for it, and is repeated later.
const MESSAGES_WAITING_MAX: usize = 512;

/// A message is known for so long. Neighbours offer it again for a minute at most (six heartbeats),
/// so Go's half hour protects from nothing more; in a cluster of a hundred it would hold 5 MB.
const KNOWN_FOR: Duration = Duration::from_secs(5 * 60);

/// As Go. A shorter one would not speed anything up: a subscriber is grafted at once when its
/// subscription comes, and what we publish goes to subscribers that are not grafted yet as well.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// First heartbeat after the start.
const HEARTBEAT_FIRST: Duration = Duration::from_millis(100);

/// The topics of one cluster.
#[derive(Debug, Clone)]
pub(super) struct Topics {
    /// Announcements of heads.
    pub(super) heads: IdentTopic,
    /// Metrics.
    pub(super) metrics: IdentTopic,
}

impl Topics {
    /// The topics of the cluster of this name.
    pub(super) fn of(cluster_name: &str) -> Self {
        let heads = IdentTopic::new(heads_topic(cluster_name));
        Self { heads, metrics: IdentTopic::new(METRICS_TOPIC) }
    }

    /// Which one a message belongs to; `None` for a stranger's.
    pub(super) fn find(&self, topic: &TopicHash) -> Option<Topic> {
        if *topic == self.heads.hash() {
            Some(Topic::Heads)
        } else if *topic == self.metrics.hash() {
            Some(Topic::Metrics)
        } else {
            None
        }
    }
}

/// A topic that we are subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    /// Announcements of heads.
    Heads,
    /// Metrics.
    Metrics,
}

/// Base58 of the MD5 multihash of the name. Source: `consensus/crdt` of Go ipfs-cluster, `setup`.
fn heads_topic(cluster_name: &str) -> String {
    // Multihash code of MD5 as a varint, and the digest's length.
    let mut multihash = vec![0xd5, 0x01, 16];
    multihash.extend_from_slice(&Md5::digest(cluster_name.as_bytes()));
    cid::multibase::Base::Base58Btc.encode(multihash)
}

/// Names a message as Go does: the first 16 bytes of the signer's id, and the number, big-endian.
/// With other names peers could not tell which messages the other side has.
/// Source: `clusterhost.go` of Go ipfs-cluster, `newPubSub`.
fn message_id(message: &gossipsub::Message) -> MessageId {
    let mut id = message.source.map(|peer| peer.to_bytes()).unwrap_or_default();
    id.truncate(16);
    id.extend_from_slice(&message.sequence_number.unwrap_or_default().to_be_bytes());
    MessageId::new(&id)
}

/// Gossip cannot be set up.
#[derive(Debug, Error)]
#[error("cannot set up gossip: {0}")]
pub struct GossipError(String);

/// Gossipsub with Go's parameters, subscribed to both topics.
pub(super) fn behaviour(keypair: &Keypair, topics: &Topics) -> Result<Gossip, GossipError> {
    let refused = |error: &dyn std::fmt::Display| GossipError(error.to_string());
    let config = ConfigBuilder::default()
        .validation_mode(ValidationMode::Strict)
        // Nothing is passed on before its signer is judged.
        .validate_messages()
        .message_id_fn(message_id)
        .max_transmit_size(MESSAGE_BYTES_MAX)
        // Go lists up to 10 000 messages in one control message, more than the 16 kB of the default.
        .max_control_message_size(MESSAGE_BYTES_MAX)
        .max_control_messages_sent(10_000)
        .heartbeat_interval(HEARTBEAT)
        .heartbeat_initial_delay(HEARTBEAT_FIRST)
        .mesh_n(24)
        .mesh_n_low(20)
        .mesh_n_high(48)
        .mesh_outbound_min(8)
        .retain_scores(16)
        .gossip_lazy(24)
        .history_length(6)
        .history_gossip(2)
        .flood_publish(false)
        .duplicate_cache_time(KNOWN_FOR)
        .connection_handler_queue_len(MESSAGES_WAITING_MAX)
        .build()
        .map_err(|error| refused(&error))?;
    let filter = MaxCountSubscriptionFilter {
        filter: AllowAllSubscriptionFilter {},
        max_subscribed_topics: TOPICS_PER_PEER_MAX,
        max_subscriptions_per_request: TOPICS_PER_PEER_MAX,
    };
    let signed = MessageAuthenticity::Signed(keypair.clone());
    let mut gossip = Gossip::new_with_subscription_filter(signed, config, filter)
        .map_err(|error| refused(&error))?;
    for topic in [&topics.heads, &topics.metrics] {
        gossip.subscribe(topic).map_err(|error| refused(&error))?;
    }
    Ok(gossip)
}

/// Source: `crdt.proto` of go-ds-crdt.
#[derive(Clone, PartialEq, Message)]
struct BroadcastMessage {
    #[prost(message, repeated, tag = "1")]
    heads: Vec<HeadMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct HeadMessage {
    #[prost(bytes = "vec", tag = "1")]
    cid: Vec<u8>,
}

/// An announcement that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not an announcement of heads: {reason}")]
pub(super) struct BroadcastError {
    reason: String,
}

/// The announcement of these heads.
pub(super) fn encode_heads(heads: &[BlockId]) -> Vec<u8> {
    let heads = heads.iter().map(|head| HeadMessage { cid: head.cid_bytes() }).collect();
    BroadcastMessage { heads }.encode_to_vec()
}

/// The heads in an announcement, in its order.
///
/// # Errors
/// [`BroadcastError`] when it is none, or names something that cannot be a block of ours.
pub(super) fn decode_heads(payload: &[u8]) -> Result<Vec<BlockId>, BroadcastError> {
    let malformed = |reason: String| BroadcastError { reason };
    let cids = match BroadcastMessage::decode(payload) {
        Ok(message) => message.heads.into_iter().map(|head| head.cid).collect(),
        // Before Go's version 0.15 the payload was one bare CID.
        Err(_) => vec![payload.to_vec()],
    };
    let block = |bytes: Vec<u8>| {
        let cid = Cid::decode(&bytes).map_err(|error| malformed(error.to_string()))?;
        BlockId::from_cid(&cid).ok_or_else(|| malformed(format!("{cid} is no block")))
    };
    cids.into_iter().map(block).collect()
}

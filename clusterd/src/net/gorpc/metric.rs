//! What peers tell all others every few seconds on the gossip topic of metrics.
//!
//! A payload is one value, a metric. Go neither checks that the peer named in it signed the message
//! nor corrects for the sender's clock; who receives one should do the first.
//! Source: `api.Metric` of Go ipfs-cluster 1.1.6, its informers, and `pingValue` in `cluster.go`.

use common::ids::PeerId;
use multiaddr::Multiaddr;
use serde::{Deserialize, Serialize};

use super::msgpack::{self, Decode, DecodeError, Encode, Reader, Writer};

/// The gossip topic.
pub const TOPIC: &str = "monitor.metrics";

/// That a peer lives; its value is a [`Ping`].
pub const PING: &str = "ping";
/// Bytes that its Kubo may still take.
pub const FREESPACE: &str = "freespace";
/// Bytes that its Kubo has.
pub const REPOSIZE: &str = "reposize";
/// Pins that wait for their turn.
pub const PINQUEUE: &str = "pinqueue";
/// Pins that its Kubo has.
pub const NUMPIN: &str = "numpin";
/// That a peer writes nothing; its value does not matter.
pub const FOLLOWER: &str = clusterd_core::members::FOLLOWER;
/// In front of a tag's name.
pub const TAG_PREFIX: &str = "tag:";

/// Pins that weigh one in [`PINQUEUE`] by default.
pub const PINQUEUE_BUCKET: u64 = 100_000;

const KEYS: [&str; 8] = ["n", "p", "v", "e", "d", "w", "o", "t"];

/// One figure of one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// Which figure.
    pub name: String,
    /// Of which peer.
    pub peer: PeerId,
    /// The figure; a number in decimal, or any text.
    pub value: String,
    /// Until when it holds: nanoseconds since 1970 by the sender's clock.
    pub expires_at_ns: i64,
    /// Whether it could be taken. Others are never sent.
    pub is_valid: bool,
    /// Its weight in choosing peers: the greater the sooner.
    pub weight: i64,
    /// Whether peers of equal value are a group to spread pins over.
    pub is_partitionable: bool,
    /// When it was received; set by receivers, ignored from senders.
    pub received_at_ns: i64,
}

/// Value of a ping.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// Name of the peer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub peer_name: String,
    /// Its Kubo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipfs_id: Option<PeerId>,
    /// Where that can be reached by others: DNS names and global addresses alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ipfs_addresses: Vec<Multiaddr>,
}

impl Metric {
    /// A valid metric without weight.
    fn new(name: &str, peer: PeerId, value: String, expires_at_ns: i64) -> Self {
        Self {
            name: name.to_owned(),
            peer,
            value,
            expires_at_ns,
            is_valid: true,
            weight: 0,
            is_partitionable: false,
            received_at_ns: 0,
        }
    }

    /// That a peer lives.
    #[must_use]
    pub fn ping(peer: PeerId, ping: &Ping, expires_at_ns: i64) -> Self {
        // Texts, identifiers and lists of them always have a JSON form.
        let value = serde_json::to_string(ping).unwrap_or_default();
        Self::new(PING, peer, value, expires_at_ns)
    }

    /// Bytes that a peer's Kubo may still take. None left counts as "not known", as in Go.
    #[must_use]
    pub fn freespace(peer: PeerId, bytes: u64, expires_at_ns: i64) -> Self {
        let metric = Self::new(FREESPACE, peer, bytes.to_string(), expires_at_ns);
        Self { weight: weight(bytes), is_valid: bytes > 0, ..metric }
    }

    /// Bytes that a peer's Kubo has.
    #[must_use]
    pub fn reposize(peer: PeerId, bytes: u64, expires_at_ns: i64) -> Self {
        let metric = Self::new(REPOSIZE, peer, bytes.to_string(), expires_at_ns);
        Self { weight: -weight(bytes), ..metric }
    }

    /// A tag of a peer, by which pins are spread.
    #[must_use]
    pub fn tag(peer: PeerId, tag: &str, value: &str, expires_at_ns: i64) -> Self {
        let name = format!("{TAG_PREFIX}{tag}");
        let metric = Self::new(&name, peer, value.to_owned(), expires_at_ns);
        Self { is_partitionable: true, ..metric }
    }

    /// Pins that wait at a peer; each `bucket` of them weighs one, 0 counts as 1.
    #[must_use]
    pub fn pinqueue(peer: PeerId, queued: u64, bucket: u64, expires_at_ns: i64) -> Self {
        let metric = Self::new(PINQUEUE, peer, queued.to_string(), expires_at_ns);
        Self { weight: -weight(queued / bucket.max(1)), ..metric }
    }

    /// That a peer only follows others. Ours alone: Go's peers do not tell it.
    #[must_use]
    pub fn follower(peer: PeerId, expires_at_ns: i64) -> Self {
        Self::new(FOLLOWER, peer, "true".to_owned(), expires_at_ns)
    }

    /// Pins that a peer's Kubo has.
    #[must_use]
    pub fn numpin(peer: PeerId, pins: u64, expires_at_ns: i64) -> Self {
        Self::new(NUMPIN, peer, pins.to_string(), expires_at_ns)
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// [`DecodeError`] when it is no metric with a name and a peer.
    pub fn from_payload(payload: &[u8]) -> Result<Self, DecodeError> {
        msgpack::from_bytes(payload)
    }

    /// The payload.
    #[must_use]
    pub fn to_payload(&self) -> Vec<u8> {
        msgpack::to_bytes(self)
    }

    /// Whether it holds at a time.
    #[must_use]
    pub fn holds_at(&self, now_ns: i64) -> bool {
        self.is_valid && now_ns <= self.expires_at_ns
    }

    /// The value of a ping; `None` for other metrics and for values that are none.
    #[must_use]
    pub fn to_ping(&self) -> Option<Ping> {
        if self.name == PING { serde_json::from_str(&self.value).ok() } else { None }
    }
}

fn weight(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Encode for Metric {
    fn encode(&self, to: &mut Writer) {
        to.fields(|fields| {
            fields
                .put_text("n", &self.name)
                .put("p", &self.peer)
                .put_text("v", &self.value)
                .put_if(self.expires_at_ns != 0, "e", &self.expires_at_ns)
                .put_if(self.is_valid, "d", &self.is_valid)
                .put_if(self.weight != 0, "w", &self.weight)
                .put_if(self.is_partitionable, "o", &self.is_partitionable)
                .put_if(self.received_at_ns != 0, "t", &self.received_at_ns);
        });
    }
}

impl Decode for Metric {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (mut name, mut peer, mut value) = (String::new(), None, String::new());
        let (mut expires_at_ns, mut weight, mut received_at_ns) = (0, 0, 0);
        let (mut is_valid, mut is_partitionable) = (false, false);
        from.fields(&KEYS, |key, field| {
            match key {
                "n" => name = field.take()?,
                "p" => peer = field.take()?,
                "v" => value = field.take()?,
                "e" => expires_at_ns = field.take()?,
                "d" => is_valid = field.take()?,
                "w" => weight = field.take()?,
                "o" => is_partitionable = field.take()?,
                _ => received_at_ns = field.take()?,
            }
            Ok(())
        })?;
        let peer = peer.ok_or_else(|| DecodeError::content("a metric without its peer"))?;
        if name.is_empty() {
            return Err(DecodeError::content("a metric without its name"));
        }
        Ok(Self {
            name,
            peer,
            value,
            expires_at_ns,
            is_valid,
            weight,
            is_partitionable,
            received_at_ns,
        })
    }
}

#[cfg(test)]
mod tests;

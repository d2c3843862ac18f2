//! Pin records <-> bytes, equal to those of Go ipfs-cluster 1.1.6.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use common::ids::{Cid, PeerId};
use common::pin::{Depth, Pin, PinType, Replication};
use multiaddr::Multiaddr;
use prost::Message;
use thiserror::Error;

/// Bytes that are no record or no block.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CodecError {
    /// The protobuf form is broken.
    #[error("cannot decode {what}: {reason}")]
    Malformed {
        /// What was to be decoded.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// More bytes than are read.
    #[error("{what} has {bytes} bytes, more than {max}")]
    TooLarge {
        /// What was to be decoded.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The largest size.
        max: usize,
    },
}

impl CodecError {
    pub(crate) fn malformed(what: &'static str, reason: impl ToString) -> Self {
        Self::Malformed { what, reason: reason.to_string() }
    }
}

/// Source: `types.proto` of Go ipfs-cluster. Zero values are left out, `options` is always there.
#[derive(Clone, PartialEq, Message)]
struct PinMessage {
    #[prost(bytes = "vec", tag = "1")]
    cid: Vec<u8>,
    #[prost(int32, tag = "2")]
    kind: i32,
    #[prost(bytes = "vec", repeated, tag = "3")]
    allocations: Vec<Vec<u8>>,
    #[prost(sint32, tag = "4")]
    max_depth: i32,
    #[prost(bytes = "vec", tag = "5")]
    reference: Vec<u8>,
    #[prost(message, optional, tag = "6")]
    options: Option<OptionsMessage>,
    #[prost(uint64, tag = "7")]
    timestamp: u64,
}

#[derive(Clone, PartialEq, Message)]
struct OptionsMessage {
    #[prost(sint32, tag = "1")]
    replication_min: i32,
    #[prost(sint32, tag = "2")]
    replication_max: i32,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(uint64, tag = "4")]
    shard_size: u64,
    /// Written by Go before 1.0.1; read, never written.
    #[prost(btree_map = "string, string", tag = "6")]
    unsorted_metadata: BTreeMap<String, String>,
    #[prost(bytes = "vec", tag = "7")]
    update_from: Vec<u8>,
    #[prost(uint64, tag = "8")]
    expires_at: u64,
    #[prost(bytes = "vec", repeated, tag = "9")]
    origins: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "10")]
    metadata: Vec<MetadataMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct MetadataMessage {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

const WHAT: &str = "a pin record";

/// The bytes of a record. Equal records give equal bytes, which decides ties between peers.
#[must_use]
pub fn encode_pin(pin: &Pin) -> Vec<u8> {
    let (replication_min, replication_max) = pin.replication.factors();
    let cid_bytes = |cid: &Option<Cid>| cid.map(|cid| cid.encode()).unwrap_or_default();
    PinMessage {
        cid: pin.cid.encode(),
        kind: match pin.kind {
            PinType::Data => 1,
            PinType::Meta => 2,
            PinType::ClusterDag => 3,
            PinType::Shard => 4,
        },
        allocations: pin.allocations.iter().map(PeerId::encode).collect(),
        max_depth: match pin.depth {
            Depth::Recursive => -1,
            Depth::Direct => 0,
            Depth::Levels(levels) => i32::try_from(levels.get()).unwrap_or(i32::MAX),
        },
        reference: cid_bytes(&pin.reference),
        options: Some(OptionsMessage {
            replication_min,
            replication_max,
            name: pin.name.clone(),
            shard_size: pin.shard_size,
            unsorted_metadata: BTreeMap::new(),
            update_from: cid_bytes(&pin.update_from),
            expires_at: pin.expires_at.unwrap_or(0),
            origins: pin.origins.iter().map(Multiaddr::to_vec).collect(),
            metadata: (pin.metadata.iter())
                .map(|(key, value)| MetadataMessage { key: key.clone(), value: value.clone() })
                .collect(),
        }),
        timestamp: pin.created_at,
    }
    .encode_to_vec()
}

/// Reads a record.
///
/// # Errors
/// [`CodecError`] when the bytes are no record with a usable CID, type and addresses.
pub fn decode_pin(bytes: &[u8]) -> Result<Pin, CodecError> {
    let message = PinMessage::decode(bytes).map_err(|e| CodecError::malformed(WHAT, e))?;
    let options = message.options.unwrap_or_default();
    let mut metadata = options.unsorted_metadata;
    metadata.extend(options.metadata.into_iter().map(|entry| (entry.key, entry.value)));
    let peers = message.allocations.iter().map(|bytes| PeerId::decode(bytes));
    let origins = options.origins.into_iter().map(Multiaddr::try_from);
    Ok(Pin {
        cid: Cid::decode(&message.cid).map_err(|e| CodecError::malformed(WHAT, e))?,
        kind: match message.kind {
            1 => PinType::Data,
            2 => PinType::Meta,
            3 => PinType::ClusterDag,
            4 => PinType::Shard,
            kind => return Err(CodecError::malformed(WHAT, format_args!("type {kind}"))),
        },
        depth: match u32::try_from(message.max_depth).map(NonZeroU32::new) {
            Ok(Some(levels)) => Depth::Levels(levels),
            Ok(None) => Depth::Direct,
            // Go takes every negative depth for recursive.
            Err(_) => Depth::Recursive,
        },
        replication: Replication::from_stored(options.replication_min, options.replication_max),
        name: options.name,
        allocations: peers.collect::<Result<_, _>>().map_err(|e| CodecError::malformed(WHAT, e))?,
        reference: optional_cid(&message.reference)?,
        shard_size: options.shard_size,
        metadata,
        update_from: optional_cid(&options.update_from)?,
        origins: origins.collect::<Result<_, _>>().map_err(|e| CodecError::malformed(WHAT, e))?,
        expires_at: Some(options.expires_at).filter(|second| *second != 0),
        created_at: message.timestamp,
    })
}

fn optional_cid(bytes: &[u8]) -> Result<Option<Cid>, CodecError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    Cid::decode(bytes).map(Some).map_err(|e| CodecError::malformed(WHAT, e))
}

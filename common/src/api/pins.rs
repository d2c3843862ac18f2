//! Records of the pinset and their state, as the REST API and Go's state export write them.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use multiaddr::Multiaddr;
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use crate::api::time::WireTime;
use crate::ids::{Cid, PeerId};
use crate::pin::{Depth, Pin, PinMode, PinType, Replication};
use crate::status::PinStatus;

/// One record of the pinset: an element of `/allocations`, the answer to pinning, and a line of
/// Go's `state export`. Fields stand in Go's order. Source: `api.Pin` of Go ipfs-cluster 1.1.6.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PinJson {
    /// Fewest holders; -1 for everywhere.
    pub replication_factor_min: i32,
    /// Most holders; -1 for everywhere.
    pub replication_factor_max: i32,
    /// Empty for none.
    pub name: String,
    /// Follows from `max_depth`, which wins where both are there and disagree.
    pub mode: PinMode,
    /// Bytes; sharding only.
    pub shard_size: u64,
    /// Peers that were preferred; never stored, so `null` in listings.
    pub user_allocations: Option<Vec<PeerId>>,
    /// When the pin goes away by itself.
    pub expire_at: WireTime,
    /// `null` and `{}` mean the same.
    pub metadata: Option<BTreeMap<String, String>>,
    /// The pin this one took over from.
    pub pin_update: Option<Cid>,
    /// Nodes that have the content.
    #[serde(deserialize_with = "null_as_default")]
    pub origins: Vec<Multiaddr>,
    /// What is pinned; `None` only in an object without it.
    pub cid: Option<Cid>,
    /// What the record stands for.
    #[serde(rename = "type")]
    pub kind: PinType,
    /// Peers chosen to hold it; empty for everywhere.
    #[serde(deserialize_with = "null_as_default")]
    pub allocations: Vec<PeerId>,
    /// -1 for the whole DAG, 0 for the block alone, otherwise levels. Always written.
    pub max_depth: Option<i32>,
    /// The record this one points at; sharding only.
    pub reference: Option<Cid>,
    /// When it was last written.
    pub timestamp: WireTime,
}

/// A record that cannot be taken in.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PinJsonError {
    /// There is no CID in it.
    #[error("the record has no cid")]
    NoCid,
    /// A depth below -1.
    #[error("max_depth {0} means nothing")]
    Depth(i32),
    /// A time before 1970.
    #[error("{field} {time} lies before 1970")]
    Time {
        /// Which field.
        field: &'static str,
        /// Its value.
        time: WireTime,
    },
}

/// Takes `null` for the empty value, as Go writes both.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Default for PinJson {
    /// What Go assumes for fields that are not there.
    fn default() -> Self {
        Self {
            replication_factor_min: 0,
            replication_factor_max: 0,
            name: String::new(),
            mode: PinMode::Recursive,
            shard_size: 0,
            user_allocations: None,
            expire_at: WireTime::NONE,
            metadata: None,
            pin_update: None,
            origins: Vec::new(),
            cid: None,
            kind: PinType::Data,
            allocations: Vec::new(),
            max_depth: None,
            reference: None,
            timestamp: WireTime::NONE,
        }
    }
}

impl From<Pin> for PinJson {
    fn from(pin: Pin) -> Self {
        let (min, max) = pin.replication.factors();
        Self {
            replication_factor_min: min,
            replication_factor_max: max,
            name: pin.name,
            mode: pin.depth.mode(),
            shard_size: pin.shard_size,
            user_allocations: None,
            expire_at: pin.expires_at.map_or(WireTime::NONE, WireTime::from_seconds),
            metadata: Some(pin.metadata).filter(|metadata| !metadata.is_empty()),
            pin_update: pin.update_from,
            origins: pin.origins,
            cid: Some(pin.cid),
            kind: pin.kind,
            allocations: pin.allocations,
            max_depth: Some(match pin.depth {
                Depth::Recursive => -1,
                Depth::Direct => 0,
                Depth::Levels(levels) => i32::try_from(levels.get()).unwrap_or(i32::MAX),
            }),
            reference: pin.reference,
            timestamp: WireTime::from_seconds(pin.created_at),
        }
    }
}

impl TryFrom<PinJson> for Pin {
    type Error = PinJsonError;

    fn try_from(json: PinJson) -> Result<Self, PinJsonError> {
        let depth = match json.max_depth {
            None => json.mode.into(),
            Some(-1) => Depth::Recursive,
            Some(depth) => {
                let levels = u32::try_from(depth).map_err(|_| PinJsonError::Depth(depth))?;
                NonZeroU32::new(levels).map_or(Depth::Direct, Depth::Levels)
            }
        };
        let seconds = |field, time: WireTime| match time.seconds() {
            None => Ok(None),
            Some(seconds) => {
                u64::try_from(seconds).map(Some).map_err(|_| PinJsonError::Time { field, time })
            }
        };
        Ok(Self {
            cid: json.cid.ok_or(PinJsonError::NoCid)?,
            kind: json.kind,
            depth,
            replication: Replication::from_stored(
                json.replication_factor_min,
                json.replication_factor_max,
            ),
            name: json.name,
            allocations: json.allocations,
            reference: json.reference,
            shard_size: json.shard_size,
            metadata: json.metadata.unwrap_or_default(),
            update_from: json.pin_update,
            origins: json.origins,
            expires_at: seconds("expire_at", json.expire_at)?,
            created_at: seconds("timestamp", json.timestamp)?.unwrap_or(0),
        })
    }
}

/// The state of one pin at every peer that matters: an element of `/pins`.
/// Source: `api.GlobalPinInfo` of Go ipfs-cluster 1.1.6.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalPinInfo {
    /// Which pin.
    pub cid: Cid,
    /// Its name; empty for none.
    #[serde(default)]
    pub name: String,
    /// Peers chosen to hold it; empty for everywhere, or when it is not in the pinset.
    #[serde(default, deserialize_with = "null_as_default")]
    pub allocations: Vec<PeerId>,
    /// Nodes that have the content.
    #[serde(default, deserialize_with = "null_as_default")]
    pub origins: Vec<Multiaddr>,
    /// When the record was last written.
    #[serde(default)]
    pub created: WireTime,
    /// Free key-value pairs; `null` for none.
    #[serde(default)]
    pub metadata: Option<BTreeMap<String, String>>,
    /// The state at each peer.
    #[serde(default, deserialize_with = "null_as_default")]
    pub peer_map: BTreeMap<PeerId, PinInfo>,
}

/// The state of one pin at one peer. Source: `api.PinInfoShort` of Go ipfs-cluster 1.1.6.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinInfo {
    /// Name of the peer.
    #[serde(default)]
    pub peername: String,
    /// Id of its Kubo; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipfs_peer_id: Option<PeerId>,
    /// Addresses of its Kubo; absent when unknown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ipfs_peer_addresses: Vec<Multiaddr>,
    /// The state.
    pub status: PinStatus,
    /// When the state came to be.
    #[serde(default)]
    pub timestamp: WireTime,
    /// Words of the newest failure; empty for none.
    #[serde(default)]
    pub error: String,
    /// Failed attempts so far.
    #[serde(default)]
    pub attempt_count: u32,
    /// Whether it goes ahead of old failures.
    #[serde(default)]
    pub priority_pin: bool,
    /// How far the running attempt is. Ours; Go does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<PinProgress>,
}

/// How far Kubo is with a pin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinProgress {
    /// Nodes fetched.
    pub nodes: u64,
    /// Bytes fetched.
    pub bytes: u64,
}

#[cfg(test)]
mod tests;

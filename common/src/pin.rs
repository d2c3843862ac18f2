//! A pin: what the cluster is asked to keep, and how.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use multiaddr::Multiaddr;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ids::{Cid, PeerId};

/// How much of the DAG below a CID is kept, as clients say it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PinMode {
    /// The whole DAG.
    #[default]
    Recursive,
    /// The one block.
    Direct,
}

impl PinMode {
    /// The word that Kubo and the cluster's API use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recursive => "recursive",
            Self::Direct => "direct",
        }
    }
}

/// How deep a record pins. Go stores a signed number: -1, 0, or a limit (1 for shards).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Depth {
    /// All of the DAG (-1).
    #[default]
    Recursive,
    /// The block alone (0).
    Direct,
    /// So many levels below the block.
    Levels(std::num::NonZeroU32),
}

impl Depth {
    /// The mode that Go derives: everything but `Direct` counts as recursive.
    #[must_use]
    pub fn mode(self) -> PinMode {
        match self {
            Self::Direct => PinMode::Direct,
            Self::Recursive | Self::Levels(_) => PinMode::Recursive,
        }
    }
}

impl From<PinMode> for Depth {
    fn from(mode: PinMode) -> Self {
        match mode {
            PinMode::Recursive => Self::Recursive,
            PinMode::Direct => Self::Direct,
        }
    }
}

/// What a record stands for. All but `Data` come from Go's sharding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PinType {
    /// An ordinary pin.
    #[default]
    #[serde(rename = "pin")]
    Data,
    /// Names the DAG of a sharded file.
    #[serde(rename = "meta-pin")]
    Meta,
    /// The DAG that lists a sharded file's shards.
    #[serde(rename = "clusterdag-pin")]
    ClusterDag,
    /// One shard.
    #[serde(rename = "shard-pin")]
    Shard,
}

/// How many peers shall hold a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Replication {
    /// Every member.
    Everywhere,
    /// At least `min` and at most `max` peers; `min <= max`.
    Between {
        /// Fewest holders that make the pin "pinned".
        min: NonZeroU16,
        /// Most holders that are allocated.
        max: NonZeroU16,
    },
    /// Factors that Go let into a record although they mean nothing; kept as they are, nobody pins them.
    Unusable {
        /// As stored.
        min: i32,
        /// As stored.
        max: i32,
    },
}

/// Replication factors that cannot be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "replication factors {min} and {max} cannot be used: give both as -1 (everywhere), or 1 <= min <= max <= 65535"
)]
pub struct ReplicationError {
    /// The refused minimum.
    pub min: i32,
    /// The refused maximum.
    pub max: i32,
}

impl Replication {
    /// Checks factors that somebody asks for; both 0 means "the cluster's default" and gives `None`.
    ///
    /// # Errors
    /// [`ReplicationError`] for every pair that means nothing.
    pub fn from_factors(min: i32, max: i32) -> Result<Option<Self>, ReplicationError> {
        match Self::from_stored(min, max) {
            Self::Unusable { min: 0, max: 0 } => Ok(None),
            Self::Unusable { min, max } => Err(ReplicationError { min, max }),
            usable @ (Self::Everywhere | Self::Between { .. }) => Ok(Some(usable)),
        }
    }

    /// Takes factors as a record has them; never fails, so that a record survives being read and written.
    #[must_use]
    pub fn from_stored(min: i32, max: i32) -> Self {
        let factor = |n: i32| u16::try_from(n).ok().and_then(NonZeroU16::new);
        match (factor(min), factor(max)) {
            (Some(min), Some(max)) if min <= max => Self::Between { min, max },
            _ if min == -1 && max == -1 => Self::Everywhere,
            _ => Self::Unusable { min, max },
        }
    }

    /// Both factors as Go stores them: -1 and -1 for everywhere.
    #[must_use]
    pub fn factors(self) -> (i32, i32) {
        match self {
            Self::Everywhere => (-1, -1),
            Self::Between { min, max } => (i32::from(min.get()), i32::from(max.get())),
            Self::Unusable { min, max } => (min, max),
        }
    }
}

/// How Kubo is to announce what it pins to the routing system. Goes with this machine's own call
/// to Kubo and is never stored; `None` leaves Kubo's configured default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FastProvide {
    /// `fast-provide-root`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<bool>,
    /// `fast-provide-dag`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dag: Option<bool>,
    /// `fast-provide-wait`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<bool>,
}

impl FastProvide {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// One record of the pinset. Times are whole seconds since 1970 UTC: the stored form has no finer ones.
/// Source: `api.Pin` of Go ipfs-cluster 1.1.6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// What is pinned.
    pub cid: Cid,
    /// What the record stands for.
    pub kind: PinType,
    /// How much of the DAG is kept.
    pub depth: Depth,
    /// How many peers shall hold it.
    pub replication: Replication,
    /// Name given by the user; empty for none. Records from Go may be longer than Kubo allows.
    pub name: String,
    /// Peers chosen to hold it; empty when everywhere.
    pub allocations: Vec<PeerId>,
    /// The record this one points at (sharding only).
    pub reference: Option<Cid>,
    /// Largest shard in bytes (sharding only).
    pub shard_size: u64,
    /// Free key-value pairs, by key.
    pub metadata: BTreeMap<String, String>,
    /// The pin this one replaced, whose blocks it shares.
    pub update_from: Option<Cid>,
    /// Addresses of nodes that have the content.
    pub origins: Vec<Multiaddr>,
    /// Second after which the pin goes away by itself.
    pub expires_at: Option<u64>,
    /// Second when it was last written; 0 in records that lack it.
    pub created_at: u64,
}

impl Pin {
    /// An ordinary pin of the whole DAG, without options.
    #[must_use]
    pub fn new(cid: Cid, replication: Replication, created_at: u64) -> Self {
        Self {
            cid,
            kind: PinType::Data,
            depth: Depth::Recursive,
            replication,
            name: String::new(),
            allocations: Vec::new(),
            reference: None,
            shard_size: 0,
            metadata: BTreeMap::new(),
            update_from: None,
            origins: Vec::new(),
            expires_at: None,
            created_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_that_mean_nothing_are_refused_when_asked_for() {
        for (min, max) in [(-1, 2), (3, 2), (0, 1), (-2, -2), (1, 70_000)] {
            assert_eq!(Replication::from_factors(min, max), Err(ReplicationError { min, max }));
        }
        assert_eq!(Replication::from_factors(0, 0), Ok(None));
        assert_eq!(Replication::from_factors(-1, -1), Ok(Some(Replication::Everywhere)));
    }

    #[test]
    fn stored_factors_survive_whatever_they_are() {
        for (min, max) in [(-1, -1), (1, 3), (-1, 2), (0, 0), (5, 2), (i32::MIN, i32::MAX)] {
            assert_eq!(Replication::from_stored(min, max).factors(), (min, max));
        }
    }
}

//! A cluster with all that is below it: its peers, the daemons beside them, and the clusters that stand in
//! place of such a daemon.
//!
//! A peer asks its daemon for its tree under [`PATH`], which Kubo answers with 404 and proxyd as the cluster
//! behind it. So trees of any depth come together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::api::pins::PinProgress;
use crate::ids::PeerId;
use crate::status::PinStatus;

mod query;

pub use query::{AboveError, ClusterId, ClusterIdError, Query};

/// Where proxyd answers with a [`Tree`], below `/api/v0/`; [`Query`] as query.
pub const PATH: &str = "cluster/tree";

/// Most clusters one above the other; what is deeper is not looked at.
pub const DEPTH_MAX: usize = 8;

/// A cluster as one of its peers sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// Which cluster.
    pub id: ClusterId,
    /// The setting `cluster_name`.
    pub name: String,
    /// It stands above already, so that it is its own sub-cluster; nothing of what is in it is told again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_above: bool,
    /// Fewest holders of a pin by default; -1 for everywhere.
    #[serde(default)]
    pub replication_min: i32,
    /// Most holders of a pin by default; -1 for everywhere.
    #[serde(default)]
    pub replication_max: i32,
    /// Records of the pinset.
    #[serde(default)]
    pub pins: u64,
    /// Bytes of content that it can still take, with as many copies as it makes by default; absent while no
    /// peer tells its space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<u64>,
    /// Why new pins are refused; empty while they are not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub refuses: String,
    /// How the pin that was asked for stands here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<ClusterPin>,
    /// Its peers, by name.
    #[serde(default)]
    pub peers: Vec<TreePeer>,
}

impl Tree {
    /// A cluster that stands above already.
    #[must_use]
    pub fn above(id: ClusterId, name: String) -> Self {
        Self {
            id,
            name,
            is_above: true,
            replication_min: 0,
            replication_max: 0,
            pins: 0,
            free: None,
            refuses: String::new(),
            pin: None,
            peers: Vec::new(),
        }
    }

    /// How many clusters stand one above the other here: 1 for one over Kubos alone.
    #[must_use]
    pub fn levels(&self) -> u32 {
        self.below().map(Self::levels).max().unwrap_or(0).saturating_add(1)
    }

    /// The names of the clusters on the way down to a cluster that stands above already, this one first;
    /// `None` where that is not found.
    #[must_use]
    pub fn way_to(&self, above: &ClusterId) -> Option<Vec<String>> {
        if self.is_above {
            return (self.id == *above).then(|| vec![self.name.clone()]);
        }
        let mut way = self.below().find_map(|tree| tree.way_to(above))?;
        way.insert(0, self.name.clone());
        Some(way)
    }

    /// The clusters that stand in place of a daemon of its peers.
    pub fn below(&self) -> impl Iterator<Item = &Self> {
        self.peers.iter().filter_map(|peer| match peer.daemon.as_ref()? {
            Daemon::Cluster { tree } => Some(tree.as_ref()),
            Daemon::Kubo { .. }
            | Daemon::GoCluster { .. }
            | Daemon::Untold { .. }
            | Daemon::Unknown { .. } => None,
        })
    }
}

/// What a peer tells of itself where another peer of its cluster makes a [`Tree`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// See [`TreePeer::unsettled`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unsettled: BTreeMap<PinStatus, u64>,
    /// See [`TreePeer::pin`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<PeerPinState>,
    /// What it has for an IPFS daemon.
    pub daemon: Daemon,
}

/// How a pin stands in a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterPin {
    /// Whether there is a record of it.
    pub is_recorded: bool,
    /// Its name; empty for none.
    #[serde(default)]
    pub name: String,
    /// Peers that must hold it for it to count as pinned.
    pub needed: u64,
    /// Peers that shall hold it.
    pub allocated: u64,
    /// Peers that hold it.
    pub held: u64,
}

/// A peer of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreePeer {
    /// Which peer.
    pub peer: PeerId,
    /// Its name.
    pub name: String,
    /// Whether it counts as a member now: its newest ping is valid.
    pub is_member: bool,
    /// Bytes that its daemon may still take, as it last told; absent when that is not known now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<u64>,
    /// Pins that are not as wanted there, by state; states without a pin are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unsettled: BTreeMap<PinStatus, u64>,
    /// How the pin that was asked for stands there; absent when no pin was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<PeerPinState>,
    /// What it has for an IPFS daemon; absent when daemons were not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daemon: Option<Daemon>,
}

/// How a pin stands at a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerPinState {
    /// Its state.
    pub status: PinStatus,
    /// Words of the newest failure; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// How far it is, while it is on its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<PinProgress>,
}

/// What a peer has for an IPFS daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Daemon {
    /// A Kubo.
    Kubo {
        /// Its peer id.
        id: String,
    },
    /// A cluster, behind its proxyd.
    Cluster {
        /// That cluster.
        tree: Box<Tree>,
    },
    /// The proxy of a Go ipfs-cluster: what it calls pinned is no more than accepted there.
    GoCluster {
        /// The peer id of the Kubo behind that proxy.
        id: String,
    },
    /// Kubo, or a cluster in its place: the peer runs Go ipfs-cluster, which does not tell.
    Untold {
        /// The peer id that it gave.
        id: String,
    },
    /// It cannot be said.
    Unknown {
        /// Why not.
        error: String,
    },
}

impl Daemon {
    /// Whether everybody below has told what there is.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        match self {
            Self::Cluster { tree } => {
                tree.peers.iter().filter_map(|peer| peer.daemon.as_ref()).all(Self::is_whole)
            }
            Self::Kubo { .. } | Self::GoCluster { .. } | Self::Untold { .. } => true,
            Self::Unknown { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_a_cluster_that_stands_above_names_those_between() {
        let id = |digit: char| String::from(digit).repeat(32).parse::<ClusterId>().unwrap();
        let over = |digit: char, below: Vec<Tree>| Tree {
            is_above: false,
            peers: below.into_iter().map(|tree| peer_over(Box::new(tree))).collect(),
            ..Tree::above(id(digit), format!("cluster {digit}"))
        };
        let top = Tree::above(id('a'), "cluster a".to_owned());
        let tree = over('b', vec![over('d', Vec::new()), over('c', vec![top])]);
        let way = tree.way_to(&id('a')).unwrap();
        assert_eq!(way, ["cluster b", "cluster c", "cluster a"]);
        assert_eq!(tree.way_to(&id('d')), None, "it is below, but nowhere above");
        assert_eq!(tree.levels(), 3);
    }

    fn peer_over(tree: Box<Tree>) -> TreePeer {
        TreePeer {
            peer: "12D3KooWSZ2ZmmbwDEcQsJwM2QWHLhiQWc5hUAGivYC9fDYPEPha".parse().unwrap(),
            name: "one".to_owned(),
            is_member: true,
            free: None,
            unsettled: BTreeMap::new(),
            pin: None,
            daemon: Some(Daemon::Cluster { tree }),
        }
    }

    #[test]
    fn a_tree_survives_its_json() {
        let id: ClusterId = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let tree = Tree {
            id,
            name: "sub".to_owned(),
            is_above: false,
            replication_min: -1,
            replication_max: -1,
            pins: 3,
            free: Some(7),
            refuses: String::new(),
            pin: Some(ClusterPin { is_recorded: true, needed: 1, ..ClusterPin::default() }),
            peers: vec![TreePeer {
                peer: "12D3KooWSZ2ZmmbwDEcQsJwM2QWHLhiQWc5hUAGivYC9fDYPEPha".parse().unwrap(),
                name: "one".to_owned(),
                is_member: true,
                free: None,
                unsettled: BTreeMap::from([(PinStatus::Pinning, 1)]),
                pin: None,
                daemon: Some(Daemon::Unknown { error: "away".to_owned() }),
            }],
        };
        let text = serde_json::to_string(&tree).unwrap();
        assert!(text.contains(r#""daemon":{"kind":"unknown","error":"away"}"#), "{text}");
        assert_eq!(serde_json::from_str::<Tree>(&text).unwrap(), tree);
    }
}

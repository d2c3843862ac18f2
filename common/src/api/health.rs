//! What the peers tell of themselves and how they are connected: Go's shapes, and our own report.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::api::composite::Summary;
use crate::api::time::WireTime;
use crate::ids::PeerId;

/// Header that names, separated by commas, the peers that are missing in an answer.
pub const MISSING: &str = "x-cluster-missing";

/// An expiring fact about a peer, an element of the answer to `/monitor/metrics/NAME`.
/// Source: `api.Metric` of Go ipfs-cluster 1.1.6.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricJson {
    /// What it tells, as `freespace`.
    pub name: String,
    /// Whom it is about.
    pub peer: PeerId,
    /// The fact.
    pub value: String,
    /// Until when it holds: nanoseconds since 1970 by the sender's clock.
    pub expire: i64,
    /// Whether the sender takes it for valid.
    pub valid: bool,
    /// Greater is better.
    pub weight: i64,
    /// Whether peers of one value form a group.
    pub partitionable: bool,
    /// When it came: nanoseconds since 1970.
    pub received_at: i64,
}

/// A metric that ran out without a newer one, an element of the answer to `/health/alerts`.
/// Source: `api.Alert` of Go ipfs-cluster 1.1.6.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertJson {
    /// The newest one, expired.
    #[serde(flatten)]
    pub metric: MetricJson,
    /// When that was noticed.
    pub triggered_at: WireTime,
}

/// Bytes of one protocol among the peers, a value of the answer to `/health/bandwidth`, which has
/// the protocols as keys. Source: `api.Bandwidth` of Go ipfs-cluster 1.1.6.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Bandwidth {
    /// Bytes received since the start.
    pub total_in: u64,
    /// Bytes sent since the start.
    pub total_out: u64,
    /// Bytes a second lately received.
    pub rate_in: f64,
    /// Bytes a second lately sent.
    pub rate_out: f64,
}

/// Who is connected to whom, the answer to `/health/graph`.
/// Source: `api.ConnectGraph` of Go ipfs-cluster 1.1.6.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectGraph {
    /// The peer that made it.
    pub cluster_id: PeerId,
    /// Names of the peers that answered.
    pub id_to_peername: BTreeMap<PeerId, String>,
    /// From each Kubo of a peer to the nodes that it is connected to, also outside of the cluster.
    pub ipfs_links: BTreeMap<PeerId, Vec<PeerId>>,
    /// From each member to the members that it sees. One that did not answer has none.
    pub cluster_links: BTreeMap<PeerId, Vec<PeerId>>,
    /// Whether the peer that made it trusts a member.
    pub cluster_trust_links: BTreeMap<PeerId, bool>,
    /// From each peer to its Kubo; a peer whose Kubo does not answer is left out.
    pub cluster_to_ipfs: BTreeMap<PeerId, PeerId>,
}

/// How the cluster looks from one peer: the answer to `/composite/health`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Counts and health of this peer.
    pub summary: Summary,
    /// Every peer that told anything within a day, and this one, in the order of their ids.
    pub peers: Vec<PeerHealth>,
    /// Metrics that ran out, the newest first.
    pub alerts: Vec<AlertJson>,
}

/// One peer in [`Health`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerHealth {
    /// Which peer.
    pub peer: PeerId,
    /// Its name, as it last told it; its id where it never did.
    pub peername: String,
    /// Whether it counts: it is the one that was asked, or its newest ping is valid.
    pub member: bool,
    /// When its newest ping came.
    #[serde(default)]
    pub pinged: WireTime,
    /// Since when its ping has run out; none while it is valid.
    #[serde(default)]
    pub silent_since: WireTime,
    /// Bytes that its Kubo may still take; absent when that is not known now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freespace: Option<u64>,
    /// Pins that wait there; absent when that is not known now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinqueue: Option<u64>,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    // In the form that Go writes; the order of the keys is that of `api.Alert`.
    const ALERT: &str = concat!(
        r#"{"name":"ping","peer":"12D3KooWSZ2ZmmbwDEcQsJwM2QWHLhiQWc5hUAGivYC9fDYPEPha","#,
        r#""value":"{\"peer_name\":\"alpha\"}","expire":1764245100000000000,"valid":true,"#,
        r#""weight":0,"partitionable":false,"received_at":1764245070000000000,"#,
        r#""triggered_at":"2025-11-27T12:05:10.5Z"}"#,
    );

    #[test]
    fn an_alert_has_the_keys_of_its_metric_beside_its_own() {
        let alert: AlertJson = serde_json::from_str(ALERT).unwrap();
        assert_eq!(alert.metric.name, "ping");
        assert_eq!(serde_json::to_string(&alert).unwrap(), ALERT);
    }

    #[test]
    fn bandwidth_and_graph_have_gos_keys() {
        let text = r#"{"total_in":1,"total_out":2,"rate_in":0.5,"rate_out":0.0}"#;
        let bandwidth: Bandwidth = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&bandwidth).unwrap(), text);
        let peer = "12D3KooWSZ2ZmmbwDEcQsJwM2QWHLhiQWc5hUAGivYC9fDYPEPha";
        let text = format!(
            r#"{{"cluster_id":"{peer}","id_to_peername":{{"{peer}":"alpha"}},"ipfs_links":{{}},"#
        ) + &format!(
            r#""cluster_links":{{"{peer}":[]}},"cluster_trust_links":{{"{peer}":true}},"cluster_to_ipfs":{{}}}}"#
        );
        let graph: ConnectGraph = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&graph).unwrap(), text);
    }
}

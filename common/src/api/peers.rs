//! Who a peer is, as the REST API writes it.

use multiaddr::Multiaddr;
use serde::{Deserialize, Serialize};

use crate::api::pins::null_as_default;
use crate::ids::PeerId;

/// One peer: the answer to `/id`, an element of `/peers`. Source: `api.ID` of Go ipfs-cluster 1.1.6.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdInfo {
    /// Which peer.
    pub id: PeerId,
    /// Where it listens, each with `/p2p/ID`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub addresses: Vec<Multiaddr>,
    /// The members it counts on, itself among them.
    #[serde(default, deserialize_with = "null_as_default")]
    pub cluster_peers: Vec<PeerId>,
    /// Addresses of those.
    #[serde(default, deserialize_with = "null_as_default")]
    pub cluster_peers_addresses: Vec<Multiaddr>,
    /// The program's version.
    #[serde(default)]
    pub version: String,
    /// The commit it was built from; may be empty.
    #[serde(default)]
    pub commit: String,
    /// The protocol between peers.
    #[serde(default)]
    pub rpc_protocol_version: String,
    /// Why the peer could not be asked; empty when it could.
    #[serde(default)]
    pub error: String,
    /// Its Kubo.
    #[serde(default)]
    pub ipfs: IpfsInfo,
    /// Its name.
    #[serde(default)]
    pub peername: String,
}

impl IdInfo {
    /// The protocol that Go peers 1.x speak.
    pub const RPC_PROTOCOL_VERSION: &str = "/ipfscluster/1.0/rpc";
}

/// The Kubo of a peer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpfsInfo {
    /// Which node; absent when it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<PeerId>,
    /// Where it listens, each with `/p2p/ID`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub addresses: Vec<Multiaddr>,
    /// Why it does not answer; empty when it does.
    #[serde(default)]
    pub error: String,
}

/// The answer to `/version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionInfo {
    /// The program's version.
    pub version: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    // GET /id of ipfs-cluster-service 1.1.6, line breaks added.
    const HEALTHY: &str = concat!(
        r#"{"id":"12D3KooWSZ2ZmmbwDEcQsJwM2QWHLhiQWc5hUAGivYC9fDYPEPha","addresses":["#,
        r#""/ip4/127.0.0.1/tcp/9096/p2p/12D3KooWSZ2ZmmbwDEcQsJwM2QWHLhiQWc5hUAGivYC9fDYPEPha"],"#,
        r#""cluster_peers":["12D3KooWSZ2ZmmbwDEcQsJwM2QWHLhiQWc5hUAGivYC9fDYPEPha"],"#,
        r#""cluster_peers_addresses":[],"version":"1.1.6","commit":"","#,
        r#""rpc_protocol_version":"/ipfscluster/1.0/rpc","error":"","#,
        r#""ipfs":{"id":"12D3KooWLeTYRzRbbd38BbSMF5Tntgo7ridMziK8FUr4R7cj478q","addresses":["#,
        r#""/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWLeTYRzRbbd38BbSMF5Tntgo7ridMziK8FUr4R7cj478q"],"#,
        r#""error":""},"peername":"alpha"}"#,
    );

    #[test]
    fn a_real_peer_reads_and_writes_byte_for_byte() {
        let id: IdInfo = serde_json::from_str(HEALTHY).unwrap();
        assert_eq!(id.rpc_protocol_version, IdInfo::RPC_PROTOCOL_VERSION);
        assert_eq!(serde_json::to_string(&id).unwrap(), HEALTHY);
    }

    #[test]
    fn a_stopped_kubo_has_no_id_and_null_addresses() {
        let text = r#"{"addresses":null,"error":"connection refused"}"#;
        let ipfs: IpfsInfo = serde_json::from_str(text).unwrap();
        assert_eq!((ipfs.id, ipfs.addresses.len()), (None, 0));
    }
}

//! Garbage collections of the peers' Kubos, as the REST API writes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::api::pins::null_as_default;
use crate::ids::{Cid, PeerId};

/// The answer to `POST /ipfs/gc`. Source: `api.GlobalRepoGC` of Go ipfs-cluster 1.1.6.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalRepoGc {
    /// What each peer did.
    #[serde(default, deserialize_with = "null_as_default")]
    pub peer_map: BTreeMap<PeerId, RepoGc>,
}

/// The collection at one peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoGc {
    /// Which peer.
    pub peer: PeerId,
    /// Its name.
    #[serde(default)]
    pub peername: String,
    /// Blocks removed, and blocks that could not be.
    #[serde(default, deserialize_with = "null_as_default")]
    pub keys: Vec<RepoGcKey>,
    /// Why it failed as a whole; absent when it did not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
}

/// One block of a collection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoGcKey {
    /// The block that was removed; absent where an error stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Cid>,
    /// Why it was not removed; absent when it was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_collection_reads_and_writes_byte_for_byte() {
        // POST /ipfs/gc of ipfs-cluster-service 1.1.6; the error is of a later call.
        let text = concat!(
            r#"{"peer_map":{"12D3KooWSZ2ZmmbwDEcQsJwM2QWHLhiQWc5hUAGivYC9fDYPEPha":{"#,
            r#""peer":"12D3KooWSZ2ZmmbwDEcQsJwM2QWHLhiQWc5hUAGivYC9fDYPEPha","#,
            r#""peername":"alpha","keys":["#,
            r#"{"key":"bafkreic6eyf37impykshbvpgpfx43ghpnzgg2rivllm4xu3kp4d3iur3oa"}],"#,
            r#""error":"connection refused"}}}"#,
        );
        let gc: GlobalRepoGc = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&gc).unwrap(), text);
    }
}

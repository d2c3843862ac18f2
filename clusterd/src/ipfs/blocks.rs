//! Single blocks into Kubo, and whom it is, or shall be, connected to.

use common::ids::Cid;
use multiaddr::Multiaddr;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::client::Client;
use super::error::ConnectorError;

#[derive(Deserialize)]
struct Put {
    #[serde(rename = "Key")]
    key: Cid,
}

/// Puts a block under its CID: with its codec and hash, unpinned.
///
/// # Errors
/// [`ConnectorError`]; also when Kubo finds another CID for these bytes.
pub async fn put(client: &Client, cid: &Cid, data: &[u8]) -> Result<(), ConnectorError> {
    let attempt = "put a block";
    let unintelligible = |reason: String| ConnectorError::Unintelligible { attempt, reason };
    let inner = cid.inner();
    let hash = hash_name(inner.hash().code())
        .ok_or_else(|| unintelligible(format!("{cid} has a hash that is not known here")))?;
    let (codec, length) = (format!("0x{:x}", inner.codec()), inner.hash().size().to_string());
    let mut query = vec![("mhtype", hash), ("mhlen", &length), ("allow-big-block", "true")];
    match inner.version() {
        cid::Version::V0 => query.push(("format", "v0")),
        cid::Version::V1 => query.push(("cid-codec", &codec)),
    }
    let put: Put = client.upload(attempt, "block/put", &query, data).await?;
    if put.key == *cid {
        return Ok(());
    }
    Err(unintelligible(format!("its bytes are those of {} and not of {cid}", put.key)))
}

/// Kubo's names for the hashes that files have. Source: the multicodec table.
fn hash_name(code: u64) -> Option<&'static str> {
    Some(match code {
        0x00 => "identity",
        0x12 => "sha2-256",
        0x13 => "sha2-512",
        0x14 => "sha3-512",
        0x16 => "sha3-256",
        0x1e => "blake3",
        0xb220 => "blake2b-256",
        0xb240 => "blake2b-512",
        _ => return None,
    })
}

/// Connects Kubo to another node. It tries all addresses of one id at once, and one that is connected
/// already is no work.
///
/// # Errors
/// [`ConnectorError`]; also when no address answers.
pub async fn connect(client: &Client, addresses: &[Multiaddr]) -> Result<(), ConnectorError> {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let query: Vec<(&str, &str)> = addresses.iter().map(|one| ("arg", one.as_str())).collect();
    let answer: Result<IgnoredAny, _> =
        client.call("connect to another node", "swarm/connect", &query).await;
    answer.map(drop)
}

#[derive(Deserialize)]
struct SwarmPeers {
    #[serde(rename = "Peers")]
    peers: Option<Vec<SwarmPeer>>,
}

#[derive(Deserialize)]
struct SwarmPeer {
    #[serde(rename = "Peer")]
    peer: String,
}

/// The nodes that Kubo is connected to, by their ids.
///
/// # Errors
/// [`ConnectorError`].
pub async fn swarm_peers(client: &Client) -> Result<Vec<String>, ConnectorError> {
    let peers: SwarmPeers = client.call("list its connections", "swarm/peers", &[]).await?;
    Ok(peers.peers.unwrap_or_default().into_iter().map(|peer| peer.peer).collect())
}

//! Blocks into Kubo, many in a call, and whom it is, or shall be, connected to.

use std::collections::BTreeMap;

use bytes::Bytes;
use common::ids::Cid;
use multiaddr::Multiaddr;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::time::timeout;

use super::client::Client;
use super::error::ConnectorError;
use super::form::Form;
use super::lines::Lines;

const ATTEMPT: &str = "put blocks";

/// The hash of identity CIDs, whose block they hold themselves.
const IDENTITY: u64 = 0x00;

/// A block and its name.
pub type Block = (Cid, Bytes);

#[derive(Deserialize)]
struct Put {
    #[serde(rename = "Key")]
    key: Cid,
}

/// Puts blocks under their CIDs, unpinned: one call for those of one hash, whose bytes are sent as
/// they are. Kubo keeps blocks by their multihash, so the codecs of a call may differ.
/// Source: boxo `blockstore`, and Go ipfs-cluster's `BlockStream`.
///
/// # Errors
/// [`ConnectorError`]; also when bytes are not those of their CID. Some blocks may have been put.
pub async fn put_all(client: &Client, blocks: Vec<Block>) -> Result<(), ConnectorError> {
    let mut calls: BTreeMap<(u64, u8), Vec<Block>> = BTreeMap::new();
    for (cid, data) in blocks {
        let hash = cid.inner().hash();
        if hash.code() != IDENTITY {
            calls.entry((hash.code(), hash.size())).or_default().push((cid, data));
        } else if hash.digest() != data.as_ref() {
            return Err(unintelligible(format!("the bytes are not those in {cid}")));
        }
    }
    for ((hash, length), blocks) in calls {
        put_of_hash(client, hash, length, blocks).await?;
    }
    Ok(())
}

async fn put_of_hash(
    client: &Client,
    hash: u64,
    length: u8,
    blocks: Vec<Block>,
) -> Result<(), ConnectorError> {
    let limit = client.call_timeout();
    let stalled = |_| client.stalled(ATTEMPT, limit);
    let name = hash_name(hash)
        .ok_or_else(|| unintelligible(format!("hash 0x{hash:x} is not known here")))?;
    let length = length.to_string();
    let query = [
        ("cid-codec", "raw"),
        ("mhtype", name),
        ("mhlen", &length),
        ("pin", "false"),
        ("allow-big-block", "true"),
    ];
    let (cids, data): (Vec<Cid>, Vec<Bytes>) = blocks.into_iter().unzip();
    let form = Form::of_files(data);
    let opened = timeout(limit, client.post(ATTEMPT, "block/put", &query, form)).await;
    let mut lines = opened.map_err(stalled)??;
    for cid in cids {
        let put = timeout(limit, lines.next::<Put>()).await.map_err(stalled)??;
        let put = put.ok_or_else(|| unintelligible(format!("it ended before {cid}")))?;
        if put.key.inner().hash() != cid.inner().hash() {
            let words = format!("the bytes are those of {} and not of {cid}", put.key);
            return Err(unintelligible(words));
        }
    }
    let end = timeout(limit, Lines::next::<IgnoredAny>(&mut lines)).await.map_err(stalled)??;
    match end {
        None => Ok(()),
        Some(_) => Err(unintelligible("it put more blocks than it was given".to_owned())),
    }
}

fn unintelligible(reason: String) -> ConnectorError {
    ConnectorError::Unintelligible { attempt: ATTEMPT, reason }
}

/// Kubo's names for the hashes that files have. Source: the multicodec table.
fn hash_name(code: u64) -> Option<&'static str> {
    Some(match code {
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

#[cfg(test)]
mod tests;

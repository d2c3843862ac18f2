//! `clusterdctl id`, `peers`, `version` and `gc`: the peers and their Kubos.

use std::collections::BTreeMap;

use common::api;
use common::api::client::{Call, ClientError};
use common::api::peers::{IdInfo, VersionInfo};
use common::api::proxy::RepoGcEvent;

use super::args::PeerArgs;
use super::connection::Connection;
use super::failure::{Failure, code};
use super::render::{Output, Rows, or_dash, printable};

pub(super) async fn id(connection: &Connection, out: &mut Output) -> Result<u8, Failure> {
    let peer: IdInfo = connection.ask(&Call::new(api::ID, &[])).await?;
    if out.json() {
        out.object(&peer)?;
        return Ok(code::OK);
    }
    out.line(format!("Peer     {} ({})", peer.id, printable(&peer.peername)))?;
    out.line(format!("Version  {}", printable(&peer.version)))?;
    for address in &peer.addresses {
        out.line(format!("         {address}"))?;
    }
    match (peer.ipfs.id, peer.ipfs.error.as_str()) {
        (Some(id), _) => out.line(format!("Kubo     {id}"))?,
        (None, error) => out.line(format!("Kubo     does not answer: {}", printable(error)))?,
    }
    for address in &peer.ipfs.addresses {
        out.line(format!("         {address}"))?;
    }
    let others = peer.cluster_peers.iter().filter(|other| **other != peer.id).count();
    out.line(format!("Sees     {others} other peers"))?;
    Ok(code::OK)
}

pub(super) async fn list(connection: &Connection, out: &mut Output) -> Result<u8, Failure> {
    let mut lines = connection.lines(&Call::new(api::PEERS, &[])).await?;
    let mut rows = Rows::new(&["NAME", "PEER", "VERSION", "KUBO", "ERROR"]);
    while let Some(line) = connection.within(lines.next()).await? {
        if out.json() {
            out.line(&line)?;
            continue;
        }
        let peer: IdInfo = serde_json::from_slice(&line)
            .map_err(|e| ClientError::Unintelligible { reason: e.to_string() })?;
        let error = if peer.error.is_empty() { &peer.ipfs.error } else { &peer.error };
        rows.add(
            out,
            [
                or_dash(&peer.peername),
                peer.id.to_string(),
                or_dash(&peer.version),
                peer.ipfs.id.map_or_else(|| "-".to_owned(), |id| id.to_string()),
                or_dash(error),
            ],
        )?;
    }
    rows.end(out)?;
    Ok(code::OK)
}

pub(super) async fn remove(
    connection: &Connection,
    args: &PeerArgs,
    out: &mut Output,
) -> Result<u8, Failure> {
    connection.send(&Call::new(api::PEER_RM, &[args.peer.as_str()])).await?;
    if out.json() {
        out.object(&serde_json::json!({ "removed": args.peer }))?;
    } else {
        out.line(format!(
            "{} is forgotten here; other peers forget it by themselves, or as you tell them",
            args.peer
        ))?;
    }
    Ok(code::OK)
}

pub(super) async fn version(connection: &Connection, out: &mut Output) -> Result<u8, Failure> {
    let own = env!("CARGO_PKG_VERSION");
    if !out.json() {
        out.line(format!("clusterdctl {own}"))?;
        // It stands there even when the daemon's cannot be had.
        out.flush()?;
    }
    let daemon: VersionInfo = connection.ask(&Call::new(api::VERSION, &[])).await?;
    if out.json() {
        out.object(&serde_json::json!({ "clusterdctl": own, "clusterd": daemon.version }))?;
    } else {
        out.line(format!("clusterd    {}", printable(&daemon.version)))?;
    }
    Ok(code::OK)
}

/// Collects garbage and counts what went; Kubo may take hours, so there is no time limit.
pub(super) async fn collect_garbage(
    connection: &Connection,
    out: &mut Output,
) -> Result<u8, Failure> {
    let reply = connection.client().send(&Call::new(api::PROXY_REPO_GC, &[])).await?;
    let mut lines = reply.lines();
    let mut removed = 0_u64;
    let mut errors: BTreeMap<String, u64> = BTreeMap::new();
    while let Some(line) = lines.next().await? {
        if out.json() {
            out.line(&line)?;
        }
        let event: RepoGcEvent = serde_json::from_slice(&line)
            .map_err(|e| ClientError::Unintelligible { reason: e.to_string() })?;
        match event {
            RepoGcEvent::Removed(_) => removed += 1,
            RepoGcEvent::Error { peer, message } => {
                *errors.entry(format!("{peer}: {message}")).or_default() += 1;
            }
            RepoGcEvent::Done => {
                if !out.json() {
                    out.line(format!("{removed} blocks removed"))?;
                    for (error, times) in &errors {
                        out.line(format!("{} ({times} times)", printable(error)))?;
                    }
                }
                return Ok(if errors.is_empty() { code::OK } else { code::FAILED });
            }
        }
    }
    Err(Failure::CutOff("gc"))
}

//! The methods of other peers, each with its argument and answer.

use common::api::peers::{IdInfo, VersionInfo};
use common::api::repo::RepoGc;
use common::api::tree::{Beside, Query};
use common::ids::{Cid, PeerId};
use common::pin::Pin;
use common::status::StatusFilter;

use super::super::methods::Method;
use super::super::types::{Asked, CountedRepo, Heads, IpfsRepoStat, PeerPin, Reports};
use super::{Answers, RpcError, Stream, Upload, unary};

/// Who the peer is.
///
/// # Errors
/// [`RpcError`].
pub async fn id(stream: impl Stream) -> Result<IdInfo, RpcError> {
    unary(stream, Method::ClusterId, &()).await
}

/// Joins the cluster of the peer: it calls [`id`] on us over the same connection before it answers.
///
/// # Errors
/// [`RpcError`].
pub async fn peer_add(stream: impl Stream, us: &PeerId) -> Result<IdInfo, RpcError> {
    unary(stream, Method::ClusterPeerAdd, us).await
}

/// The version of the peer's program.
///
/// # Errors
/// [`RpcError`].
pub async fn version(stream: impl Stream) -> Result<VersionInfo, RpcError> {
    unary(stream, Method::ClusterVersion, &()).await
}

/// All members as the peer sees them.
///
/// # Errors
/// [`RpcError`].
pub async fn peers<S: Stream>(stream: S) -> Result<Answers<S, IdInfo>, RpcError> {
    Answers::of::<()>(stream, Method::ClusterPeers, None).await
}

/// The state of one pin at the peer.
///
/// # Errors
/// [`RpcError`].
pub async fn status(stream: impl Stream, cid: &Cid) -> Result<PeerPin, RpcError> {
    unary(stream, Method::PinTrackerStatus, cid).await
}

/// The state of all pins at the peer that a filter lets through.
///
/// # Errors
/// [`RpcError`].
pub async fn status_all<S: Stream>(
    stream: S,
    filter: StatusFilter,
) -> Result<Answers<S, PeerPin>, RpcError> {
    Answers::of(stream, Method::PinTrackerStatusAll, Some(&filter)).await
}

/// Makes the peer try one pin again now.
///
/// # Errors
/// [`RpcError`].
pub async fn recover(stream: impl Stream, cid: &Cid) -> Result<PeerPin, RpcError> {
    unary(stream, Method::PinTrackerRecover, cid).await
}

/// Makes the peer try all failed pins again now; lists them alone.
///
/// # Errors
/// [`RpcError`].
pub async fn recover_all<S: Stream>(stream: S) -> Result<Answers<S, PeerPin>, RpcError> {
    Answers::of::<()>(stream, Method::ClusterRecoverAllLocal, None).await
}

/// Collects the garbage of the peer's Kubo, which may take long.
///
/// # Errors
/// [`RpcError`].
pub async fn collect(stream: impl Stream) -> Result<RepoGc, RpcError> {
    unary(stream, Method::ClusterRepoGcLocal, &()).await
}

/// Figures of the peer's Kubo.
///
/// # Errors
/// [`RpcError`].
pub async fn repo_stat(stream: impl Stream) -> Result<IpfsRepoStat, RpcError> {
    unary(stream, Method::IpfsConnectorRepoStat, &()).await
}

/// Whom the peer's Kubo is connected to.
///
/// # Errors
/// [`RpcError`].
pub async fn swarm_peers(stream: impl Stream) -> Result<Vec<PeerId>, RpcError> {
    unary(stream, Method::IpfsConnectorSwarmPeers, &()).await
}

/// Puts blocks into the peer's Kubo: [`BlockPut`](super::super::types::BlockPut)s are to be sent. Go
/// wants one at least, and the same codec and hash for all.
///
/// # Errors
/// [`RpcError`].
pub async fn put_blocks<S: Stream>(stream: S) -> Result<Upload<S>, RpcError> {
    Upload::of(stream, Method::IpfsConnectorBlockStream).await
}

/// Makes the peer write a record as it is.
///
/// # Errors
/// [`RpcError`].
pub async fn log_pin(stream: impl Stream, pin: &Pin) -> Result<(), RpcError> {
    unary(stream, Method::ConsensusLogPin, pin).await
}

/// Makes the peer delete a record.
///
/// # Errors
/// [`RpcError`].
pub async fn log_unpin(stream: impl Stream, pin: &Pin) -> Result<(), RpcError> {
    unary(stream, Method::ConsensusLogUnpin, pin).await
}

/// Takes a peer out of the cluster.
///
/// # Errors
/// [`RpcError`].
pub async fn peer_remove(stream: impl Stream, leaving: &PeerId) -> Result<(), RpcError> {
    unary(stream, Method::ClusterPeerRemove, leaving).await
}

/// The newest blocks of the peer's history. Go peers lack this: see
/// [`RpcError::is_missing_method`].
///
/// # Errors
/// [`RpcError`].
pub async fn heads(stream: impl Stream) -> Result<Heads, RpcError> {
    unary(stream, Method::CompositeHeads, &()).await
}

/// How pins stand at the peer. Go peers lack this.
///
/// # Errors
/// [`RpcError`].
pub async fn states(stream: impl Stream, asked: &Asked) -> Result<Reports, RpcError> {
    unary(stream, Method::CompositeStates, asked).await
}

/// What is new of the peer's pins, until the connection ends. Go peers lack this.
///
/// # Errors
/// [`RpcError`].
pub async fn watch<S: Stream>(stream: S) -> Result<Answers<S, Reports>, RpcError> {
    Answers::of::<()>(stream, Method::CompositeWatch, None).await
}

/// Figures of the peer's Kubo with the number of its blocks. Go peers lack this.
///
/// # Errors
/// [`RpcError`].
pub async fn counted_repo(stream: impl Stream) -> Result<CountedRepo, RpcError> {
    unary(stream, Method::CompositeRepoStat, &()).await
}

/// What the peer has for an IPFS daemon, with all that is below it. Go peers lack this.
///
/// # Errors
/// [`RpcError`].
pub async fn beside(stream: impl Stream, query: &Query) -> Result<Beside, RpcError> {
    unary(stream, Method::CompositeBelow, query).await
}

//! What the API needs of the other peers: the seam to their RPC, and asking all of them at once.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use common::api::error::{ApiError, ErrorCode};
use common::api::health::Bandwidth;
use common::api::peers::IdInfo;
use common::api::pins::GlobalPinInfo;
use common::api::repo::RepoGc;
use common::api::tree::{Beside, Query};
use common::ids::{Cid, PeerId};
use common::status::StatusFilter;
use futures_util::stream::{FuturesUnordered, Stream};
use multiaddr::Multiaddr;
use tokio::sync::mpsc;

use super::kubo::Soon;

/// A peer that has not answered in this time is told of as silent. Source: Go's callers give 15 s.
pub const ANSWER_MAX: Duration = Duration::from_secs(15);

/// What the Kubo of a peer has and may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepoFigures {
    /// Bytes used.
    pub used: u64,
    /// Bytes allowed.
    pub allowed: u64,
    /// Blocks, where the peer was asked to count and can.
    pub objects: Option<u64>,
    /// Which Kubo it is, where the peer tells.
    pub kubo: Option<PeerId>,
}

/// What the network of peers counts; since the start, where it counts events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Peers with a connection.
    pub connected: usize,
    /// Announcements of heads that were refused because their signer is not trusted.
    pub heads_refused: u64,
    /// Calls of peers that were refused because the peer had too many open.
    pub calls_refused: u64,
}

/// The other peers. A peer that does not trust us answers with [`ErrorCode::Forbidden`].
pub trait Others: Send + Sync {
    /// Who it is.
    fn id(&self, peer: PeerId) -> Soon<'_, IdInfo>;

    /// The state of one pin there.
    fn status(&self, peer: PeerId, cid: Cid) -> Soon<'_, GlobalPinInfo>;

    /// The state of all pins there; an error ends them.
    fn status_all(
        &self,
        peer: PeerId,
        filter: StatusFilter,
    ) -> mpsc::Receiver<Result<GlobalPinInfo, ApiError>>;

    /// Tries one pin again there.
    fn recover(&self, peer: PeerId, cid: Cid) -> Soon<'_, GlobalPinInfo>;

    /// Tries all failed pins again there; an error ends them.
    fn recover_all(&self, peer: PeerId) -> mpsc::Receiver<Result<GlobalPinInfo, ApiError>>;

    /// Collects the garbage of its Kubo, without a limit in time.
    fn collect(&self, peer: PeerId) -> Soon<'_, RepoGc>;

    /// How much its Kubo has. Its blocks are counted only if that is asked for: that reads the names of all.
    fn repo(&self, peer: PeerId, counts: bool) -> Soon<'_, RepoFigures>;

    /// What it has for an IPFS daemon, with all that is below it. Of a Go peer that cannot be known.
    fn beside(&self, peer: PeerId, query: Query) -> Soon<'_, Beside>;

    /// Whom its Kubo is connected to.
    fn swarm_peers(&self, peer: PeerId) -> Soon<'_, Vec<PeerId>>;

    /// Its name, as it last told it; its id where it never did.
    fn name(&self, peer: &PeerId) -> String;

    /// Its Kubo, as it last told.
    fn kubo(&self, peer: &PeerId) -> Option<PeerId>;

    /// Whether there is a connection to it.
    fn is_connected(&self, peer: &PeerId) -> bool;

    /// Forgets what it said and where it was reached; `true` where anything was known. It is known again
    /// as soon as it connects.
    fn forget(&self, peer: PeerId) -> Soon<'_, bool>;

    /// Where this peer is reached by the others, each with `/p2p/ID`.
    fn own_addresses(&self) -> Vec<Multiaddr>;

    /// What the network of peers counts.
    fn figures(&self) -> Figures;

    /// Bytes by protocol.
    fn traffic(&self) -> BTreeMap<String, Bandwidth>;

    /// Where a peer can be reached, as far as is known, each with `/p2p/ID`.
    fn addresses(&self, peer: &PeerId) -> Vec<Multiaddr>;
}

/// Asks peers at once; the answers come in any order, and all are there after [`ANSWER_MAX`]: who was
/// silent until then has an error.
pub(super) fn ask_all<T, F, A>(
    peers: &BTreeSet<PeerId>,
    ask: A,
) -> impl Stream<Item = (PeerId, Result<T, ApiError>)> + use<T, F, A>
where
    A: Fn(PeerId) -> F,
    F: Future<Output = Result<T, ApiError>>,
{
    let asked = peers.iter().map(|peer| {
        let (peer, answer) = (*peer, ask(*peer));
        async move {
            let waited = tokio::time::timeout(ANSWER_MAX, answer).await;
            (peer, waited.unwrap_or_else(|_| Err(silent())))
        }
    });
    asked.collect::<FuturesUnordered<_>>()
}

/// What stands for the answer of a peer that gave none.
pub(super) fn silent() -> ApiError {
    let words = format!("the peer did not answer within {} s", ANSWER_MAX.as_secs());
    ApiError::new(ErrorCode::DeadlineExceeded, words)
}

/// Whether a peer hides from us, as one that does not trust us: Go shows nothing of it either.
pub(super) fn hides(error: &ApiError) -> bool {
    error.reason == ErrorCode::Forbidden
}

/// The other members.
pub(super) fn others(members: &BTreeSet<PeerId>, own: &PeerId) -> BTreeSet<PeerId> {
    members.iter().filter(|peer| *peer != own).copied().collect()
}

//! This peer as others call it: the seam that the rest of the daemon fills in.

use std::future::Future;
use std::pin::Pin as Pinned;

use common::api::peers::{IdInfo, VersionInfo};
use common::api::repo::RepoGc;
use common::api::tree::{Beside, Query};
use common::ids::{Cid, PeerId};
use common::pin::Pin;
use common::status::StatusFilter;

use super::items::{Items, Refusal};
use super::types::{Asked, BlockPut, CountedRepo, Heads, IpfsRepoStat, PeerPin, Reports};

/// An answer that is on its way. It is dropped when the caller goes away.
pub type Soon<'a, T> = Pinned<Box<dyn Future<Output = Result<T, Refusal>> + Send + 'a>>;

/// This peer. Each call is one of [`Method`](super::methods::Method); who may call was checked before.
///
/// A list is dropped when the caller goes away; its feed then learns that nobody reads it.
pub trait Peer: Send + Sync {
    /// Whether a peer may call what only trusted peers may.
    fn trusts(&self, caller: &PeerId) -> bool;

    /// Who we are. A Kubo that does not answer is said so inside.
    fn id(&self) -> Soon<'_, IdInfo>;

    /// A peer joins: asks it who it is and gives its answer, with us among its members.
    fn add_peer(&self, peer: PeerId) -> Soon<'_, IdInfo>;

    /// Takes a peer out.
    fn remove_peer(&self, peer: PeerId) -> Soon<'_, ()>;

    /// The program's version.
    fn version(&self) -> VersionInfo;

    /// All members, each asked who it is.
    fn peers(&self) -> Items<IdInfo>;

    /// The state of one pin here; for a CID outside of the pinset too.
    fn status(&self, cid: Cid) -> Soon<'_, PeerPin>;

    /// The state of all pins here.
    fn status_all(&self, filter: StatusFilter) -> Items<PeerPin>;

    /// Tries one pin again now.
    fn recover(&self, cid: Cid) -> Soon<'_, PeerPin>;

    /// Tries all failed pins again now; lists them alone.
    fn recover_all(&self) -> Items<PeerPin>;

    /// Collects garbage.
    fn collect(&self) -> Soon<'_, RepoGc>;

    /// Figures of our Kubo.
    fn repo_stat(&self) -> Soon<'_, IpfsRepoStat>;

    /// The same with the number of its blocks.
    fn counted_repo(&self) -> Soon<'_, CountedRepo>;

    /// What we have for an IPFS daemon, with all that is below it.
    fn beside(&self, query: Query) -> Soon<'_, Beside>;

    /// Whom our Kubo is connected to.
    fn swarm_peers(&self) -> Soon<'_, Vec<PeerId>>;

    /// Puts blocks into our Kubo until the list ends. A list that breaks off must not count as whole;
    /// one whose caller broke the stream between two blocks may look whole, as yamux tells no difference.
    fn put_blocks(&self, blocks: Items<BlockPut>) -> Soon<'_, ()>;

    /// Writes a record as it is.
    fn log_pin(&self, pin: Pin) -> Soon<'_, ()>;

    /// Deletes a record.
    fn log_unpin(&self, pin: Pin) -> Soon<'_, ()>;

    /// The newest blocks of our history.
    fn heads(&self) -> Soon<'_, Heads>;

    /// How pins stand here.
    fn states(&self, asked: Asked) -> Soon<'_, Reports>;

    /// What is new of our pins, for one caller, beginning with all that we shall hold and do not. Never
    /// ends well.
    fn watch(&self, caller: PeerId) -> Items<Reports>;
}

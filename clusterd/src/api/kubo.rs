//! What the API needs of Kubo: the seam to the connector, which belongs to another room.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use clusterd_core::input::HeldPin;
use common::api::error::ApiError;
use common::api::peers::IpfsInfo;
use common::api::proxy::RepoStat;
use common::api::tree::{Daemon, Query};
use common::ids::{Cid, PeerId};
use common::pin::PinMode;
use http_body_util::combinators::UnsyncBoxBody;
use multiaddr::Multiaddr;
use tokio::sync::mpsc;

/// An answer that is on its way.
pub type Soon<'a, T> = Pin<Box<dyn Future<Output = Result<T, ApiError>> + Send + 'a>>;

/// One step of a collection: a block that is gone, or Kubo's words for one that is not.
pub type Collected = Result<Cid, String>;

/// A form on its way to one of Kubo's commands.
pub struct Upload {
    /// The command: `add`, `dag/import`.
    pub command: &'static str,
    /// Its options.
    pub query: Vec<(&'static str, String)>,
    /// The `Content-Type` of the form.
    pub content_type: String,
    /// The form.
    pub body: UnsyncBoxBody<Bytes, io::Error>,
}

/// The Kubo beside this peer.
pub trait Kubo: Send + Sync {
    /// The CID that a CID or path leads to; errors are in Kubo's words.
    fn resolve<'a>(
        &'a self,
        argument: &'a str,
        offline: bool,
        limit: Option<Duration>,
    ) -> Soon<'a, Cid>;

    /// Whether Kubo holds a pin of this mode.
    fn holds(&self, cid: Cid, mode: PinMode, limit: Option<Duration>) -> Soon<'_, bool>;

    /// Pins without fetching; `true` when the pin was there before.
    fn pin_offline(&self, cid: Cid, mode: PinMode, limit: Option<Duration>) -> Soon<'_, bool>;

    /// Lets go of a pin that [`Self::pin_offline`] made.
    fn unpin(&self, cid: Cid) -> Soon<'_, ()>;

    /// The kind under which Kubo holds a CID indirectly (`indirect through <cid>`), if it does.
    fn indirect(&self, cid: Cid, limit: Option<Duration>) -> Soon<'_, Option<String>>;

    /// Nodes and bytes of a DAG that Kubo has whole.
    fn dag_size(&self, cid: Cid, limit: Option<Duration>) -> Soon<'_, (u64, u64)>;

    /// Kubo's id as it was when it last answered.
    fn known_id(&self) -> Option<PeerId>;

    /// Who and where Kubo is.
    fn id(&self) -> Soon<'_, IpfsInfo>;

    /// What it is: Kubo, or a cluster, which tells what is below it. The limit of time is the query's.
    fn below(&self, query: Query) -> Soon<'_, Daemon>;

    /// The repository's figures.
    fn repo_stat(&self, size_only: bool) -> Soon<'_, RepoStat>;

    /// Bytes that may still be added: what Kubo's limit leaves, and what the volume does beyond `reserve`.
    fn free_space(&self, reserve: u64) -> Soon<'_, u64>;

    /// Connects it to another node, whose id stands in each of these addresses.
    fn connect(&self, addresses: Vec<Multiaddr>) -> Soon<'_, ()>;

    /// Whom it is connected to.
    fn swarm_peers(&self) -> Soon<'_, Vec<PeerId>>;

    /// Puts blocks under their CIDs, unpinned; on an error some may have been put.
    fn put_blocks(&self, blocks: Vec<(Cid, Bytes)>) -> Soon<'_, ()>;

    /// Sends an upload on while it comes; the lines of the answer come until the channel closes. An
    /// error ends them. Dropping the receiver makes Kubo give up.
    fn upload(&self, upload: Upload) -> mpsc::Receiver<Result<Bytes, ApiError>>;

    /// Starts a collection; the steps come until the channel closes. An error ends them.
    fn collect(&self) -> mpsc::Receiver<Result<Collected, ApiError>>;

    /// Reads all pins; they come until the channel closes. An error ends them.
    fn pins(&self) -> mpsc::Receiver<Result<Vec<HeldPin>, ApiError>>;
}

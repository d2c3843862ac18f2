//! [`Net`]: what the rest of the daemon asks of the network.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use clusterd_core::pinset::codec::BlockId;
use common::api::health::Bandwidth;
use common::ids::PeerId;
use multiaddr::{Multiaddr, Protocol};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::addresses;
use super::advice::{Advice, Skew};
use super::fetches::{FetchError, Waiter};
use super::gossip::HEADS_PER_MESSAGE_MAX;
use super::streams::{Incoming, OpenError, PeerStream, Reply};
use super::traffic::Meter;

/// Time to connect to a peer, to look for its address before that, and to agree on the protocol.
const OPEN_TIMEOUT: Duration = Duration::from_secs(45);

/// What the task is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    PublishHeads(Vec<BlockId>),
    PublishMetric(Vec<u8>),
    Fetch(BlockId, Waiter),
    Have(Vec<BlockId>),
    Open(libp2p::PeerId, Reply),
    AddAddresses(libp2p::PeerId, Vec<Multiaddr>),
    Forget(libp2p::PeerId, oneshot::Sender<bool>),
    Stop,
}

/// What the task lets everyone see.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Connected peers, each with the address of its first connection.
    pub(super) connected: BTreeMap<PeerId, Multiaddr>,
    /// All known addresses, with `/p2p`, best first for each peer.
    pub(super) known: Vec<Multiaddr>,
    /// Where we can be reached, without `/p2p`.
    pub(super) own: Vec<Multiaddr>,
    pub(super) counts: NetCounts,
}

/// Counters since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetCounts {
    /// RPC streams of peers that were reset because the peer had too many open.
    pub rpc_refused: u64,
    /// Announcements of heads that were refused because their signer is not trusted.
    pub heads_refused: u64,
    /// Blocks that are being fetched now.
    pub fetching: usize,
}

/// The network of peers. Cheap to clone. When the last clone is gone, the network stops.
#[derive(Debug, Clone)]
pub struct Net {
    pub(super) me: PeerId,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) seen: Arc<RwLock<Seen>>,
    pub(super) advice: Advice,
    pub(super) meter: Meter,
    pub(super) fetch_timeout: Duration,
}

/// RPC streams that peers opened, each with the peer's id.
#[derive(Debug)]
pub struct IncomingRpc(pub(super) Incoming);

impl IncomingRpc {
    /// The next stream; `None` when the network has stopped. Cancel-safe.
    pub async fn next(&mut self) -> Option<(PeerId, PeerStream)> {
        let (peer, stream) = self.0.recv().await?;
        Some((PeerId::from(peer), stream))
    }
}

impl Net {
    /// This peer.
    #[must_use]
    pub fn me(&self) -> PeerId {
        self.me
    }

    /// Announces heads to all peers, in several messages when they are many. An announcement that
    /// reaches nobody is no failure: heads are announced again. Waits only while the task is busy.
    pub async fn publish_heads(&self, heads: Vec<BlockId>) {
        for some in heads.chunks(HEADS_PER_MESSAGE_MAX) {
            // An error means that the network is stopping.
            drop(self.commands.send(Command::PublishHeads(some.to_vec())).await);
        }
    }

    /// Publishes one metric, as [`Self::publish_heads`] does heads.
    pub async fn publish_metric(&self, payload: Vec<u8>) {
        drop(self.commands.send(Command::PublishMetric(payload)).await);
    }

    /// Fetches a block from the connected peers; its hash is checked. Cancel-safe: when the last
    /// waiter leaves, peers are no longer asked.
    ///
    /// # Errors
    /// [`FetchError`], at the latest after the time-out of the configuration.
    pub async fn fetch(&self, id: BlockId) -> Result<Vec<u8>, FetchError> {
        let (waiter, block) = oneshot::channel();
        let limit = self.fetch_timeout;
        let whole = async {
            let sent = self.commands.send(Command::Fetch(id, waiter)).await;
            sent.map_err(|_| FetchError::Stopped)?;
            block.await.unwrap_or(Err(FetchError::Stopped))
        };
        timeout(limit, whole).await.unwrap_or(Err(FetchError::TimedOut(limit.as_secs())))
    }

    /// Tells that these blocks can be read from now on: peers that asked for them in vain get them.
    pub async fn have(&self, ids: Vec<BlockId>) {
        drop(self.commands.send(Command::Have(ids)).await);
    }

    /// Opens a stream of the cluster's RPC; connects to the peer first when needed. Cancel-safe.
    ///
    /// # Errors
    /// [`OpenError`], after 45 seconds at the latest.
    pub async fn open_rpc(&self, peer: PeerId) -> Result<PeerStream, OpenError> {
        let (reply, stream) = oneshot::channel();
        let whole = async {
            let sent = self.commands.send(Command::Open(*peer.inner(), reply)).await;
            sent.map_err(|_| OpenError::Stopped)?;
            let lost = || Err(OpenError::Failed("the connection was lost".to_owned()));
            stream.await.unwrap_or_else(|_| lost())
        };
        let late = || Err(OpenError::Failed("time-out".to_owned()));
        timeout(OPEN_TIMEOUT, whole).await.unwrap_or_else(|_| late())
    }

    /// Takes addresses of a peer that were learnt elsewhere; those that cannot be dialled are
    /// passed over. The peer is connected to.
    pub async fn add_addresses(&self, peer: PeerId, addresses: Vec<Multiaddr>) {
        drop(self.commands.send(Command::AddAddresses(*peer.inner(), addresses)).await);
    }

    /// Forgets where a peer is, also where the configuration says it; `true` when that was known. Its
    /// connections stay, and what they tell is learnt anew.
    pub async fn forget(&self, peer: PeerId) -> bool {
        let (reply, done) = oneshot::channel();
        drop(self.commands.send(Command::Forget(*peer.inner(), reply)).await);
        // Without an answer the network is stopping.
        done.await.unwrap_or(false)
    }

    /// Peers with a connection, in the order of their ids.
    #[must_use]
    pub fn connected(&self) -> Vec<PeerId> {
        self.seen(|seen| seen.connected.keys().copied().collect())
    }

    /// The address of the connection to a peer, with `/p2p`; `None` when there is none.
    #[must_use]
    pub fn address_of(&self, peer: &PeerId) -> Option<Multiaddr> {
        let address = self.seen(|seen| seen.connected.get(peer).cloned())?;
        Some(address.with(Protocol::P2p(*peer.inner())))
    }

    /// Where a peer can be reached, with `/p2p`, best first; may be some seconds old.
    #[must_use]
    pub fn addresses_of(&self, peer: &PeerId) -> Vec<Multiaddr> {
        let of_it =
            |address: &&Multiaddr| addresses::split(address).1.as_ref() == Some(peer.inner());
        self.seen(|seen| seen.known.iter().filter(of_it).cloned().collect())
    }

    /// Where other peers can reach us, with `/p2p`: what is announced, else what is listened on.
    #[must_use]
    pub fn own_addresses(&self) -> Vec<Multiaddr> {
        let own = self.seen(|seen| seen.own.clone());
        own.into_iter().map(|address| address.with(Protocol::P2p(*self.me.inner()))).collect()
    }

    /// Counters.
    #[must_use]
    pub fn counts(&self) -> NetCounts {
        self.seen(|seen| seen.counts)
    }

    /// Bytes since the start, and rates, by protocol.
    #[must_use]
    pub fn traffic(&self) -> BTreeMap<String, Bandwidth> {
        self.meter.read()
    }

    /// Writes the one line about a clock that is wrong, found with [`super::clock_skew`].
    pub fn advise_of_clock(&self, peer: PeerId, skew: Skew) {
        self.advice.clock(*peer.inner(), skew);
    }

    /// Ends all connections and writes the peerstore. [`super::Started::task`] ends when it is done.
    pub async fn stop(&self) {
        drop(self.commands.send(Command::Stop).await);
    }

    fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.read().unwrap_or_else(PoisonError::into_inner))
    }
}

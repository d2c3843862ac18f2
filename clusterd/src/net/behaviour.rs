//! All that is spoken on a connection, and how many connections there may be.

use std::sync::Arc;
use std::time::Duration;

use libp2p::identity::Keypair;
use libp2p::kad::store::MemoryStore;
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, connection_limits, identify, kad, memory_connection_limits,
    ping,
};

use super::bitswap;
use super::blocks::Blocks;
use super::book::Book;
use super::gossip::{self, Gossip, GossipError, Topics};
use super::streams::{self, Incoming, StreamLimits};

/// The cluster's RPC. Source: `RPCProtocol` of Go ipfs-cluster.
const RPC_PROTOCOL: StreamProtocol = StreamProtocol::new("/ipfscluster/1.0/rpc");

/// Go's DHT among private addresses. Source: go-libp2p-kad-dht, `dual`.
pub(super) const DHT_PROTOCOL: StreamProtocol = StreamProtocol::new("/ipfs/lan/kad/1.0.0");

/// A Go peer opens one stream for each call, and makes a few calls at a time.
const RPC_LIMITS: StreamLimits = StreamLimits {
    inbound_per_peer: 128,
    outbound_per_peer: 64,
    waiting: 64,
    negotiation: Duration::from_secs(10),
};

/// Connections with one peer: two when both dialled at once, and two more when addresses change.
const CONNECTIONS_PER_PEER_MAX: u32 = 4;

/// Connections that are being made.
const PENDING_MAX: u32 = 64;

/// Above so many bytes of the whole process no connection is added: far more than the daemon needs.
const MEMORY_BYTES_MAX: usize = 1 << 30;

/// How often a peer is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(10);

/// For an answer to that; a peer that misses two is dropped.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// The behaviour of the swarm. The limits come first: what they refuse, no other part hears of.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    connections: connection_limits::Behaviour,
    memory: memory_connection_limits::Behaviour,
    pub(super) book: Book,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    pub(super) gossip: Gossip,
    pub(super) rpc: streams::Behaviour,
    pub(super) dht: Toggle<kad::Behaviour<MemoryStore>>,
    pub(super) bitswap: bitswap::Behaviour,
}

/// What the behaviour is made from.
pub(super) struct Ingredients<'a> {
    pub(super) keypair: &'a Keypair,
    pub(super) topics: &'a Topics,
    pub(super) announce: &'a [Multiaddr],
    pub(super) connections_max: u32,
    pub(super) dht: bool,
    pub(super) blocks: Arc<dyn Blocks>,
}

impl Behaviour {
    /// The behaviour, and the queue of RPC streams that peers open.
    pub(super) fn new(from: &Ingredients<'_>) -> Result<(Self, Incoming), GossipError> {
        let me = from.keypair.public().to_peer_id();
        let (rpc, incoming) = streams::Behaviour::new(RPC_PROTOCOL, RPC_LIMITS);
        let made = Self {
            connections: connection_limits::Behaviour::new(limits(from.connections_max)),
            memory: memory_connection_limits::Behaviour::with_max_bytes(MEMORY_BYTES_MAX),
            book: Book::new(me),
            identify: identify::Behaviour::new(identify_config(from)),
            ping: ping::Behaviour::new(
                ping::Config::new().with_interval(PING_EVERY).with_timeout(PING_TIMEOUT),
            ),
            gossip: gossip::behaviour(from.keypair, from.topics)?,
            rpc,
            dht: from.dht.then(|| dht(me)).into(),
            bitswap: bitswap::Behaviour::new(Arc::clone(&from.blocks), blocks_limits(from)),
        };
        Ok((made, incoming))
    }
}

fn limits(connections_max: u32) -> connection_limits::ConnectionLimits {
    connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(PENDING_MAX))
        .with_max_pending_outgoing(Some(PENDING_MAX))
        .with_max_established(Some(connections_max))
        // Whoever comes must not take every place: we still reach those we look for.
        .with_max_established_incoming(Some(connections_max - connections_max / 4))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER_MAX))
}

fn blocks_limits(from: &Ingredients<'_>) -> bitswap::Limits {
    let peers = usize::try_from(from.connections_max).unwrap_or(usize::MAX);
    bitswap::Limits { peers, ..bitswap::Limits::default() }
}

fn identify_config(from: &Ingredients<'_>) -> identify::Config {
    // Go's peers send no protocol version either.
    identify::Config::new(String::new(), from.keypair.public())
        .with_agent_version(format!("composite/{}", env!("CARGO_PKG_VERSION")))
        .with_push_listen_addr_updates(true)
        // The book remembers addresses, in its own order.
        .with_cache_size(0)
        // Announced addresses take the place of those that are listened on.
        .with_hide_listen_addrs(!from.announce.is_empty())
}

/// A client of Go's DHT: it asks where a peer is, and answers nobody.
fn dht(me: PeerId) -> kad::Behaviour<MemoryStore> {
    let mut config = kad::Config::new(DHT_PROTOCOL);
    // Nothing is stored or published: only peers are looked for.
    config
        .set_query_timeout(Duration::from_secs(20))
        .set_publication_interval(None)
        .set_replication_interval(None)
        .set_provider_publication_interval(None);
    let mut dht = kad::Behaviour::with_config(me, MemoryStore::new(me), config);
    dht.set_mode(Some(kad::Mode::Client));
    dht
}

//! Builds the swarm, takes the listening ports, and starts the task.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use common::ids::PeerId;
use libp2p::identity::Keypair;
use libp2p::swarm::Swarm;
use multiaddr::{Multiaddr, Protocol};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::behaviour::{Behaviour, Ingredients};
use super::blocks::Blocks;
use super::gossip::{GossipError, Topics};
use super::handle::{IncomingRpc, Net, Seen};
use super::task::Task;
use super::traffic::Meter;
use super::{NetEvent, addresses, peerstore, transport};
use crate::config::Trusted;

/// Commands that wait; callers wait when there are more.
const COMMANDS_MAX: usize = 64;

/// Events in the channel; see `outlet` for what happens when it is full.
const EVENTS_MAX: usize = 64;

/// Streams of one connection that are being agreed on at a time.
const NEGOTIATING_MAX: usize = 128;

/// What the network is built from.
#[derive(Clone)]
pub struct NetConfig {
    /// This peer's key.
    pub keypair: Keypair,
    /// The secret that all peers of the cluster share.
    pub secret: [u8; 32],
    /// Names the topic of heads.
    pub cluster_name: String,
    /// Where to listen.
    pub listen: Vec<Multiaddr>,
    /// What others are told instead of `listen`; empty: what is listened on.
    pub announce: Vec<Multiaddr>,
    /// Members to connect to first: with `/p2p`, or a `/dnsaddr` without.
    pub bootstrap: Vec<Multiaddr>,
    /// Whose heads are taken.
    pub trusted: Trusted,
    /// The file of known peers.
    pub peerstore: PathBuf,
    /// Connections at a time, at least 4.
    pub connections_max: u32,
    /// Look for peers on the local network.
    pub mdns: bool,
    /// Ask the DHT of Go peers where others are.
    pub dht: bool,
    /// A block that did not come in this time is given up.
    pub fetch_timeout: Duration,
}

/// The running network.
#[derive(Debug)]
pub struct Started {
    /// To use it.
    pub net: Net,
    /// What happens.
    pub events: mpsc::Receiver<NetEvent>,
    /// RPC streams of peers.
    pub rpc: IncomingRpc,
    /// Ends when the network has stopped and the peerstore is written.
    pub task: JoinHandle<()>,
}

/// Why the network cannot start.
#[derive(Debug, Error)]
pub enum NetError {
    /// Somebody else listens there.
    #[error(
        "cannot listen for peers on {address}: the port is in use; stop the other program, or change listen in [peers]"
    )]
    InUse {
        /// Where.
        address: Multiaddr,
    },
    /// It cannot be listened there.
    #[error("cannot listen for peers on {address}: {reason}")]
    Listen {
        /// Where.
        address: Multiaddr,
        /// Why not.
        reason: String,
    },
    /// The key cannot be used for connections.
    #[error("cannot use the key of this peer for connections: {0}")]
    Key(#[from] libp2p::noise::Error),
    /// Gossip.
    #[error(transparent)]
    Gossip(#[from] GossipError),
    /// The file of known peers.
    #[error("cannot read the known peers in {}: {source}", path.display())]
    Peerstore {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The local network cannot be searched.
    #[error("cannot look for peers on the local network: {0}; set mdns in [peers] to false")]
    Mdns(#[from] mdns_sd::Error),
}

/// Starts the network on the current runtime. `blocks` are served to other peers.
///
/// # Errors
/// [`NetError`] when it cannot listen, or something it is built from cannot be used.
pub fn start(config: NetConfig, blocks: Arc<dyn Blocks>) -> Result<Started, NetError> {
    let me = config.keypair.public().to_peer_id();
    let known = peerstore::load(&config.peerstore);
    let known =
        known.map_err(|source| NetError::Peerstore { path: config.peerstore.clone(), source })?;
    let topics = Topics::of(&config.cluster_name);
    let (behaviour, incoming) = Behaviour::new(&Ingredients {
        keypair: &config.keypair,
        topics: &topics,
        announce: &config.announce,
        connections_max: config.connections_max,
        dht: config.dht,
        blocks,
    })?;
    let meter = Meter::default();
    let transport = transport::build(&config.keypair, config.secret, meter.clone())?;
    let settings = libp2p::swarm::Config::with_tokio_executor()
        // A connection ends when it breaks, and not because nobody spoke for a while.
        .with_idle_connection_timeout(Duration::from_secs(u64::from(u32::MAX)))
        .with_max_negotiating_inbound_streams(NEGOTIATING_MAX);
    let mut swarm = Swarm::new(transport, behaviour, me, settings);
    listen(&mut swarm, &config.listen)?;
    for address in &config.announce {
        swarm.add_external_address(addresses::split(address).0);
    }
    let (sender, commands) = mpsc::channel(COMMANDS_MAX);
    let (outlet, events) = mpsc::channel(EVENTS_MAX);
    let own = config.announce.iter().map(|address| addresses::split(address).0).collect();
    let seen = Arc::new(RwLock::new(Seen { own, ..Seen::default() }));
    let net = Net {
        me: PeerId::from(me),
        commands: sender,
        seen: Arc::clone(&seen),
        advice: super::advice::Advice::default(),
        meter,
        fetch_timeout: config.fetch_timeout,
    };
    let task = Task::new(swarm, commands, outlet, &net, topics, config)?;
    let task = tokio::spawn(task.run(known));
    Ok(Started { net, events, rpc: IncomingRpc(incoming), task })
}

fn listen(swarm: &mut Swarm<Behaviour>, wanted: &[Multiaddr]) -> Result<(), NetError> {
    for address in wanted {
        // The transport shares its port with whoever asks for that, as Go's does: without this check
        // two peers on one port would each get half of the connections.
        if let Some(place) = socket_address(address) {
            TcpListener::bind(place).map(drop).map_err(|error| refusal(address, &error))?;
        }
    }
    for address in wanted {
        swarm.listen_on(address.clone()).map_err(|error| match error {
            libp2p::TransportError::MultiaddrNotSupported(_) => NetError::Listen {
                address: address.clone(),
                reason: "use /ip4/ADDRESS/tcp/PORT or /ip6/ADDRESS/tcp/PORT".to_owned(),
            },
            libp2p::TransportError::Other(error) => refusal(address, &error),
        })?;
    }
    Ok(())
}

fn refusal(address: &Multiaddr, error: &io::Error) -> NetError {
    let address = address.clone();
    if error.kind() == io::ErrorKind::AddrInUse {
        NetError::InUse { address }
    } else {
        NetError::Listen { address, reason: error.to_string() }
    }
}

fn socket_address(address: &Multiaddr) -> Option<SocketAddr> {
    let ip = addresses::ip(address)?;
    match address.iter().nth(1) {
        Some(Protocol::Tcp(port)) => Some(SocketAddr::new(ip, port)),
        Some(_) | None => None,
    }
}

//! The life of the daemon: open, serve, stop.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clusterd_core::config::NodeConfig;
use clusterd_core::node::Node;
use clusterd_core::store::StoreError;
use common::api::Scope;
use common::lifecycle::{self, Signals, Wish, exit};
use hyper::header::HeaderValue;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::api::door::{Door, Waiters};
use crate::api::kubo::Kubo;
use crate::api::room::{Counts, Me, Room};
use crate::api::server;
use crate::clock;
use crate::config::Config;
use crate::driver::{Driver, INPUTS_WAITING_MAX};
use crate::effects::Outbox;
use crate::identity::{self, ClusterSecret, Identity, IdentityError};
use crate::ipfs::client::Client;
use crate::net::{self, IncomingRpc, Net, NetConfig, NetError};
use crate::reload::Reload;
use crate::seams::KuboSeam;
use crate::seams::blocks::StoredBlocks;
use crate::seams::informer::Informer;
use crate::seams::network::{Bridge, Pings, serve_peers};
use crate::seams::others::RpcOthers;
use crate::seams::peer::RpcPeer;
use crate::sockets::{Inherited, Socket, SocketError};
use crate::store::FjallStore;

/// While the store opens, the service manager is asked for this much more time, this often.
const MORE_TIME: Duration = Duration::from_secs(30);
const MORE_TIME_EVERY: Duration = Duration::from_secs(10);

/// Why the daemon ended.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// The identity or the secret.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The network of peers.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The credential for Kubo is no header.
    #[error("the credential ipfs-authorization cannot be sent in an HTTP header")]
    Authorization,
    /// The system refused something.
    #[error("cannot {attempt}: {source}")]
    System {
        /// What.
        attempt: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl DaemonError {
    /// The exit code: a restart mends neither a missing secret nor the state of a newer program.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Identity(_)
            | Self::Authorization
            | Self::Store(StoreError::TooNew { .. })
            | Self::Net(NetError::Listen { .. } | NetError::Key(_) | NetError::Gossip(_)) => {
                exit::CONFIG
            }
            Self::Store(
                StoreError::Full { .. } | StoreError::Io { .. } | StoreError::Damaged { .. },
            )
            | Self::Socket(_)
            | Self::Net(NetError::InUse { .. } | NetError::Peerstore { .. } | NetError::Mdns(_))
            | Self::System { .. } => exit::FAILURE,
        }
    }
}

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// [`DaemonError`] when it cannot start.
pub async fn run(
    config: Config,
    mut inherited: Inherited,
    mut reload: Reload,
) -> Result<(), DaemonError> {
    let system = |attempt| move |source| DaemonError::System { attempt, source };
    let mut signals = Signals::new().map_err(system("listen to signals"))?;
    // With a handler a write past a file size limit fails like one on a full volume; without one it kills.
    let too_large = SignalKind::from_raw(nix::libc::SIGXFSZ);
    let _too_large = signal(too_large).map_err(system("listen to signals"))?;
    std::fs::create_dir_all(&config.state).map_err(system("make the state directory"))?;
    let secret = identity::load_secret(&config.state)?;
    let identity = identity::load_or_make(&config.state)?;
    warn_of_unserved(&config);
    // Bound first: whoever calls from now on waits instead of failing.
    let proxy = inherited.socket("proxy", &config.sockets.proxy)?;
    let (stop, stopping) = watch::channel(false);
    let (halt, halted) = watch::channel(false);
    let opened = open(&config, &identity, &secret, halted).await?;
    let Opened { room, driver, network, tasks } = opened;
    let control = inherited.socket("control", &config.sockets.control)?;
    let mut serving = JoinSet::new();
    let mut own = Vec::new();
    let peer = Arc::new(RpcPeer::new(Arc::clone(&room), config.peers.trusted.clone()));
    tokio::spawn(serve_peers(network.rpc, peer, stopping.clone()));
    for (socket, scope) in [(proxy, Scope::Proxy), (control, Scope::Control)] {
        own.extend(serve(socket, scope, &room, &stopping, &mut serving)?);
    }
    tracing::info!(peer = %identity.peer, "ready");
    lifecycle::ready("ready");
    while signals.next().await == Wish::Reload {
        reload.reload();
    }
    lifecycle::stopping("finishing calls");
    stop.send_replace(true);
    while serving.join_next().await.is_some() {}
    // The node answers to the last call; then nobody asks any more.
    halt.send_replace(true);
    let joined = tokio::task::spawn_blocking(move || driver.join()).await;
    if !matches!(joined, Ok(Ok(()))) {
        tracing::error!("the driver did not end in order");
    }
    // The last announcements have been handed over; nobody is told anything any more.
    tasks.iter().for_each(JoinHandle::abort);
    network.net.stop().await;
    if network.task.await.is_err() {
        tracing::error!("the network did not end in order");
    }
    for path in own {
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::debug!(path = %path.display(), %error, "cannot remove the socket");
        }
    }
    Ok(())
}

/// Settings that a later version serves are read already; that they do nothing must not be a secret.
fn warn_of_unserved(config: &Config) {
    for listen in [&config.status_listen, &config.metrics_listen].into_iter().flatten() {
        tracing::warn!(address = %listen, "this version does not listen there");
    }
}

fn serve(
    socket: Socket,
    scope: Scope,
    room: &Arc<Room>,
    stopping: &watch::Receiver<bool>,
    serving: &mut JoinSet<()>,
) -> Result<Option<PathBuf>, DaemonError> {
    let listening = socket.into_listener();
    let (listener, own) =
        listening.map_err(|source| DaemonError::System { attempt: "serve a socket", source })?;
    serving.spawn(server::serve(listener, scope, Arc::clone(room), stopping.clone()));
    Ok(own)
}

/// What runs once the state is open.
struct Opened {
    room: Arc<Room>,
    driver: std::thread::JoinHandle<()>,
    network: Network,
    /// Those that end with the daemon.
    tasks: Vec<JoinHandle<()>>,
}

/// The parts of the running network that are left when its events are taken care of.
struct Network {
    net: Net,
    rpc: IncomingRpc,
    task: JoinHandle<()>,
}

/// Opens the store and the node, joins the network, and starts the driver's thread.
async fn open(
    config: &Config,
    identity: &Identity,
    secret: &ClusterSecret,
    halted: watch::Receiver<bool>,
) -> Result<Opened, DaemonError> {
    let authorization = identity::load_ipfs_authorization()?.map(HeaderValue::try_from);
    let authorization = authorization.transpose().map_err(|_| DaemonError::Authorization)?;
    let kubo = Client::new(&config.ipfs.api, authorization, config.ipfs.call_timeout);
    let seam: Arc<dyn Kubo> = Arc::new(KuboSeam::new(kubo.clone(), config.ipfs.call_timeout));
    let settings = node_config(config, identity);
    let directory = config.state.clone();
    let opening = tokio::task::spawn_blocking(move || {
        let store = FjallStore::open(&directory)?;
        let (reader, housekeeper) = (store.reader(), store.housekeeper());
        let (node, effects) = Node::open(store, settings, clock::now())?;
        Ok((node, effects, reader, housekeeper))
    });
    let opened: Result<_, StoreError> = patiently(opening).await?;
    let (node, effects, reader, housekeeper) = opened?;
    let blocks = Arc::new(StoredBlocks(reader.clone()));
    let started = net::start(net_config(config, identity, secret), blocks)?;
    let (inputs, queue) = mpsc::channel(INPUTS_WAITING_MAX);
    let waiters = Arc::new(Waiters::default());
    let (counts, seen) = watch::channel(Counts::default());
    let (members, seen_members) = watch::channel(BTreeSet::from([identity.peer]));
    let door = Door::new(inputs.clone(), Arc::clone(&waiters), clock::now);
    let runtime = Handle::current();
    let outbox = Outbox::new(
        runtime.clone(),
        Arc::clone(&waiters),
        kubo,
        config.ipfs.pin_timeout,
        inputs.clone(),
        started.net.clone(),
    );
    let (stop, held, fetched) = (halted, Vec::new(), Vec::new());
    let driver = Driver {
        node,
        inputs: queue,
        stop,
        waiters,
        outbox,
        housekeeper,
        counts,
        members,
        runtime,
        held,
        fetched,
    };
    let thread = std::thread::Builder::new()
        .name("driver".to_owned())
        .spawn(move || driver.run(effects))
        .map_err(|source| DaemonError::System { attempt: "start a thread", source })?;
    let (wake, pings) = (Arc::new(Notify::new()), Pings::default());
    let bridge = Bridge {
        net: started.net.clone(),
        inputs: inputs.clone(),
        wake: Arc::clone(&wake),
        pings: pings.clone(),
    };
    let informer = Informer {
        net: started.net.clone(),
        inputs,
        kubo: Arc::clone(&seam),
        counts: seen.clone(),
        peername: config.peername.clone(),
        tags: config.tags.clone(),
        reserve: config.ipfs.reserve,
        wake,
    };
    let tasks = vec![tokio::spawn(bridge.run(started.events)), tokio::spawn(informer.run())];
    let room = Room {
        door,
        snapshot: Arc::new(reader),
        kubo: seam,
        me: Me { peer: identity.peer, peername: config.peername.clone() },
        others: Arc::new(RpcOthers::new(started.net.clone(), pings)),
        members: seen_members,
        counts: seen,
        collecting: tokio::sync::Mutex::new(()),
    };
    let network = Network { net: started.net, rpc: started.rpc, task: started.task };
    Ok(Opened { room: Arc::new(room), driver: thread, network, tasks })
}

fn net_config(config: &Config, identity: &Identity, secret: &ClusterSecret) -> NetConfig {
    let peers = &config.peers;
    NetConfig {
        keypair: identity.keypair.clone(),
        secret: *secret.bytes(),
        cluster_name: config.cluster_name.clone(),
        listen: peers.listen.clone(),
        announce: peers.announce.clone(),
        bootstrap: peers.bootstrap.clone(),
        trusted: peers.trusted.clone(),
        peerstore: config.state.join("peerstore"),
        connections_max: peers.connections_max,
        mdns: peers.mdns,
        dht: peers.dht,
        fetch_timeout: peers.fetch_timeout,
    }
}

/// Waits for work of unknown length, and asks the service manager for the time.
async fn patiently<T>(mut work: tokio::task::JoinHandle<T>) -> Result<T, DaemonError> {
    loop {
        tokio::select! {
            done = &mut work => {
                return done.map_err(|error| DaemonError::System {
                    attempt: "open the store",
                    source: io::Error::other(error),
                });
            }
            () = tokio::time::sleep(MORE_TIME_EVERY) => lifecycle::extend_timeout(MORE_TIME),
        }
    }
}

fn node_config(config: &Config, identity: &Identity) -> NodeConfig {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    NodeConfig {
        replication: config.replication,
        allocate_by: config.allocate_by.clone(),
        batch_age: millis(config.pinset.batch_age),
        batch_pins: config.pinset.batch_pins,
        rebroadcast_every: millis(config.pinset.rebroadcast_every),
        pins_running_max: config.tracker.pins_running_max,
        retry_after: millis(config.tracker.retry_after),
        retry_after_max: millis(config.tracker.retry_after_max),
        audit_every: millis(config.tracker.audit_every),
        ..NodeConfig::new(identity.peer)
    }
}

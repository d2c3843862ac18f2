//! The life of the daemon: open, serve, stop.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clusterd_core::config::NodeConfig;
use clusterd_core::node::Node;
use clusterd_core::store::StoreError;
use common::api::Scope;
use common::lifecycle::{self, Signals, Wish, exit};
use common::messages;
use hyper::header::HeaderValue;
use multiaddr::Protocol;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::api::door::{Door, Waiters};
use crate::api::kubo::Kubo;
use crate::api::room::{Counts, Me, Room};
use crate::api::server;
use crate::clock;
use crate::config::Config;
use crate::driver::{Driver, INPUTS_WAITING_MAX};
use crate::effects::Outbox;
use crate::identity::{self, Identity, IdentityError};
use crate::ipfs::client::Client;
use crate::reload::Reload;
use crate::seams::KuboSeam;
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
            Self::Identity(_) | Self::Authorization | Self::Store(StoreError::TooNew { .. }) => {
                exit::CONFIG
            }
            Self::Store(
                StoreError::Full { .. } | StoreError::Io { .. } | StoreError::Damaged { .. },
            )
            | Self::Socket(_)
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
    // Needed by the network of peers; asked for from the start, so that no peer begins without.
    identity::load_secret(&config.state)?;
    let identity = identity::load_or_make(&config.state)?;
    warn_of_unserved(&config);
    // Bound first: whoever calls from now on waits instead of failing.
    let proxy = inherited.socket("proxy", &config.sockets.proxy)?;
    let (stop, stopping) = watch::channel(false);
    let (halt, halted) = watch::channel(false);
    let (room, driver) = open(&config, &identity, halted).await?;
    let control = inherited.socket("control", &config.sockets.control)?;
    let mut serving = JoinSet::new();
    let mut own = Vec::new();
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
    for path in own {
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::debug!(path = %path.display(), %error, "cannot remove the socket");
        }
    }
    Ok(())
}

/// Settings that a later version serves are read already; that they do nothing must not be a secret.
fn warn_of_unserved(config: &Config) {
    if !config.peers.bootstrap.is_empty() {
        tracing::warn!("this version has no network of peers: [peers] bootstrap is not used");
    }
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

/// Opens the store and the node, and starts the driver's thread.
async fn open(
    config: &Config,
    identity: &Identity,
    halted: watch::Receiver<bool>,
) -> Result<(Arc<Room>, std::thread::JoinHandle<()>), DaemonError> {
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
    let (inputs, queue) = mpsc::channel(INPUTS_WAITING_MAX);
    let waiters = Arc::new(Waiters::default());
    let (counts, seen) = watch::channel(Counts::default());
    let door = Door::new(inputs.clone(), Arc::clone(&waiters), clock::now);
    let runtime = Handle::current();
    let outbox =
        Outbox::new(runtime.clone(), Arc::clone(&waiters), kubo, config.ipfs.pin_timeout, inputs);
    let driver =
        Driver { node, inputs: queue, stop: halted, waiters, outbox, housekeeper, counts, runtime };
    let thread = std::thread::Builder::new()
        .name("driver".to_owned())
        .spawn(move || driver.run(effects))
        .map_err(|source| DaemonError::System { attempt: "start a thread", source })?;
    learn_id(&seam);
    let me = me(config, identity);
    let collecting = tokio::sync::Mutex::new(());
    let room = Room { door, snapshot: Arc::new(reader), kubo: seam, me, counts: seen, collecting };
    Ok((Arc::new(room), thread))
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

/// Listings show Kubo's id; they must not wait for it.
fn learn_id(kubo: &Arc<dyn Kubo>) {
    let kubo = Arc::clone(kubo);
    tokio::spawn(async move {
        if let Err(error) = kubo.id().await {
            tracing::warn!(
                name: messages::KUBO_AWAY, %error,
                "ipfs does not answer yet; pins are accepted and wait for it"
            );
        }
    });
}

fn node_config(config: &Config, identity: &Identity) -> NodeConfig {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    NodeConfig {
        replication: config.replication,
        pins_running_max: config.tracker.pins_running_max,
        retry_after: millis(config.tracker.retry_after),
        retry_after_max: millis(config.tracker.retry_after_max),
        audit_every: millis(config.tracker.audit_every),
        ..NodeConfig::new(identity.peer)
    }
}

fn me(config: &Config, identity: &Identity) -> Me {
    let addresses = config
        .peers
        .listen
        .iter()
        .map(|address| address.clone().with(Protocol::P2p(*identity.peer.inner())));
    Me { peer: identity.peer, peername: config.peername.clone(), addresses: addresses.collect() }
}

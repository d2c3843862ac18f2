//! The life of the daemon: open, serve, stop.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clusterd_core::store::StoreError;
use common::api::Scope;
use common::lifecycle::{self, Signals, Wish, exit};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::api::room::Room;
use crate::api::{prometheus, server};
use crate::config::Config;
use crate::identity::{self, IdentityError};
use crate::net::NetError;
use crate::reload::Reload;
use crate::seams::network::serve_peers;
use crate::seams::peer::RpcPeer;
use crate::sockets::{Inherited, Socket, SocketError};

mod open;
mod settings;

use open::{Opened, open};

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
    /// The port of metrics, or that of the status page; the daemon runs without the latter.
    #[error("cannot listen on {address}: {source}; change listen in [{table}]")]
    Listen {
        /// The table of the settings.
        table: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
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
            | Self::Listen { .. }
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
    prometheus::note_start();
    let mut signals = Signals::new().map_err(system("listen to signals"))?;
    // With a handler a write past a file size limit fails like one on a full volume; without one it kills.
    let too_large = SignalKind::from_raw(nix::libc::SIGXFSZ);
    let _too_large = signal(too_large).map_err(system("listen to signals"))?;
    std::fs::create_dir_all(&config.state).map_err(system("make the state directory"))?;
    let secret = identity::load_secret(&config.state)?;
    let identity = identity::load_or_make(&config.state)?;
    // Bound first: whoever calls from now on waits instead of failing.
    let proxy = inherited.socket("proxy", &config.sockets.proxy)?;
    let (stop, stopping) = watch::channel(false);
    let (halt, halted) = watch::channel(false);
    let opened = open(&config, &identity, &secret, halted).await?;
    let Opened { room, watchers, driver, network, tasks } = opened;
    let control = inherited.socket("control", &config.sockets.control)?;
    let mut serving = JoinSet::new();
    let mut own = Vec::new();
    let peer = Arc::new(RpcPeer::new(Arc::clone(&room), watchers));
    tokio::spawn(serve_peers(network.rpc, peer, stopping.clone()));
    for (socket, scope) in [(proxy, Scope::Proxy), (control, Scope::Control)] {
        own.extend(serve(socket, scope, &room, &stopping, &mut serving)?);
    }
    if let Some(address) = config.metrics_listen {
        let listener = listen("metrics", address).await?;
        serving.spawn(server::serve_metrics(listener, Arc::clone(&room), stopping.clone()));
    }
    serve_page(&config, &room, &stopping, &mut serving).await;
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

/// Serves the status page where it has a port. One that cannot be had is no reason to leave the pins alone.
async fn serve_page(
    config: &Config,
    room: &Arc<Room>,
    stopping: &watch::Receiver<bool>,
    serving: &mut JoinSet<()>,
) {
    let Some(address) = config.status_listen else { return };
    match listen("status", address).await {
        Ok(listener) => {
            serving.spawn(server::serve_page(listener, Arc::clone(room), stopping.clone()));
        }
        Err(error) => tracing::warn!(
            %error,
            "the status page has no port until clusterd is restarted; it is on the control socket"
        ),
    }
}

async fn listen(table: &'static str, address: SocketAddr) -> Result<TcpListener, DaemonError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|source| DaemonError::Listen { table, address, source })
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

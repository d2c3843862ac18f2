//! Accepts connections, bounds their number, and drains them at the end.

mod connection;
mod listen;
mod seat;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use common::ids::RequestId;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::Config;
use crate::exchange::Door;
use crate::intercept::Context;
use crate::tls::Tls;
use crate::upstream::Upstream;

pub use listen::{ListenError, Listener, address_of, bind, clone};

use listen::Accepting;
use seat::Seats;

/// Pause after the kernel had no descriptor or memory for a connection; it stays in the queue.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often a full house is searched for a connection that has become idle.
const ROOM_EVERY: Duration = Duration::from_millis(100);
/// At a drain, idle connections may still send a request for so long; it is answered with
/// `Connection: close`, so that busy clients lose none.
const DRAIN_IDLE: Duration = Duration::from_secs(1);
/// How often idle connections to Kubo are looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// What all connections of one thread share.
#[derive(Debug)]
pub struct Worker {
    /// The checked configuration.
    pub config: Arc<Config>,
    /// The Kubo beside us.
    pub upstream: Arc<Upstream>,
    /// What intercepted calls need; one for all threads.
    pub context: Arc<Context>,
    seats: Arc<Seats>,
    house: Arc<House>,
}

/// What all threads share.
#[derive(Debug)]
pub struct House {
    draining: AtomicBool,
    drain: Notify,
    seats: Arc<Seats>,
    /// Upper half of all request ids: random, one a process.
    ids: u64,
    requests: AtomicU64,
}

impl House {
    /// Nobody is connected yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        use std::hash::BuildHasher;
        Arc::new(Self {
            draining: AtomicBool::new(false),
            drain: Notify::new(),
            seats: Seats::new(),
            // The standard library's hash keys are the process's own random bits.
            ids: std::hash::RandomState::new().hash_one(std::process::id()),
            requests: AtomicU64::new(0),
        })
    }

    /// Connections of all threads.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.seats.count()
    }

    /// From now on no connection is accepted, and answers end theirs.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.drain.notify_waiters();
    }

    /// Whether the drain has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Waits for the drain to begin. Cancel-safe.
    async fn drain_begun(&self) {
        let begun = self.drain.notified();
        tokio::pin!(begun);
        begun.as_mut().enable();
        if !self.is_draining() {
            begun.await;
        }
    }
}

impl Worker {
    /// Everything that one thread needs; call it inside the thread's runtime.
    #[must_use]
    pub fn new(config: Arc<Config>, house: Arc<House>, context: Arc<Context>) -> Arc<Self> {
        let upstream = Upstream::new(config.ipfs.clone(), config.connect_time_max);
        let seats = Arc::clone(&house.seats);
        Arc::new(Self { config, upstream, context, seats, house })
    }

    /// Whether answers shall end their connections.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.house.is_draining()
    }

    /// A fresh id.
    pub(crate) fn next_id(&self) -> RequestId {
        let number = self.house.requests.fetch_add(1, Ordering::Relaxed);
        RequestId::from_bits(u128::from(self.house.ids) << 64 | u128::from(number))
    }
}

/// Serves these listeners until the drain is over: all connections have ended, or its time is up.
pub async fn run(worker: Arc<Worker>, listeners: Vec<Listener>, tls: Option<Tls>) {
    let mut accepting = tokio::task::JoinSet::new();
    for listener in listeners {
        match Accepting::new(listener, tls.clone(), worker.config.unix_users.clone()) {
            Ok(listener) => {
                accepting.spawn(accept(Arc::clone(&worker), listener));
            }
            Err(error) => tracing::error!(%error, "listener cannot be used"),
        }
    }
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    loop {
        tokio::select! {
            () = worker.house.drain_begun() => break,
            _ = sweep.tick() => {
                worker.upstream.close_old();
                worker.context.guard.prepare(&worker.upstream);
            }
        }
    }
    // The listeners go first: a handed one keeps its queue for the next proxyd.
    accepting.shutdown().await;
    drain(&worker).await;
}

async fn drain(worker: &Worker) {
    let start = Instant::now();
    let emptied = |until| async move {
        let empty = async {
            loop {
                // Before the look: the last one may leave in another thread right after it.
                let left = worker.seats.one_left();
                if worker.seats.count() == 0 {
                    break;
                }
                left.await;
            }
        };
        tokio::time::timeout_at(until, empty).await.is_ok()
    };
    if emptied(start + DRAIN_IDLE.min(worker.config.drain)).await {
        return;
    }
    worker.seats.send_idle_away();
    if !emptied(start + worker.config.drain).await {
        tracing::warn!(count = worker.seats.count(), "connections cut at the end of the drain");
    }
}

async fn accept(worker: Arc<Worker>, listener: Accepting) {
    // Descriptors or memory ran out; said once, not with each try.
    let mut short = false;
    loop {
        match listener.accept().await {
            Ok(accepted) => {
                short = false;
                let (seat, shared) = (worker.seats.sit(), Arc::clone(&worker));
                tokio::spawn(async move {
                    let client = accepted.client();
                    let door: Door = accepted.door();
                    if let Some(halves) = accepted.open().await {
                        connection::serve(halves, (door, client), shared, seat).await;
                    }
                });
                make_room(&worker).await;
            }
            Err(error) if is_one_clients_fault(&error) => {}
            Err(error) => {
                if !short {
                    tracing::warn!(%error, "connections have to wait");
                }
                short = true;
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// With one connection too many, waits until one ends: the one idle longest is asked to, if any is.
async fn make_room(worker: &Worker) {
    loop {
        let left = worker.seats.one_left();
        if worker.seats.count() <= worker.config.connections_max {
            return;
        }
        worker.seats.send_longest_idle_away();
        // The time-out only leads to another look.
        drop(tokio::time::timeout(ROOM_EVERY, left).await);
    }
}

/// Whether only the connection at the head of the queue failed. Source: accept(2).
fn is_one_clients_fault(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
            | io::ErrorKind::TimedOut
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
    )
}

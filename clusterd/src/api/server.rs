//! Serves both sockets, the port of metrics and that of the status page: bounded connections, and an orderly end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use common::api::Scope;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::page;
use super::room::Room;
use super::router::{figures, router};
use super::trailer::{Trailer, Trailing};

/// Connections at a time on one socket: proxyd keeps one a waiting pin. More wait to be accepted.
const CONNECTIONS_MAX: usize = 1024;

/// Connections at a time on the port of metrics: some who scrape, and one who looks.
const METRICS_CONNECTIONS_MAX: usize = 16;

/// Connections at a time on the port of the status page: browsers open several each, and leave them open.
const PAGE_CONNECTIONS_MAX: usize = 64;

/// A client that does not finish the head of its request in this time is dropped.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// What an answer that is under way gets when clusterd stops. Pins that wait longer are cut off;
/// proxyd repeats them.
const DRAIN: Duration = Duration::from_secs(1);

/// Pause after an accept that failed, as it does when descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves one socket until `stop` turns true, then drains it.
pub async fn serve(
    listener: UnixListener,
    scope: Scope,
    room: Arc<Room>,
    stop: watch::Receiver<bool>,
) {
    run(listener, router(room, scope), CONNECTIONS_MAX, stop).await;
}

/// Serves the figures for Prometheus, and nothing else, as [`serve`] does a socket.
pub async fn serve_metrics(listener: TcpListener, room: Arc<Room>, stop: watch::Receiver<bool>) {
    run(listener, figures(room), METRICS_CONNECTIONS_MAX, stop).await;
}

/// Serves the status page, and nothing else, as [`serve`] does a socket.
pub async fn serve_page(listener: TcpListener, room: Arc<Room>, stop: watch::Receiver<bool>) {
    run(listener, page::port(room), PAGE_CONNECTIONS_MAX, stop).await;
}

/// Where connections come from.
trait Listener: Send + Sync {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    fn next(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<UnixStream> {
        Ok(self.accept().await?.0)
    }
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<TcpStream> {
        Ok(self.accept().await?.0)
    }
}

async fn run(
    listener: impl Listener,
    router: Router,
    connections_max: usize,
    mut stop: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    let free = Arc::new(Semaphore::new(connections_max));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            // A closed channel means that the daemon is ending too.
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = accept(&listener, &free) => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, permit)) => {
                connections.spawn(connection(stream, permit, router.clone(), &graceful));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::info!(count = connections.len(), "calls that take longer are cut off");
    }
    connections.shutdown().await;
}

async fn accept<L: Listener>(
    listener: &L,
    free: &Arc<Semaphore>,
) -> io::Result<(L::Stream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(free).acquire_owned().await.map_err(io::Error::other)?;
    Ok((listener.next().await?, permit))
}

/// Not `async`: the connection joins the graceful end before its task runs for the first time.
fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    permit: OwnedSemaphorePermit,
    router: Router,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + use<S> {
    let trailer = Trailer::default();
    let stream = Trailing::new(stream, trailer.clone());
    let inner = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(trailer.clone());
        inner.call(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let served = graceful.watch(served);
    async move {
        let _permit = permit;
        if let Err(error) = served.await {
            tracing::debug!(%error, "a connection broke off");
        }
    }
}

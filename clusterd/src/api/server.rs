//! Serves both sockets: bounded connections, and an orderly end.

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
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::room::Room;
use super::router::router;
use super::trailer::{Trailer, Trailing};

/// Connections at a time on one socket: proxyd keeps one a waiting pin. More wait to be accepted.
const CONNECTIONS_MAX: usize = 1024;

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
    mut stop: watch::Receiver<bool>,
) {
    let router = router(room, scope);
    let graceful = GracefulShutdown::new();
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
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

async fn accept(
    listener: &UnixListener,
    free: &Arc<Semaphore>,
) -> std::io::Result<(UnixStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(free).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

/// Not `async`: the connection joins the graceful end before its task runs for the first time.
fn connection(
    stream: UnixStream,
    permit: OwnedSemaphorePermit,
    router: Router,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + use<> {
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

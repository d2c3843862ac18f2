//! The same over yamux, which makes a clean end of what was broken.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::status::StatusFilter;
use futures_util::FutureExt;
use libp2p::core::muxing::StreamMuxerExt;
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
use libp2p::yamux::{Config, Stream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::super::client::{RpcError, calls};
use super::super::server::{Patience, ServeError, serve};
use super::super::types::BlockPut;
use super::local::{Local, NEVER, OTHER, cid, peer};
use super::served::SOON;
use super::wire::{End, pair};

/// A connection whose other side serves all its streams.
struct Connection {
    /// Whether it stands, as far as our side knows.
    is_up: Arc<AtomicBool>,
    /// The other side.
    server: JoinHandle<()>,
    /// How the first call was served.
    served: oneshot::Receiver<Result<(), ServeError>>,
}

/// Connects, and opens one stream.
async fn connected(local: &Arc<Local>) -> (Stream, Connection) {
    let (ours, theirs) = pair(64 << 10);
    let (report, served) = oneshot::channel();
    let server = tokio::spawn(serve_all(theirs, Arc::clone(local), report));
    let is_up = Arc::new(AtomicBool::new(true));
    let (opened, stream) = oneshot::channel();
    let seen_up = Arc::clone(&is_up);
    tokio::spawn(async move {
        let upgrade = Config::default().upgrade_outbound(ours, "/yamux/1.0.0");
        let mut muxer = upgrade.await.unwrap();
        opened.send(poll_fn(|cx| muxer.poll_outbound_unpin(cx)).await.unwrap()).unwrap();
        // Drives the connection until it breaks.
        while poll_fn(|cx| muxer.poll_unpin(cx)).await.is_ok() {}
        seen_up.store(false, Ordering::SeqCst);
    });
    (stream.await.unwrap(), Connection { is_up, server, served })
}

async fn serve_all(io: End, local: Arc<Local>, report: oneshot::Sender<Result<(), ServeError>>) {
    let mut muxer = Config::default().upgrade_inbound(io, "/yamux/1.0.0").await.unwrap();
    let mut report = Some(report);
    while let Ok(stream) = poll_fn(|cx| muxer.poll_inbound_unpin(cx)).await {
        let (local, report) = (Arc::clone(&local), report.take());
        tokio::spawn(async move {
            let stop = std::future::pending();
            let served = serve(&*local, peer(OTHER), stream, Patience::default(), stop).await;
            // Not every test asks.
            report.map(|report| report.send(served).ok());
        });
    }
}

async fn until_running(local: &Local, wanted: usize) {
    let mut running = local.running.subscribe();
    timeout(SOON, running.wait_for(|count| *count == wanted)).await.unwrap().unwrap();
}

#[tokio::test]
async fn calls_and_lists_are_answered() {
    let local = Arc::new(Local { pins: 2_000, ..Local::default() });
    let (stream, connection) = connected(&local).await;
    assert_eq!(calls::id(stream).await, Ok(Local::identity()));
    assert_eq!(timeout(SOON, connection.served).await.unwrap().unwrap(), Ok(()));
    let (stream, connection) = connected(&local).await;
    let mut answers = calls::status_all(stream, StatusFilter::default()).await.unwrap();
    let is_up = Arc::clone(&connection.is_up);
    answers = answers.while_connected(move || is_up.load(Ordering::SeqCst));
    for number in 0..2_000 {
        assert_eq!(answers.next().await.unwrap(), Some(Local::pin(number)));
    }
    assert_eq!(answers.next().await, Ok(None));
    assert_eq!(timeout(SOON, connection.served).await.unwrap().unwrap(), Ok(()));
}

#[tokio::test]
async fn dropped_calls_are_cancelled() {
    let local = Arc::<Local>::default();
    let (stream, connection) = connected(&local).await;
    let call = tokio::spawn(async move { calls::status(stream, &cid(NEVER)).await });
    until_running(&local, 1).await;
    call.abort();
    until_running(&local, 0).await;
    let served = timeout(SOON, connection.served).await.unwrap().unwrap();
    assert!(matches!(served, Err(ServeError::Gone { .. })), "{served:?}");
}

#[tokio::test]
async fn a_dropped_list_does_not_keep_its_maker_waiting() {
    // More than the window of a stream: unread, it would wait as long as the connection stands.
    let local = Arc::new(Local { pins: 5_000, ..Local::default() });
    let (stream, connection) = connected(&local).await;
    let mut answers = calls::status_all(stream, StatusFilter::default()).await.unwrap();
    assert!(answers.next().await.unwrap().is_some());
    drop(answers);
    assert_eq!(timeout(SOON, connection.served).await.unwrap().unwrap(), Ok(()));
    until_running(&local, 0).await;
}

#[tokio::test]
async fn uploads_of_many_windows_arrive() {
    let local = Arc::<Local>::default();
    let (stream, connection) = connected(&local).await;
    let mut upload = calls::put_blocks(stream).await.unwrap();
    for number in 0..8 {
        let block = BlockPut { data: vec![1; 1 << 20], cid: cid(number), cumulative_size: 1 };
        timeout(SOON, upload.send(&block)).await.unwrap().unwrap();
    }
    timeout(SOON, upload.finish()).await.unwrap().unwrap();
    assert_eq!(local.notes().len(), 9);
    assert_eq!(timeout(SOON, connection.served).await.unwrap().unwrap(), Ok(()));
}

#[tokio::test]
async fn a_lost_connection_is_told_from_a_lists_end_by_asking_for_it() {
    let local = Arc::new(Local { pins: u32::MAX, ..Local::default() });
    let (stream, connection) = connected(&local).await;
    let answers = calls::status_all(stream, StatusFilter::default()).await.unwrap();
    let is_up = Arc::clone(&connection.is_up);
    let mut answers = answers.while_connected(move || is_up.load(Ordering::SeqCst));
    assert!(answers.next().await.unwrap().is_some());
    connection.server.abort();
    let ended = async {
        loop {
            match answers.next().await {
                Ok(Some(_)) => {}
                other => return other,
            }
        }
    };
    let ended = timeout(SOON, ended.boxed()).await.unwrap();
    assert!(matches!(ended, Err(RpcError::Broken { .. })), "{ended:?}");
}

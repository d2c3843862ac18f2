//! Bursts, limits, and the two ends of a stream.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use super::*;
use crate::net::tests::raw::{LIMITS, Raw};
use crate::net::tests::within;

const PROTOCOL: &str = "/test/1.0.0";

async fn pair(limits: StreamLimits) -> (Raw, Raw) {
    let server = Raw::start(PROTOCOL, limits).await;
    let client = Raw::start(PROTOCOL, LIMITS).await;
    client.dial(server.address.clone()).await;
    // The first stream waits for the connection.
    let mut first = client.open(server.id).await.unwrap();
    first.shutdown().await.unwrap();
    (server, client)
}

/// Sends one byte and reads to the end.
async fn ask(mut stream: PeerStream) -> std::io::Result<Vec<u8>> {
    stream.write_all(b"q").await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

async fn answer(mut stream: PeerStream) {
    let mut question = [0];
    if stream.read_exact(&mut question).await.is_ok() {
        stream.write_all(b"answer").await.unwrap();
        stream.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_burst_of_300_streams_is_served_through_a_queue_of_16() {
    let (mut server, client) = pair(LIMITS).await;
    let mut asking = JoinSet::new();
    for _ in 0..300 {
        let opening = client.open(server.id);
        let stream = opening.await.unwrap();
        asking.spawn(ask(stream));
    }
    let mut answering = JoinSet::new();
    for _ in 0..301 {
        let stream = server.accept().await;
        answering.spawn(answer(stream));
    }
    let answers = within("all answers", asking.join_all()).await;
    assert_eq!(answers.len(), 300);
    assert!(answers.into_iter().all(|answer| answer.unwrap() == b"answer"));
    assert_eq!(server.refused().await, 0);
}

#[tokio::test]
async fn a_peer_with_too_many_streams_is_refused_the_next_and_served_again_later() {
    const INBOUND: usize = 128;
    let limits = StreamLimits { inbound_per_peer: INBOUND, ..LIMITS };
    let (mut server, client) = pair(limits).await;
    // Ended by the client, but not dropped here: it keeps its place.
    let first = server.accept().await;
    let mut asking = JoinSet::new();
    for _ in 0..300 {
        asking.spawn(ask(client.open(server.id).await.unwrap()));
    }
    let mut held = vec![first];
    while held.len() < INBOUND {
        held.push(server.accept().await);
    }
    let mut refused = 0;
    while refused < 300 - (INBOUND - 1) {
        let ended = within("a reset", asking.join_next()).await.unwrap().unwrap();
        assert!(ended.is_err(), "{ended:?}");
        refused += 1;
    }
    assert_eq!(server.refused().await, refused as u64);
    let mut answering = JoinSet::new();
    held.into_iter().skip(1).for_each(|stream| drop(answering.spawn(answer(stream))));
    let answers = within("the rest", asking.join_all()).await;
    assert_eq!(answers.len(), INBOUND - 1);
    assert!(answers.into_iter().all(|answer| answer.unwrap() == b"answer"));
    within("the answers", answering.join_all()).await;
    let again = client.open(server.id).await.unwrap();
    let answering = tokio::spawn(answer(server.accept().await));
    assert_eq!(within("one more", ask(again)).await.unwrap(), b"answer");
    answering.await.unwrap();
}

#[tokio::test]
async fn the_write_side_stays_open_while_the_answer_is_read() {
    let (mut server, client) = pair(LIMITS).await;
    drop(server.accept().await);
    let mut call = client.open(server.id).await.unwrap();
    call.write_all(b"request").await.unwrap();
    call.flush().await.unwrap();
    let mut served = server.accept().await;
    let mut request = [0; 7];
    served.read_exact(&mut request).await.unwrap();
    served.write_all(b"reply").await.unwrap();
    served.flush().await.unwrap();
    let mut reply = [0; 5];
    call.read_exact(&mut reply).await.unwrap();
    assert_eq!(&reply, b"reply");
    // Only now does the caller end its side; the server sees the end, and nothing before it.
    call.write_all(b"more").await.unwrap();
    call.shutdown().await.unwrap();
    let mut rest = Vec::new();
    within("the end", served.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, b"more");
    // The other direction is still open.
    served.write_all(b"last").await.unwrap();
    served.shutdown().await.unwrap();
    let mut last = Vec::new();
    within("the end", call.read_to_end(&mut last)).await.unwrap();
    assert_eq!(last, b"last");
}

#[tokio::test]
async fn a_dropped_stream_is_an_error_and_no_end() {
    let (mut server, client) = pair(LIMITS).await;
    drop(server.accept().await);
    let mut call = client.open(server.id).await.unwrap();
    call.write_all(b"request").await.unwrap();
    call.flush().await.unwrap();
    let mut served = server.accept().await;
    let mut request = [0; 7];
    served.read_exact(&mut request).await.unwrap();
    drop(call);
    let ended = within("the reset", served.read_to_end(&mut Vec::new())).await;
    assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn opening_is_answered_when_nobody_is_there_or_speaks_the_protocol() {
    let client = Raw::start(PROTOCOL, LIMITS).await;
    let nobody = client.open(libp2p::PeerId::random()).await;
    assert!(matches!(nobody, Err(OpenError::Unreachable(_))), "{nobody:?}");
    let other = Raw::start("/other/1.0.0", LIMITS).await;
    client.dial(other.address.clone()).await;
    let refused = client.open(other.id).await;
    assert_eq!(refused.unwrap_err(), OpenError::Unsupported(PROTOCOL.to_owned()));
}

#[tokio::test]
async fn we_open_no_more_than_our_own_limit() {
    let mut server = Raw::start(PROTOCOL, LIMITS).await;
    let limits = StreamLimits { outbound_per_peer: 2, ..LIMITS };
    let client = Raw::start(PROTOCOL, limits).await;
    client.dial(server.address.clone()).await;
    let first = client.open(server.id).await.unwrap();
    let _second = client.open(server.id).await.unwrap();
    assert_eq!(client.open(server.id).await.unwrap_err(), OpenError::TooMany(2));
    drop(first);
    client.open(server.id).await.unwrap();
    drop((server.accept().await, server.accept().await));
}

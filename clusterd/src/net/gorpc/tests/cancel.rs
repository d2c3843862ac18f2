//! A caller that goes away cancels what it called; a server that stops says so.

use std::sync::Arc;

use common::status::StatusFilter;
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::super::client::calls;
use super::super::heads::{Answered, Called, Fault};
use super::super::msgpack::{Reader, to_bytes};
use super::super::server::{Patience, ServeError};
use super::local::{Local, NEVER, cid};
use super::served::{SOON, exchange, served, served_with};

async fn until_running(local: &Local, wanted: usize) {
    let mut running = local.running.subscribe();
    timeout(SOON, running.wait_for(|count| *count == wanted)).await.unwrap().unwrap();
}

fn status_request(number: u32) -> Vec<u8> {
    let called = Called { service: "PinTracker".to_owned(), method: "Status".to_owned() };
    [to_bytes(&called), to_bytes(&cid(number))].concat()
}

fn is_gone(ended: &Result<(), ServeError>) -> bool {
    matches!(ended, Err(ServeError::Gone { .. }))
}

#[tokio::test]
async fn breaking_the_stream_cancels_a_unary_call() {
    // Over yamux a broken stream looks like one that ended.
    for is_quiet in [false, true] {
        let local = Arc::<Local>::default();
        let (mut stream, served) = served_with(&local, 1 << 10, Patience::default(), is_quiet);
        stream.write_all(&status_request(NEVER)).await.unwrap();
        until_running(&local, 1).await;
        drop(stream);
        until_running(&local, 0).await;
        let ended = served.ended().await;
        assert!(is_gone(&ended), "{ended:?}");
    }
}

#[tokio::test]
async fn ending_a_unary_call_before_the_answer_cancels_it_as_in_go() {
    let local = Arc::<Local>::default();
    let (stream, served) = served(&local);
    let answer = exchange(stream, &status_request(NEVER), true).await;
    let head: Answered = Reader::new(&answer).take().unwrap();
    assert_eq!((head.error.as_str(), head.fault), ("context canceled", Fault::Application));
    assert!(is_gone(&served.ended().await));
    until_running(&local, 0).await;
}

#[tokio::test]
async fn dropping_a_call_of_ours_cancels_it() {
    let local = Arc::<Local>::default();
    let (stream, served) = served(&local);
    let call = tokio::spawn(async move { calls::status(stream, &cid(NEVER)).await });
    until_running(&local, 1).await;
    call.abort();
    until_running(&local, 0).await;
    assert!(is_gone(&served.ended().await));
}

#[tokio::test]
async fn breaking_the_stream_of_a_list_stops_its_maker() {
    for is_quiet in [false, true] {
        let local = Arc::new(Local { pins: u32::MAX, ..Local::default() });
        let (mut stream, served) = served_with(&local, 1 << 10, Patience::default(), is_quiet);
        let called = Called { service: "PinTracker".to_owned(), method: "StatusAll".to_owned() };
        stream.write_all(&[to_bytes(&called), vec![0]].concat()).await.unwrap();
        stream.read_exact(&mut [0; 100]).await.unwrap();
        assert_eq!(*local.running.borrow(), 1);
        drop(stream);
        let ended = served.ended().await;
        assert!(is_gone(&ended), "{ended:?}");
        until_running(&local, 0).await;
    }
}

#[tokio::test]
async fn a_list_is_made_no_faster_than_it_is_read() {
    let local = Arc::new(Local { pins: u32::MAX, ..Local::default() });
    let (stream, _served) = served_with(&local, 1 << 10, Patience::default(), false);
    let mut answers = calls::status_all(stream, StatusFilter::default()).await.unwrap();
    // The list has four billion items: were it made ahead, this would not end.
    for number in 0..100 {
        assert_eq!(answers.next().await.unwrap(), Some(Local::pin(number)));
    }
}

#[tokio::test]
async fn a_server_that_stops_says_so() {
    let local = Arc::<Local>::default();
    let (mut stream, served) = served(&local);
    stream.write_all(&status_request(NEVER)).await.unwrap();
    until_running(&local, 1).await;
    served.stop.send(()).unwrap();
    let mut answer = Vec::new();
    timeout(SOON, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    let head: Answered = Reader::new(&answer).take().unwrap();
    assert_eq!((head.error.as_str(), head.fault), ("the peer is stopping", Fault::Server));
    let ended = timeout(SOON, served.end).await.unwrap().unwrap();
    assert!(matches!(ended, Err(ServeError::Stopped { .. })), "{ended:?}");
    until_running(&local, 0).await;
}

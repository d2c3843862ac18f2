//! Callers that send too much, too little, nonsense, or nothing.

use std::sync::Arc;
use std::time::Duration;

use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use proptest::prelude::*;
use tokio::time::timeout;

use super::super::client::{RpcError, calls};
use super::super::heads::{Answered, Called, Fault};
use super::super::msgpack::{Reader, to_bytes};
use super::super::server::{Patience, ServeError};
use super::local::{Local, cid};
use super::served::{SOON, exchange, served, served_with};
use super::wire::pair;

/// Too short for anybody.
fn impatient() -> Patience {
    let limit = Duration::from_millis(30);
    Patience { head: limit, argument: limit, next_argument: limit, answer: limit }
}

fn called(service: &str, method: &str) -> Vec<u8> {
    to_bytes(&Called { service: service.to_owned(), method: method.to_owned() })
}

fn head(answer: &[u8]) -> Answered {
    Reader::new(answer).take().unwrap()
}

#[tokio::test]
async fn a_caller_that_sends_nothing_or_half_is_given_up() {
    let status = [called("PinTracker", "Status"), to_bytes(&cid(1))].concat();
    let upload = called("IPFSConnector", "BlockStream");
    for (request, awaited) in [
        (&[][..], "say what it calls"),
        (&status[..5], "say what it calls"),
        (&status[..status.len() - 1], "send its argument"),
        (&upload[..], "send its argument"),
    ] {
        let (mut stream, served) = served_with(&Arc::default(), 1 << 10, impatient(), false);
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        timeout(SOON, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        let head = head(&answer);
        assert!(head.error.contains(awaited) && head.fault == Fault::Server, "{head:?}");
        let ended = served.ended().await.unwrap_err();
        assert!(ended.to_string().contains(awaited), "{ended}");
    }
}

#[tokio::test]
async fn a_caller_that_reads_nothing_is_given_up() {
    let local = Arc::new(Local { pins: u32::MAX, ..Local::default() });
    let (mut stream, served) = served_with(&local, 1 << 10, impatient(), false);
    stream.write_all(&called("PinTracker", "StatusAll")).await.unwrap();
    stream.close().await.unwrap();
    let ended = served.ended().await.unwrap_err();
    assert!(ended.to_string().contains("read its answer"), "{ended}");
    let mut running = local.running.subscribe();
    timeout(SOON, running.wait_for(|count| *count == 0)).await.unwrap().unwrap();
}

#[tokio::test]
async fn values_that_are_too_long_are_refused_before_they_come() {
    let status = called("PinTracker", "Status");
    let long_argument = [&status[..], &[0xdb, 0xff, 0xff, 0xff, 0xff]].concat();
    let long_head = [&[0x82, 0xa4][..], b"Name", &[0xda, 0xff, 0xff]].concat();
    let deep = [&status[..], &[0x91; 100]].concat();
    for (request, words) in [
        (long_argument, "the value is longer than"),
        (long_head, "the value is longer than 1024 bytes"),
        (deep, "the value nests deeper than"),
    ] {
        let (stream, served) = served(&Arc::default());
        let answer = exchange(stream, &request, false).await;
        let head = head(&answer);
        assert!(head.error.contains(words) && head.fault == Fault::Server, "{head:?}");
        let ended = served.ended().await.unwrap_err();
        assert!(matches!(ended, ServeError::Unserved { .. }), "{ended:?}");
    }
}

#[tokio::test]
async fn a_caller_that_ends_without_its_argument_is_told() {
    let (stream, served) = served(&Arc::default());
    let answer = exchange(stream, &called("PinTracker", "Status"), true).await;
    assert_eq!(head(&answer).error, "the stream ended before the argument");
    assert!(served.ended().await.is_err());
    // A list without its argument is one of everything.
    let (stream, served) = self::served(&Arc::default());
    let answer = exchange(stream, &called("PinTracker", "StatusAll"), true).await;
    assert_eq!((head(&answer).error.as_str(), served.ended().await), ("", Ok(())));
}

#[tokio::test]
async fn what_a_caller_sends_behind_its_argument_does_not_matter_unless_it_is_much() {
    let status = [called("PinTracker", "Status"), to_bytes(&cid(1)), vec![0xc1; 100]].concat();
    let (stream, served) = served(&Arc::default());
    let answer = exchange(stream, &status, false).await;
    assert_eq!((head(&answer).error.as_str(), served.ended().await), ("", Ok(())));
}

/// What comes of a call that is answered with these bytes.
async fn answered(bytes: &[u8]) -> RpcError {
    let (ours, mut theirs) = pair(1 << 10);
    let call = tokio::spawn(async move { calls::version(ours).await });
    theirs.write_all(bytes).await.unwrap();
    theirs.close().await.unwrap();
    timeout(SOON, call).await.unwrap().unwrap().unwrap_err()
}

#[tokio::test]
async fn answers_that_make_no_sense_are_said_to_be_so() {
    let ok = to_bytes(&Answered::default());
    let broken = |error: &RpcError| matches!(error, RpcError::Broken { .. });
    let malformed = |error: &RpcError| matches!(error, RpcError::Malformed { .. });
    assert!(broken(&answered(&[]).await));
    assert!(broken(&answered(&ok[..4]).await));
    assert!(broken(&answered(&ok).await));
    assert!(malformed(&answered(&[0xc1]).await));
    assert!(malformed(&answered(&[0x07]).await));
    let long = [&ok[..], &[0xc6, 0x7f, 0xff, 0xff, 0xff]].concat();
    let error = answered(&long).await;
    assert!(malformed(&error) && error.to_string().contains("longer than"), "{error}");
    let bad = [&ok[..], &[0x81, 0xa1, b'v', 0x07]].concat();
    let error = answered(&bad).await;
    assert!(
        error.to_string().ends_with("v: expected a string or bytes, found marker 0x07"),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_the_server_fall_over_or_hang(
        start in prop::sample::select(vec![
            vec![],
            called("PinTracker", "Status"),
            called("PinTracker", "StatusAll"),
            called("Consensus", "LogPin"),
            called("IPFSConnector", "BlockStream"),
        ]),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (stream, served) = served(&Arc::default());
            exchange(stream, &[start, noise].concat(), true).await;
            let ended = served.ended().await;
            let is_bug = matches!(ended, Err(ServeError::Panicked { .. }));
            prop_assert!(!is_bug);
            Ok(())
        })?;
    }
}

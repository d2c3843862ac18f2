//! The guard before a Kubo that admits, refuses, stumbles or is away.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::upstream::UpstreamError;
use crate::upstream::address::Address;

const LONG_AGO: Duration = Duration::from_secs(180);

/// A Kubo that gives these answers, one a connection, and is away then.
pub(super) struct Kubo {
    pub(super) upstream: Arc<Upstream>,
    /// The first line of each request, once all are answered.
    pub(super) asked: JoinHandle<Vec<String>>,
}

impl Kubo {
    pub(super) async fn answering(heads: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address::Tcp(listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let mut asked = Vec::new();
            for head in heads {
                let (stream, _) = listener.accept().await.unwrap();
                let mut lines = BufReader::new(stream).lines();
                asked.push(lines.next_line().await.unwrap().unwrap());
                while lines.next_line().await.unwrap().is_some_and(|line| !line.is_empty()) {}
                let answer = format!("HTTP/1.1 {head}\r\n\r\n");
                lines.get_mut().write_all(answer.as_bytes()).await.unwrap();
                // Until the other side has had enough.
                while lines.next_line().await.is_ok_and(|line| line.is_some()) {}
            }
            asked
        });
        Self { upstream: Upstream::new(address, Duration::from_secs(5)), asked }
    }
}

fn guard() -> Arc<Guard> {
    Guard::new(None, Vec::new())
}

fn refusal() -> Verdict {
    Verdict::Refused(Arc::new(Refusal::plain(403, "no")))
}

#[tokio::test]
async fn without_any_verdict_and_without_kubo_nobody_is_admitted() {
    let kubo = Kubo::answering(&[]).await;
    kubo.asked.await.unwrap();
    let error = guard().judge(Caller::default(), &kubo.upstream).await.unwrap_err();
    assert!(matches!(error, ProbeError::Upstream(UpstreamError::Unreachable { .. })), "{error}");
}

#[tokio::test]
async fn while_kubo_is_away_the_last_verdict_serves_the_plain_caller() {
    let (guard, kubo) = (guard(), Kubo::answering(&[]).await);
    kubo.asked.await.unwrap();
    let then = Instant::now().checked_sub(LONG_AGO).unwrap();
    guard.verdicts.put(Caller::default(), refusal(), then);
    let verdict = guard.judge(Caller::default(), &kubo.upstream).await.unwrap();
    assert!(matches!(verdict, Verdict::Refused(_)));
}

#[tokio::test]
async fn an_old_verdict_does_not_outlive_what_kubo_says_now() {
    let guard = guard();
    let kubo = Kubo::answering(&["200 OK\r\nContent-Length: 0\r\nConnection: close"]).await;
    let then = Instant::now().checked_sub(LONG_AGO).unwrap();
    guard.verdicts.put(Caller::default(), refusal(), then);
    let verdict = guard.judge(Caller::default(), &kubo.upstream).await.unwrap();
    assert!(matches!(verdict, Verdict::Admitted(_)));
}

#[tokio::test]
async fn a_stumbling_kubo_is_no_refusal_and_is_asked_again() {
    let guard = guard();
    let kubo = Kubo::answering(&[
        "503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close",
        "403 Forbidden\r\nContent-Length: 0\r\nConnection: close",
    ])
    .await;
    let caller = || Caller { fields: vec![("Referer", b"x".to_vec())], ..Caller::default() };
    let error = guard.judge(caller(), &kubo.upstream).await.unwrap_err();
    assert!(matches!(error, ProbeError::Undecided { status: 503, .. }), "{error}");
    for _ in 0..2 {
        let verdict = guard.judge(caller(), &kubo.upstream).await.unwrap();
        assert!(matches!(verdict, Verdict::Refused(_)));
    }
    assert_eq!(kubo.asked.await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_plain_caller_is_asked_about_in_advance_and_once() {
    let guard = guard();
    let kubo = Kubo::answering(&["403 Forbidden\r\nContent-Length: 0\r\nConnection: close"]).await;
    guard.prepare(&kubo.upstream);
    guard.prepare(&kubo.upstream);
    kubo.asked.await.unwrap();
    while guard.renewing.load(Ordering::Acquire) {
        tokio::task::yield_now().await;
    }
    let verdict = guard.judge(Caller::default(), &kubo.upstream).await.unwrap();
    assert!(matches!(verdict, Verdict::Refused(_)));
}

fn caller(port: u16, line: &str, field: &str) -> Caller {
    let text = format!("POST {line} HTTP/1.1\r\nHost: h\r\n{field}\r\n\r\n");
    let head = RequestHead::parse(text.as_bytes()).unwrap().unwrap().0;
    let door = Door { address: Some(([127, 0, 0, 1], port).into()), tls: false, stranger: None };
    Caller::of(&head, door, &Upstream::new(Address::local(5001), LONG_AGO))
}

#[test]
fn two_origins_that_are_one_to_kubo_are_two_kinds_of_callers() {
    let one = caller(9095, "/api/v0/pin/ls", "Origin: http://localhost:9095");
    let other = caller(9096, "/api/v0/pin/ls", "Origin: http://localhost:9096");
    assert_eq!(one.fields, other.fields);
    assert_eq!(one.origin.as_deref(), Some(b"http://localhost:9095".as_slice()));
    assert_ne!(one, other);
}

#[test]
fn a_token_is_asked_about_with_the_clients_own_path() {
    let token = "Authorization: Bearer t";
    let path = |line| caller(9095, line, token).path.unwrap();
    assert_eq!(path("/api/v0/stats/repo?human"), "/api/v0/stats/repo");
    assert_eq!(path("x:/api/v0/pin%2Fls/a"), "/api/v0/pin%2Fls/a");
    assert_eq!(caller(9095, "/api/v0/pin/ls", "X: y").path, None);
}

#[test]
fn where_tokens_are_asked_for_one_without_is_not_trusted() {
    let json = br#"{"ann": {"AuthSecret": "bearer:tok", "AllowedPaths": ["/api/v0"]}}"#;
    let guarded = Guard::new(Authorizations::parse(json).unwrap(), Vec::new());
    let open = Guard::new(None, Vec::new());
    let head = |field: &str| {
        let text = format!("POST /api/v0/cluster/via HTTP/1.1\r\nHost: h\r\n{field}\r\n");
        RequestHead::parse(text.as_bytes()).unwrap().unwrap().0
    };
    assert!(open.trusts(&head("")) && !guarded.trusts(&head("")));
    assert!(guarded.trusts(&head("Authorization: Bearer tok\r\n")));
    assert!(!guarded.trusts(&head("Authorization: Bearer other\r\n")));
}

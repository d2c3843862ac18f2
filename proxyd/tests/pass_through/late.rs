//! Failures after the head was sent: a trailer for all, a broken body for peers of Go ipfs-cluster.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;

use crate::clusterd::Clusterd;
use crate::stage::{Client, DEADLINE, Proxyd, always_ok};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
const FAILED: &str =
    r#"{"error":{"code":500,"message":"no provider found","reason":"pin-failed"}}"#;

fn line(stream: &mut UnixStream, line: &str) -> std::io::Result<()> {
    write!(stream, "{:x}\r\n{line}\n\r\n", line.len() + 1)
}

/// Sends a call as this client does.
fn ask(client: &mut Client, target: &str, fields: &str) {
    client.send(format!(
        "POST /api/v0/{target} HTTP/1.1\r\nHost: x\r\n{fields}Content-Length: 0\r\n\r\n"
    ));
}

/// A peer of Go ipfs-cluster. Source: `contract.md` 4.
const GO: &str = "User-Agent: Go-http-client/1.1\r\nContent-Type: \r\nAccept-Encoding: gzip\r\n";
/// Another program in Go, such as go-ipfs-api.
const OTHER_GO: &str = "User-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\n";
const PIN: &str =
    "pin/add?arg=QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG&recursive=true&progress=true";

/// A proxyd whose pins fail once the test says so, with what says it.
fn failing_late() -> (Proxyd, Clusterd, mpsc::SyncSender<()>) {
    let (fail, fails) = mpsc::sync_channel(1);
    let clusterd = Clusterd::playing(move |_, stream| {
        stream.write_all(HEAD)?;
        line(stream, r#""accepted""#)?;
        fails.recv_timeout(DEADLINE).unwrap();
        line(stream, FAILED)?;
        stream.write_all(b"0\r\n\r\n")
    });
    (Proxyd::start(always_ok(), &clusterd.setting()), clusterd, fail)
}

#[test]
fn a_pin_that_fails_late_has_no_clean_end_for_a_peer_of_go() {
    let (proxyd, _clusterd, fail) = failing_late();
    let mut client = proxyd.connect();
    ask(&mut client, PIN, GO);
    assert!(client.head().starts_with("HTTP/1.1 200 OK\r\n"));
    client.until("{}\n\r\n");
    fail.send(()).unwrap();
    assert!(client.is_reset());
}

#[test]
fn others_are_told_in_the_trailer_as_by_kubo() {
    for fields in ["", "User-Agent: curl/8\r\n", OTHER_GO, &format!("{GO}TE: trailers\r\n")] {
        let (proxyd, _clusterd, fail) = failing_late();
        let mut client = proxyd.connect();
        ask(&mut client, PIN, fields);
        client.until("{}\n\r\n");
        fail.send(()).unwrap();
        let end = client.until("0\r\nX-Stream-Error: no provider found\r\n\r\n");
        assert!(!end.contains("Pins"), "{fields}: {end}");
    }
}

#[test]
fn a_pin_that_fails_early_is_an_error_answer_for_all() {
    for fields in ["", GO] {
        let (proxyd, _clusterd, fail) = failing_late();
        fail.send(()).unwrap();
        let mut client = proxyd.connect();
        ask(&mut client, PIN, fields);
        let answer = client.until("\r\n0\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        assert!(answer.contains("{\"Message\":\"no provider found\""), "{answer}");
    }
}

/// A collection of which one block is told, and that is broken off then.
fn breaking_off() -> (Proxyd, Clusterd) {
    let clusterd = Clusterd::playing(|_, stream| {
        stream.write_all(HEAD)?;
        line(stream, r#"{"removed":"bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"}"#)
    });
    (Proxyd::start(always_ok(), &clusterd.setting()), clusterd)
}

#[test]
fn a_collection_that_breaks_off_is_a_line_where_errors_are_lines() {
    for fields in ["", GO] {
        let (proxyd, _clusterd) = breaking_off();
        let mut client = proxyd.connect();
        ask(&mut client, "repo/gc?stream-errors=true", fields);
        let answer = client.until("0\r\nX-Stream-Error: encountered errors during gc run\r\n\r\n");
        assert!(answer.contains(r#""Error":"clusterd broke off"#), "{answer}");
    }
}

#[test]
fn a_collection_that_breaks_off_without_such_lines_has_no_clean_end_for_a_peer_of_go() {
    let (proxyd, _clusterd) = breaking_off();
    let mut client = proxyd.connect();
    ask(&mut client, "repo/gc", GO);
    client.head();
    assert!(client.is_reset());
    for fields in ["", OTHER_GO] {
        let mut client = proxyd.connect();
        ask(&mut client, "repo/gc", fields);
        let end = client.until("0\r\nX-Stream-Error: clusterd broke off");
        assert!(end.contains("bafkreigh2"), "{end}");
    }
}

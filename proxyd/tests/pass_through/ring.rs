//! Proxyds that stand in a ring, and one that leads to itself.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use crate::clusterd::Clusterd;
use crate::stage::{Client, DEADLINE, OK, Place, Proxyd, always_ok, command, exit_code, post};

const CID: &str = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG";
const NOT_PINNED: &str =
    r#"{"code":404,"message":"not pinned or pinned indirectly","reason":"not-pinned"}"#;
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Asks until an answer has this in it, and gives that answer.
fn until_told(proxyd: &Proxyd, path: &str, part: &str) -> String {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let mut client = proxyd.connect();
        client.send(format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        let answer = client.rest();
        if answer.contains(part) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{part} was never told: {answer}");
        std::thread::park_timeout(LOOK_EVERY);
    }
}

fn tcp(place: &Place) -> String {
    format!("/ip4/127.0.0.1/tcp/{}", place.address.port())
}

#[test]
fn a_ring_of_three_is_named_and_refused_until_it_is_mended() {
    let places = [(); 3].map(|()| Arc::new(Place::reserve()));
    let is_there = AtomicBool::new(true);
    let clusterd = Clusterd::answering(move |line| {
        if !line.contains(" /proxy/pin/rm ") {
            let tree = r#"{"id":"0123456789abcdef0123456789abcdef","name":"sub"}"#;
            return ("200 OK", tree.to_owned());
        }
        match is_there.swap(false, Ordering::Relaxed) {
            true => ("200 OK", format!(r#"{{"pins":["{CID}"]}}"#)),
            false => ("404 Not Found", NOT_PINNED.to_owned()),
        }
    });
    let start = |at: usize, ipfs: &str, more: &str| Proxyd::start_at(&places[at], ipfs, more);
    let first = start(0, &tcp(&places[1]), &clusterd.setting());
    let second = start(1, &tcp(&places[2]), "");
    let third = start(2, &tcp(&places[0]), "");
    for (proxyd, at) in [(&first, 0), (&second, 1), (&third, 2)] {
        let told = until_told(proxyd, "/api/v0/id", "this one, /ip4/");
        assert!(told.starts_with("HTTP/1.1 508 Loop Detected\r\n"), "{told}");
        assert!(told.contains("`ipfs` in proxyd.toml"), "{told}");
        for place in &places {
            assert!(told.contains(&tcp(place)), "{told}");
        }
        let own = format!("this one, {}", tcp(&places[at]));
        until_told(proxyd, "/api/v0/id", &own);
    }
    // What proxyd answers itself needs a Kubo as well, but for the tree and for an unpin, which the ring
    // brings back to one that has nothing to unpin any more.
    until_told(&first, "/api/v0/pin/ls", "HTTP/1.1 508 ");
    until_told(&first, &format!("/api/v0/pin/add?arg={CID}"), "HTTP/1.1 508 ");
    let unpin = format!("/api/v0/pin/rm?arg={CID}");
    until_told(&first, &unpin, &format!("{{\"Pins\":[\"{CID}\"]}}"));
    let told = until_told(&first, &unpin, "not pinned or pinned indirectly");
    assert!(told.starts_with("HTTP/1.1 500 "), "{told}");
    until_told(&first, "/api/v0/cluster/tree", "\"name\":\"sub\"");
    let mut page = first.connect();
    page.send(
        "POST /api/v0/cluster/tree HTTP/1.1\r\nHost: x\r\nOrigin: http://evil.example\r\n\r\n",
    );
    assert!(page.head().starts_with("HTTP/1.1 508 "));
    drop(third);
    let kubo = format!("/ip4/127.0.0.1/tcp/{}", always_ok().port());
    let _third = start(2, &kubo, "");
    let body = OK.rsplit("\r\n").next().unwrap();
    for proxyd in [&first, &second] {
        until_told(proxyd, "/api/v0/id", &format!("\r\n\r\n{body}"));
    }
}

#[test]
fn one_that_leads_to_itself_says_so() {
    let place = Arc::new(Place::reserve());
    let directory = tempfile::tempdir().unwrap();
    // Another name for its own socket, which no look at the configuration tells.
    let link = directory.path().join("kubo.sock");
    let proxyd = Proxyd::start_at(&place, &format!("/unix{}", link.display()), "threads = 2");
    std::os::unix::fs::symlink(proxyd.socket(), &link).unwrap();
    let told = until_told(&proxyd, "/api/v0/id", "leads back to this proxyd itself");
    assert!(told.starts_with("HTTP/1.1 508 "), "{told}");
    std::fs::remove_file(&link).unwrap();
    until_told(&proxyd, "/api/v0/id", "cannot reach Kubo at /unix/");
}

#[test]
fn a_way_that_ends_at_kubo_is_told_hop_by_hop() {
    let place = Arc::new(Place::reserve());
    let proxyd =
        Proxyd::start_at(&place, &format!("/ip4/127.0.0.1/tcp/{}", always_ok().port()), "");
    let ask = |client: &mut Client, path: &str| {
        client.send(post(&format!("/api/v0/cluster/via?path={path}")));
        client.until("}")
    };
    let told = ask(&mut proxyd.connect(), &"0".repeat(32));
    assert!(told.starts_with("HTTP/1.1 200 OK\r\n") && told.contains(&tcp(&place)), "{told}");
    assert!(ask(&mut proxyd.connect(), "x").starts_with("HTTP/1.1 400 "));
    let nine = vec!["0".repeat(32); 9].join(",");
    let mut client = proxyd.connect();
    ask(&mut client, &nine);
    assert!(client.until("}").contains("\"end\":\"too_long\""));
}

/// Something that never answers, and tells of each question that came with two ids.
fn silent() -> (SocketAddr, mpsc::Receiver<Client>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (came, questions) = mpsc::sync_channel(8);
    std::thread::spawn(move || {
        let mut others = Vec::new();
        for stream in listener.incoming() {
            let mut asked = Client::new(stream.unwrap());
            let head = asked.head();
            if !head.contains("/cluster/via?path=") || !head.contains(',') {
                others.push(asked);
            } else if came.send(asked).is_err() {
                return;
            }
        }
    });
    (address, questions)
}

#[test]
fn questions_are_asked_on_one_at_a_time() {
    let (upstream, questions) = silent();
    let proxyd = Proxyd::start(upstream, "");
    let question = post(&format!("/api/v0/cluster/via?path={}", "0".repeat(32)));
    let mut first = proxyd.connect();
    first.send(&question);
    let asked = questions.recv_timeout(DEADLINE).unwrap();
    for _ in 0..3 {
        let mut other = proxyd.connect();
        other.send(&question);
        other.head();
        assert!(other.until("}]").contains(&proxyd.address.port().to_string()));
        assert!(other.until("}").contains("\"end\":\"untold\""));
    }
    assert!(questions.try_recv().is_err(), "a second one was asked on");
    drop(asked);
    assert!(first.until("}]").starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn an_own_address_is_no_kubo() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("proxyd.toml");
    let own = "listen = [\"/ip4/0.0.0.0/tcp/1234\"]\nipfs = \"/ip4/127.0.0.1/tcp/1234\"\n";
    std::fs::write(&file, own).unwrap();
    let mut check = command(&file);
    check.arg("--check");
    let mut child = check.stderr(std::process::Stdio::null()).spawn().unwrap();
    assert_eq!(exit_code(&mut child), Some(78));
}

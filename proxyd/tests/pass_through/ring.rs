//! Proxyds that stand in a ring, and one that leads to itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clusterd::Clusterd;
use crate::stage::{Client, DEADLINE, OK, Place, Proxyd, always_ok, command, exit_code, post};

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
    let clusterd = Clusterd::answering(|_| {
        ("200 OK", r#"{"id":"0123456789abcdef0123456789abcdef","name":"sub"}"#.to_owned())
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
    // What proxyd answers itself needs a Kubo as well, but for the tree.
    until_told(&first, "/api/v0/pin/ls", "HTTP/1.1 508 ");
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

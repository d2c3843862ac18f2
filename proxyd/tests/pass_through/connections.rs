//! Connections on both sides: reuse, repetition, early ends.

use std::io::Write;
use std::time::Duration;

use crate::stage::{DEADLINE, OK, Place, Proxyd, post, upstream};

#[test]
fn without_kubo_the_client_is_told_what_to_check_and_may_go_on() {
    let nobody = Place::reserve();
    let proxyd = Proxyd::start(nobody.address, "");
    let mut client = proxyd.connect();
    for _ in 0..2 {
        client.send(post("/api/v0/id"));
        let head = client.head();
        assert!(head.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{head}");
        assert!(!head.contains("Connection: close"), "{head}");
        let body = client.until("}\n");
        assert!(body.contains("cannot reach Kubo at /ip4/127.0.0.1/tcp/"), "{body}");
        assert!(body.contains("check that the IPFS daemon runs"), "{body}");
    }
}

#[test]
fn a_connection_to_kubo_is_used_again_by_another_client() {
    let (kubo, played) = upstream(1, |_, kubo| {
        for _ in 0..3 {
            kubo.head();
            kubo.send(OK);
        }
    });
    let proxyd = Proxyd::start(kubo, "");
    for _ in 0..3 {
        let mut client = proxyd.connect();
        client.send(post("/"));
        assert_eq!(client.until("ok"), OK);
    }
    played.join().unwrap();
}

#[test]
fn an_answer_of_our_own_to_head_has_no_body_and_the_connection_goes_on() {
    let nobody = Place::reserve();
    let proxyd = Proxyd::start(nobody.address, "");
    let mut client = proxyd.connect();
    client.send("HEAD /api/v0/id HTTP/1.1\r\nHost: x\r\n\r\n");
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Length: ") && !head.contains("Length: 0"), "{head}");
    client.send(post("/api/v0/id"));
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{head}");
}

/// Answers one request, then reads another and closes without an answer; then a fresh connection.
fn after_a_stale_connection(path: &str) -> String {
    let (kubo, _played) = upstream(2, |number, kubo| {
        kubo.head();
        kubo.send(OK);
        if number == 0 {
            kubo.head();
        }
    });
    let proxyd = Proxyd::start(kubo, "");
    let mut client = proxyd.connect();
    client.send(post(path));
    client.until("ok");
    client.send(post(path));
    client.head()
}

#[test]
fn a_reading_command_is_repeated_once_when_a_kept_connection_was_stale() {
    assert!(after_a_stale_connection("/api/v0/id").starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn a_changing_command_is_never_repeated() {
    let answer = after_a_stale_connection("/api/v0/key/gen?arg=x");
    assert!(answer.starts_with("HTTP/1.1 502 Bad Gateway"), "{answer}");
}

#[test]
fn kubo_learns_at_once_that_a_waiting_client_has_gone() {
    let (told, hears) = std::sync::mpsc::sync_channel(1);
    let (kubo, played) = upstream(1, move |_, kubo| {
        kubo.head();
        told.send(()).unwrap();
        kubo.has_ended()
    });
    let proxyd = Proxyd::start(kubo, "");
    let mut client = proxyd.connect();
    client.send(post("/api/v0/routing/get?arg=x"));
    hears.recv().unwrap();
    drop(client);
    assert_eq!(played.join().unwrap(), [true]);
}

#[test]
fn a_client_that_has_closed_its_side_still_gets_the_answer() {
    let (kubo, played) = upstream(1, |_, kubo| {
        kubo.head();
        assert!(kubo.has_ended());
        kubo.send(OK);
    });
    let proxyd = Proxyd::start(kubo, "");
    let mut client = proxyd.connect();
    client.send(post("/"));
    client.half_close();
    assert_eq!(client.rest(), OK);
    played.join().unwrap();
}

#[test]
fn an_answer_before_the_end_of_the_body_arrives_and_the_connection_ends() {
    let early =
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
    let (kubo, played) = upstream(1, move |_, kubo| {
        kubo.head();
        kubo.send(early);
    });
    let proxyd = Proxyd::start(kubo, "");
    let mut client = proxyd.connect();
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n");
    let part = vec![b'x'; 64 << 10];
    // Sends on past the answer, as clients do; the kernel may refuse at some point.
    for _ in 0..16 {
        if client.stream.write_all(&part).is_err() {
            break;
        }
    }
    assert_eq!(client.until("no"), early);
    assert!(client.has_ended());
    played.join().unwrap();
}

#[test]
fn a_body_that_is_cut_by_the_client_reaches_kubo_as_cut() {
    let (kubo, played) = upstream(1, |_, kubo| {
        kubo.head();
        let got = kubo.until("half");
        (got, kubo.has_ended())
    });
    let proxyd = Proxyd::start(kubo, "");
    let mut client = proxyd.connect();
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
    drop(client);
    assert_eq!(played.join().unwrap(), [("half".to_owned(), true)]);
}

#[test]
fn a_client_that_does_not_read_stops_kubo_and_costs_little_memory() {
    const BODY: usize = 256 << 20;
    let (told, hears) = std::sync::mpsc::sync_channel(1);
    let (kubo, played) = upstream(1, move |_, kubo| {
        kubo.head();
        kubo.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n"));
        // A write that finds no room for so long: all buffers on the way are full.
        kubo.stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        let part = vec![0; 1 << 20];
        let sent = (0..BODY >> 20).take_while(|_| kubo.stream.write_all(&part).is_ok()).count();
        told.send(sent << 20).unwrap();
    });
    let proxyd = Proxyd::start(kubo, "");
    let mut client = proxyd.connect();
    client.send(post("/"));
    client.head();
    let sent = hears.recv_timeout(DEADLINE).unwrap();
    let memory = proxyd.memory();
    assert!(sent < BODY / 2, "{sent} bytes were taken for a client that does not read");
    assert!(memory < 24 << 10, "{memory} KiB");
    played.join().unwrap();
}

#[test]
fn idle_connections_make_room_when_all_are_taken() {
    let (kubo, played) = upstream(1, |_, kubo| {
        kubo.head();
        kubo.send(OK);
    });
    let proxyd = Proxyd::start(kubo, "connections_max = 2");
    let mut idle: Vec<_> = (0..2).map(|_| proxyd.connect()).collect();
    let mut client = proxyd.connect();
    client.send(post("/"));
    assert_eq!(client.until("ok"), OK);
    assert!(idle[0].has_ended());
    played.join().unwrap();
}

#[test]
fn a_client_that_is_slow_with_its_head_makes_room_too() {
    let (kubo, played) = upstream(1, |_, kubo| {
        kubo.head();
        kubo.send(OK);
    });
    let proxyd = Proxyd::start(kubo, "connections_max = 1");
    let mut slow = proxyd.connect();
    slow.send("POST / HTTP/1.1\r\nHo");
    let mut client = proxyd.connect();
    client.send(post("/"));
    assert_eq!(client.until("ok"), OK);
    assert!(slow.has_ended());
    played.join().unwrap();
}

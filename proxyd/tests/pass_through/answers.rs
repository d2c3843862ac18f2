//! Kubo's answers on their way to the client.

use std::io::{Read, Write};

use crate::stage::{OK, Proxyd, post, upstream};

/// Plays one answer to one request and gives all that the client got until the end.
fn relayed(request: &str, answer: &'static str) -> String {
    let (kubo, _played) = upstream(1, move |_, kubo| {
        kubo.head();
        kubo.send(answer);
    });
    let proxyd = Proxyd::start(kubo, "");
    let mut client = proxyd.connect();
    client.send(request);
    client.half_close();
    client.rest()
}

#[test]
fn trailers_arrive_whether_announced_and_asked_for_or_not() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n0\r\n\
                  X-Stream-Error: it broke\r\n\r\n";
    let got = relayed(&post("/").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"), answer);
    assert_eq!(got, answer.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1));
}

#[test]
fn interim_answers_arrive_all_and_not_at_http_10() {
    let answer = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
                  HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    let tail = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n";
    assert_eq!(relayed(&post("/"), answer), format!("{interim}{tail}"));
    // Closing is the rule there and is not said, as Kubo has it.
    let tail = tail.replace("Connection: close\r\n", "");
    assert_eq!(relayed("POST / HTTP/1.0\r\n\r\n", answer), tail);
}

#[test]
fn bodiless_answers_end_at_once_and_the_connection_goes_on() {
    let (kubo, played) = upstream(1, |_, kubo| {
        assert!(kubo.head().starts_with("HEAD "));
        kubo.send("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
        for status in ["204 No Content", "304 Not Modified"] {
            kubo.head();
            kubo.send(format!("HTTP/1.1 {status}\r\n\r\n"));
        }
        kubo.head();
        kubo.send(OK);
    });
    let proxyd = Proxyd::start(kubo, "");
    let mut client = proxyd.connect();
    client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(client.head().contains("Content-Length: 7"));
    for status in ["204", "304"] {
        client.send(post("/"));
        assert!(client.head().contains(status));
    }
    client.send(post("/"));
    assert_eq!(client.until("ok"), OK);
    played.join().unwrap();
}

#[test]
fn http_10_keep_alive_is_kept_when_asked_for() {
    let (kubo, played) = upstream(1, |_, kubo| {
        for _ in 0..2 {
            assert!(kubo.head().contains("HTTP/1.0\r\nConnection: keep-alive\r\n"));
            kubo.send("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let proxyd = Proxyd::start(kubo, "");
    let mut client = proxyd.connect();
    for _ in 0..2 {
        client.send("POST / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert!(client.until("ok").contains("\r\nConnection: keep-alive\r\n"));
    }
    played.join().unwrap();
}

#[test]
fn a_body_until_close_arrives_whole_and_ends_cleanly() {
    let got = relayed(&post("/"), "HTTP/1.1 200 OK\r\n\r\nall of it");
    assert_eq!(got, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it");
}

#[test]
fn an_answer_that_is_cut_resets_the_client() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let (kubo, played) = upstream(1, move |_, kubo| {
            kubo.head();
            kubo.send(answer);
        });
        let proxyd = Proxyd::start(kubo, "");
        let mut client = proxyd.connect();
        client.send(post("/"));
        client.head();
        assert!(client.is_reset(), "{answer}");
        played.join().unwrap();
    }
}

#[test]
fn over_a_unix_socket_a_cut_answer_lacks_its_end() {
    for (answer, end) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "half"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "hello\r\n"),
    ] {
        let (kubo, played) = upstream(1, move |_, kubo| {
            kubo.head();
            kubo.send(answer);
        });
        let proxyd = Proxyd::start(kubo, "");
        let mut client = proxyd.connect_unix();
        client.write_all(post("/").as_bytes()).unwrap();
        let mut got = Vec::new();
        // Such a socket knows no reset, so the bytes must tell.
        drop(client.read_to_end(&mut got));
        assert!(got.ends_with(end.as_bytes()), "{}", String::from_utf8_lossy(&got));
        played.join().unwrap();
    }
}

#[test]
fn a_client_of_http_10_uploads_and_reads_to_the_end() {
    let (kubo, played) = upstream(1, |_, kubo| {
        let head = kubo.head();
        assert!(head.starts_with("POST /api/v0/dag/stat HTTP/1.0\r\n"), "{head}");
        assert_eq!(kubo.until("body"), "body");
        kubo.send("HTTP/1.0 200 OK\r\n\r\nall of it");
    });
    let proxyd = Proxyd::start(kubo, "");
    let mut client = proxyd.connect();
    client.send("POST /api/v0/dag/stat HTTP/1.0\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(client.rest(), "HTTP/1.0 200 OK\r\n\r\nall of it");
    played.join().unwrap();
}

#[test]
fn answers_that_can_be_read_in_two_ways_become_502() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "SSH-2.0-x\r\n\r\n",
    ] {
        let got = relayed(&post("/"), answer);
        assert!(got.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{answer}: {got}");
        assert!(got.contains("\"Code\":0,\"Type\":\"error\"}\n"), "{got}");
    }
}

#[test]
fn kubos_close_is_passed_on() {
    let got =
        relayed(&post("/"), "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(got, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
}

//! Requests on their way to Kubo.

use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::stage::{Client, DEADLINE, OK, Proxyd, post, upstream};

#[test]
fn head_and_body_arrive_as_they_were_sent() {
    let request = "POST /api/v0/block/stat?arg=%20a HTTP/1.1\r\nhost: Some\r\nX-odd:   y \r\n\
                   Content-Length: 5\r\n\r\nhello";
    let (kubo, played) = upstream(1, |_, kubo| {
        let got = kubo.head() + &kubo.until("hello");
        kubo.send(OK);
        got
    });
    let mut client = Proxyd::start(kubo, "").connect_and_keep();
    client.1.send(request);
    assert_eq!(client.1.until("ok"), OK);
    assert_eq!(played.join().unwrap(), [request]);
}

#[test]
fn chunks_extensions_and_trailers_arrive_as_they_were_sent() {
    let body = "5;ext=1\r\nhello\r\n0\r\nX-T: 1\r\n\r\n";
    let request =
        format!("POST /api/v0/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    let (kubo, played) = upstream(1, |_, kubo| {
        kubo.head();
        let got = kubo.until("X-T: 1\r\n\r\n");
        kubo.send(OK);
        got
    });
    let (_proxyd, mut client) = Proxyd::start(kubo, "").connect_and_keep();
    // Byte by byte: no split may change what is passed on.
    for byte in request.as_bytes() {
        client.send([*byte]);
    }
    assert_eq!(client.until("ok"), OK);
    assert_eq!(played.join().unwrap(), [body]);
}

#[test]
fn pipelined_requests_are_answered_in_order_on_one_connection() {
    let (kubo, played) = upstream(1, |_, kubo| {
        (0..3).for_each(|n| {
            assert!(kubo.head().starts_with(&format!("POST /{n} ")));
            kubo.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{n}"));
        });
    });
    let (_proxyd, mut client) = Proxyd::start(kubo, "").connect_and_keep();
    client.send(post("/0") + &post("/1") + &post("/2"));
    for n in 0..3 {
        client.head();
        assert_eq!(client.until(&n.to_string()), n.to_string());
    }
    played.join().unwrap();
}

#[test]
fn ambiguous_requests_get_400_and_never_reach_kubo() {
    let refused = [
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "POST / HTTP/1.1\nHost: x\n\n",
        "POST / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ];
    let (kubo, played) = upstream(1, |_, kubo| kubo.head());
    let proxyd = Proxyd::start(kubo, "");
    for request in refused {
        let mut client = proxyd.connect();
        client.send(request);
        let answer = client.rest();
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{request:?}: {answer}");
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    }
    proxyd.connect().send(post("/first"));
    assert!(played.join().unwrap()[0].starts_with("POST /first "));
}

#[test]
fn a_head_of_900_kib_passes_and_one_past_a_mebibyte_is_431() {
    let (kubo, played) = upstream(1, |_, kubo| {
        let length = kubo.head().len();
        kubo.send(OK);
        length
    });
    let (proxyd, mut client) = Proxyd::start(kubo, "").connect_and_keep();
    let long = post(&format!("/?{}", "arg=x&".repeat(150_000)));
    client.send(&long);
    client.until("ok");
    assert_eq!(played.join().unwrap(), [long.len()]);
    let mut client = proxyd.connect();
    // It is refused before its end is there.
    drop(client.stream.write_all(&[b'a'; 3 << 20]));
    assert!(client.head().starts_with("HTTP/1.1 4"));
}

#[test]
fn expect_100_continue_is_between_client_and_kubo() {
    let (kubo, played) = upstream(1, |_, kubo| {
        assert!(kubo.head().contains("Expect: 100-continue"));
        kubo.send("HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(kubo.until("body"), "body");
        kubo.send(OK);
    });
    let (_proxyd, mut client) = Proxyd::start(kubo, "").connect_and_keep();
    client.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(client.head(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body");
    assert_eq!(client.until("ok"), OK);
    played.join().unwrap();
}

#[test]
fn body_and_answer_flow_at_the_same_time() {
    let (kubo, played) = upstream(1, |_, kubo| {
        kubo.head();
        kubo.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for _ in 0..3 {
            let ping = kubo.until("\n");
            kubo.send(format!("{:x}\r\n{ping}\r\n", ping.len()));
        }
        kubo.send("0\r\n\r\n");
    });
    let (_proxyd, mut client) = Proxyd::start(kubo, "").connect_and_keep();
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n");
    client.head();
    for line in ["a\n", "b\n", "c\n"] {
        client.send(line);
        assert_eq!(client.until("\n\r\n"), format!("2\r\n{line}\r\n"));
    }
    assert_eq!(client.until("0\r\n\r\n"), "0\r\n\r\n");
    played.join().unwrap();
}

#[test]
fn long_heads_that_wait_for_kubo_are_bounded_together() {
    // A Kubo that has hung: the kernel takes connections for it, nobody answers.
    let kubo = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxyd = Proxyd::start(kubo.local_addr().unwrap(), "");
    let long = post(&format!("/?{}", "arg=x&".repeat(170_000)));
    let waiting: Vec<Client> = (0..HEADS)
        .map(|_| {
            let mut client = proxyd.connect();
            // One that is refused early does not take all of it.
            drop(client.stream.write_all(long.as_bytes()));
            client.stream.set_nonblocking(true).unwrap();
            client
        })
        .collect();
    let deadline = Instant::now() + DEADLINE;
    let refused = loop {
        let refused = waiting.iter().filter(|client| starts_with(client, b"HTTP/1.1 431")).count();
        if refused > 0 || Instant::now() > deadline {
            break refused;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    };
    assert!(refused > 0, "{HEADS} heads of a mebibyte are held at once");
    assert!(refused + 4 < HEADS, "{refused} of {HEADS} are refused");
}

/// Long heads that wait at once; more than proxyd holds.
const HEADS: usize = 32;

/// Whether an answer has come and begins so; it stays to be read.
fn starts_with(client: &Client, start: &[u8; 12]) -> bool {
    let mut found = [0; 12];
    client.stream.peek(&mut found).is_ok_and(|count| count == 12 && &found == start)
}

impl Proxyd {
    fn connect_and_keep(self) -> (Self, Client) {
        let client = self.connect();
        (self, client)
    }
}

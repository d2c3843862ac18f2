//! Answers of Kubo: their bodies must be what another strict reader finds.

use super::oracle::{self, Seen};
use super::{Random, run};
use crate::h1::body::Rest;
use crate::h1::head::ResponseHead;

const SEEDS: [&[u8]; 7] = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Stream-Error\r\n\r\n5\r\nhello\r\n0\r\nX-Stream-Error: no\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 204 No Content\r\nVary: Origin\r\n\r\n",
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
];

const WORDS: [&[u8]; 18] = [
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b":",
    b"\0",
    b"5",
    b"204",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Content-Length: +5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"0\r\n\r\n",
    b"\r\n\r\n",
];

/// The final answer, if we read it whole.
fn ours(mut bytes: &[u8], method: &str) -> Option<Seen> {
    loop {
        let (head, length) = ResponseHead::parse(bytes, method.as_bytes()).ok()??;
        bytes = &bytes[length..];
        if head.status() == 101 {
            return None;
        }
        if head.is_interim() {
            continue;
        }
        let mut rest = Rest::from(head.framing());
        let (mut at, mut body) = (0, Vec::new());
        while !rest.is_done() && at < bytes.len() {
            let (taken, run) = rest.step(&bytes[at..]).ok()?;
            body.extend_from_slice(&bytes[at..][run]);
            at += taken;
        }
        let ended = rest.is_done() || matches!(rest, Rest::UntilClose);
        return ended.then(|| Seen { start: head.status().to_string(), body });
    }
}

#[test]
fn answers_end_where_hyper_ends_them() {
    run("answers", |random: &mut Random| {
        let mut bytes = random.pick(&SEEDS).to_vec();
        random.mutate(&mut bytes, &WORDS, 4);
        let method = random.pick(&["POST", "HEAD", "GET"]);
        let theirs = oracle::answer(&bytes, method, 1 + random.below(bytes.len() + 1));
        // Either may be the stricter; what both take must be the same.
        if let (Some(ours), Some(theirs)) = (ours(&bytes, method), theirs) {
            assert_eq!(ours, theirs, "{method}: {}", bytes.escape_ascii());
        }
    });
}

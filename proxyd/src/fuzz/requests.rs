//! Requests: where each message ends must be what another strict reader finds, and what is sent on
//! to Kubo must be read as what came.

use std::cell::Cell;

use super::oracle::{self, Seen};
use super::{Random, run};
use crate::h1::body::Rest;
use crate::h1::head::RequestHead;

const SEEDS: [&[u8]; 8] = [
    b"POST /api/v0/id HTTP/1.1\r\nHost: h\r\n\r\n",
    b"POST /api/v0/add HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /add HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"POST /add HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX-T: v\r\n\r\n",
    b"POST /a HTTP/1.0\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nab",
    b"GET /b?c=d HTTP/1.1\r\nhost:h\r\nConnection: X-Drop, close\r\nX-Drop: 1\r\nX-Empty:\r\n\r\n",
    b"POST /c HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    b"OPTIONS * HTTP/1.1\r\nHost: h\r\nAccept: a,b;q=\"c\\\"d\"\r\n\r\n",
];

/// What request smuggling is made of.
const WORDS: [&[u8]; 30] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b":",
    b",",
    b"\0",
    b"\x0b",
    b"\x85",
    b"0",
    b"+5",
    b"-1",
    b"0x5",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length : 5\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding:\x0bchunked\r\n",
    b"Transfer-Encoding: chunked, chunked\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b" folded\r\n",
    b"Connection: Content-Length\r\n",
    b"Connection: close\r\n",
    b"Host: other\r\n",
    b"HTTP/1.0",
    b"0\r\n\r\n",
];

/// Several requests on one connection, mutated.
fn connection(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..1 + random.below(3) {
        let mut message = random.pick(&SEEDS).to_vec();
        random.mutate(&mut message, &WORDS, 2);
        bytes.append(&mut message);
    }
    bytes
}

/// The requests that we read whole, up to the first that we refuse, and what Kubo would get.
fn ours(mut bytes: &[u8]) -> (Vec<Seen>, Vec<u8>) {
    let (mut seen, mut onward) = (Vec::new(), Vec::new());
    while let Ok(Some((head, length))) = RequestHead::parse(bytes) {
        let mut rest = Rest::from(head.framing());
        let Some((end, body)) = body(&mut rest, &bytes[length..]) else { break };
        // hyper cuts a fragment off; Go has none in a request target, and takes it for path.
        let target = head.target().split(|b| *b == b'#').next().unwrap_or_default();
        let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
        seen.push(Seen { start: format!("{} {}", text(head.method()), text(target)), body });
        head.copy_onward(&mut onward, None, &[]);
        onward.extend_from_slice(&bytes[length..length + end]);
        bytes = &bytes[length + end..];
        if head.wants_close() {
            break;
        }
    }
    (seen, onward)
}

/// Where the body ends, and its data; `None` when it does not end, or is malformed.
fn body(rest: &mut Rest, bytes: &[u8]) -> Option<(usize, Vec<u8>)> {
    let (mut at, mut data) = (0, Vec::new());
    while !rest.is_done() && at < bytes.len() {
        let (taken, run) = rest.step(&bytes[at..]).ok()?;
        data.extend_from_slice(&bytes[at..][run]);
        at += taken;
    }
    rest.is_done().then_some((at, data))
}

#[test]
fn requests_end_where_hyper_ends_them() {
    let (cases, compared) = (Cell::new(0), Cell::new(0));
    run("requests", |random| {
        let bytes = connection(random);
        let (ours, onward) = ours(&bytes);
        let theirs = oracle::requests(&bytes, 1 + random.below(bytes.len() + 1));
        // Either may be the stricter; what both take must be the same.
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours, theirs, "{}", bytes.escape_ascii());
        }
        let passed_on = oracle::requests(&onward, onward.len() + 1);
        for (ours, theirs) in ours.iter().zip(&passed_on) {
            assert_eq!(
                ours,
                theirs,
                "{} sent on as {}",
                bytes.escape_ascii(),
                onward.escape_ascii()
            );
        }
        cases.update(|count| count + 1);
        compared.update(|count| count + usize::from(!ours.is_empty() && !theirs.is_empty()));
    });
    let (cases, compared) = (cases.get(), compared.get());
    assert!(cases < 1000 || compared > cases / 4, "of {cases} cases only {compared} say anything");
}

#[test]
fn a_head_is_found_or_refused_however_much_of_it_has_come() {
    run("requests", |random| {
        let bytes = connection(random);
        let whole = RequestHead::parse(&bytes);
        let Ok(Some((_, length))) = &whole else { return };
        let cut = random.below(*length);
        let part = RequestHead::parse(&bytes[..cut]).expect("the start of a good head was refused");
        assert!(part.is_none(), "a head ended early: {}", bytes[..cut].escape_ascii());
    });
}

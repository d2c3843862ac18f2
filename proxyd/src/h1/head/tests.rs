//! Every malformed shape that a relay must not pass on, and what it keeps of the good ones.

use proptest::prelude::*;

use super::*;

fn request(text: &str) -> Result<RequestHead, HeadError> {
    RequestHead::parse(text.as_bytes()).map(|parsed| parsed.expect("a whole head").0)
}

fn with_fields(fields: &str) -> Result<RequestHead, HeadError> {
    request(&format!("POST /api/v0/id HTTP/1.1\r\nHost: x\r\n{fields}\r\n"))
}

fn answer(fields: &str, method: &[u8]) -> Result<ResponseHead, HeadError> {
    let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
    ResponseHead::parse(text.as_bytes(), method).map(|parsed| parsed.expect("a whole head").0)
}

fn onward(head: &RequestHead, replace: &[(&str, &[u8])]) -> String {
    let mut out = Vec::new();
    head.copy_onward(&mut out, None, replace);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_request_is_read_into_its_parts() {
    let head = with_fields("X-A:  1 \r\nContent-Length: 5\r\n").unwrap();
    assert_eq!((head.method(), head.target()), (&b"POST"[..], &b"/api/v0/id"[..]));
    assert_eq!(head.header("x-a"), Some(&b"1"[..]));
    assert_eq!(head.framing(), Framing::Length(5));
    assert!(!head.wants_close() && !head.is_http_10());
}

#[test]
fn ambiguous_framing_is_refused() {
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length:\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length: 9223372036854775808\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding:\r\n",
    ] {
        assert!(matches!(with_fields(fields), Err(HeadError::Malformed(_))), "{fields}");
    }
    assert_eq!(with_fields("Transfer-Encoding: Chunked\r\n").unwrap().framing(), Framing::Chunked);
}

#[test]
fn chunks_in_http_10_are_refused() {
    assert!(request("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
}

#[test]
fn broken_grammar_is_refused() {
    for text in [
        "POST / HTTP/1.1\nHost: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\n\n",
        "POST / HTTP/1.1\r\nHost: x\r\nA: 1\rB: 2\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nA: 1\r\n folded\r\n\r\n",
        "POST / HTTP/1.1\r\nHost : x\r\n\r\n",
        "POST / HTTP/1.1\r\n Host: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\n: no name\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nA: a\0b\r\n\r\n",
        "POST  / HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /  HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST / HTTP/1.1 \r\nHost: x\r\n\r\n",
        "POST /\r\nHost: x\r\n\r\n",
        "P(ST / HTTP/1.1\r\nHost: x\r\n\r\n",
        "\r\nPOST / HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
    ] {
        assert!(request(text).is_err(), "{text:?}");
    }
}

#[test]
fn other_versions_are_refused_as_such() {
    for line in ["PRI * HTTP/2.0", "GET / HTTP/1.2", "GET / HTTP/3.0"] {
        let refused = request(&format!("{line}\r\nHost: x\r\n\r\n"));
        assert_eq!(refused.unwrap_err(), HeadError::Version, "{line}");
    }
}

#[test]
fn many_fields_are_read_and_too_many_are_refused() {
    let fields = |count| (0..count).map(|n| format!("X-{n}: 1\r\n")).collect::<String>();
    assert_eq!(with_fields(&fields(500)).unwrap().headers().count(), 501);
    assert_eq!(with_fields(&fields(2000)).unwrap_err(), HeadError::TooManyFields);
}

#[test]
fn a_head_goes_onward_byte_for_byte_without_what_ends_here() {
    let head = with_fields(
        "X-Odd:   spaced  \r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n\
         Upgrade: h2c\r\nx-empty:\r\nTE: trailers\r\nExpect: 100-continue\r\n",
    )
    .unwrap();
    assert_eq!(
        onward(&head, &[]),
        "POST /api/v0/id HTTP/1.1\r\nHost: x\r\nX-Odd:   spaced  \r\nx-empty:\r\n\
         TE: trailers\r\nExpect: 100-continue\r\n\r\n"
    );
}

#[test]
fn connection_cannot_name_away_what_kubo_judges_by() {
    let named = "Connection: Origin, content-length, HOST, authorization\r\n\
                 Origin: http://evil\r\nContent-Length: 5\r\nAuthorization: b\r\n";
    let text = onward(&with_fields(named).unwrap(), &[]);
    for kept in ["Origin: http://evil", "Content-Length: 5", "Host: x", "Authorization: b"] {
        assert!(text.contains(kept), "{kept} is not in {text}");
    }
}

#[test]
fn more_names_in_connection_than_anybody_sends_are_refused() {
    let named = |count: usize| format!("Connection: {}\r\n", vec!["a"; count].join(","));
    assert!(with_fields(&named(32)).is_ok());
    for fields in [named(33), named(20).repeat(2), "Connection: a\r\n".repeat(33)] {
        assert_eq!(with_fields(&fields).unwrap_err(), HeadError::TooManyFields);
    }
}

#[test]
fn a_client_waits_for_leave_where_go_finds_the_word() {
    let waits = |value: &str| {
        with_fields(&format!("Content-Length: 1\r\nExpect: {value}\r\n"))
            .unwrap()
            .expects_continue()
    };
    assert!(waits("100-Continue") && waits("x, 100-continue") && waits("x 100-continue"));
    assert!(!waits("100-continued"));
}

#[test]
fn an_observed_request_is_http_11_whatever_the_client_speaks() {
    let asked = |text: &str| {
        let mut out = Vec::new();
        request(text).unwrap().copy_onward_in_11(&mut out, None, &[]);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(
        asked("POST /a HTTP/1.0\r\nConnection: keep-alive\r\nX-A: 1\r\n\r\n"),
        "POST /a HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\n\r\n"
    );
    let named = "POST /a HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(asked(&named.replace("HTTP/1.1", "HTTP/1.0")), named);
}

#[test]
fn replaced_values_go_onward_in_place() {
    let head = with_fields("origin: http://127.0.0.1:9095\r\nX-B: 2\r\n").unwrap();
    let text = onward(&head, &[("Origin", b"http://127.0.0.1:5001")]);
    assert!(text.ends_with("Host: x\r\norigin: http://127.0.0.1:5001\r\nX-B: 2\r\n\r\n"));
}

#[test]
fn who_closes_depends_on_version_and_connection() {
    let closes = |text: &str| request(text).unwrap().wants_close();
    assert!(closes("GET / HTTP/1.0\r\n\r\n"));
    assert!(!closes("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
    assert!(closes("GET / HTTP/1.1\r\nHost: x\r\nConnection: te, close\r\n\r\n"));
    assert!(!closes("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
}

#[test]
fn answers_end_as_their_request_and_status_say() {
    let framing = |fields: &str, method: &[u8]| answer(fields, method).unwrap().framing();
    assert_eq!(framing("Content-Length: 3\r\n", b"POST"), Framing::Length(3));
    assert_eq!(framing("Content-Length: 3\r\n", b"HEAD"), Framing::None);
    assert_eq!(framing("Content-Length: 0\r\n", b"CONNECT"), Framing::None);
    assert_eq!(framing("", b"POST"), Framing::UntilClose);
    assert!(answer("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", b"POST").is_err());
    for status in ["100 Continue", "103 Early Hints", "204 No Content", "304 Not Modified"] {
        let text = format!("HTTP/1.1 {status}\r\nContent-Length: 3\r\n\r\n");
        let (head, _) = ResponseHead::parse(text.as_bytes(), b"GET").unwrap().unwrap();
        assert_eq!(head.framing(), Framing::None, "{status}");
    }
}

#[test]
fn an_answers_head_goes_onward_with_our_connection_field() {
    let head =
        answer("Server: kubo\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n", b"GET");
    let mut out = Vec::new();
    head.unwrap().copy_onward(&mut out, &[], Some(b"close"));
    let text = "HTTP/1.1 200 OK\r\nServer: kubo\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), text);
    let (head, _) = ResponseHead::parse(b"HTTP/1.1 200\r\nA: b\r\n\r\n", b"GET").unwrap().unwrap();
    assert_eq!((head.status(), head.reason()), (200, &b""[..]));
}

proptest! {
    #[test]
    fn parsing_never_panics_and_takes_no_byte_of_the_body(bytes in any::<Vec<u8>>()) {
        let mut text = b"POST /x HTTP/1.1\r\nHost: y\r\n".to_vec();
        text.extend_from_slice(&bytes);
        text.extend_from_slice(b"\r\n\r\nbody");
        if let Ok(Some((head, length))) = RequestHead::parse(&text) {
            prop_assert_eq!(head.length(), length);
            prop_assert!(text[..length].ends_with(b"\r\n\r\n"));
        }
        let _parsed = ResponseHead::parse(&bytes, b"POST");
    }

    #[test]
    fn what_goes_onward_is_read_as_the_same_message(
        fields in proptest::collection::vec(("[A-Za-z-]{1,12}", "[ -~\t]{0,20}"), 0..8)
    ) {
        let lines: String = fields.iter().map(|(n, v)| format!("{n}:{v}\r\n")).collect();
        if let Ok(head) = with_fields(&lines) {
            let again = request(&onward(&head, &[])).unwrap();
            prop_assert_eq!(again.framing(), head.framing());
            prop_assert_eq!(again.target(), head.target());
        }
    }

    #[test]
    fn a_head_in_pieces_waits_for_its_end(cut in 0_usize..48) {
        let text = b"POST /api/v0/id?a=b HTTP/1.1\r\nHost: x\r\nA: 1\r\n\r\n";
        prop_assert!(RequestHead::parse(&text[..cut.min(text.len() - 1)]).unwrap().is_none());
    }
}

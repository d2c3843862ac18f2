//! Web pages of strangers: refused as Kubo refuses them, on every intercepted path, and nothing changes.

use harness::http::Client;
use harness::stack::Stack;

use crate::wire::{form, upload};

/// What a browser sends along when a page of another site makes the request.
const PAGES: [(&str, &str); 5] = [
    ("a page", "Origin: http://evil.example\r\nUser-Agent: Mozilla/5.0 (X11) Firefox/140.0\r\n"),
    ("a page without a browser's name", "Origin: http://evil.example\r\n"),
    ("a sandboxed page", "Origin: null\r\nUser-Agent: Mozilla/5.0 (X11) Firefox/140.0\r\n"),
    ("a page that only refers", "Referer: http://evil.example/page\r\n"),
    ("a browser that says nothing of the page", "User-Agent: Mozilla/5.0 (X11) Firefox/140.0\r\n"),
];

/// Every intercepted path, in every spelling that Kubo takes; `PINNED` and `OTHER` are CIDs.
const TARGETS: [&str; 22] = [
    "/api/v0/add",
    "/api/v0/add/",
    "/api/v0/add?pin=false",
    "/api/v0/%61dd?to-files=/evil",
    "/api/v0/pin/add?arg=OTHER",
    "/api/v0/pin/add/OTHER",
    "/api/v0/pin%2Fadd?arg=OTHER&progress=true",
    "/api/v0/pin/rm?arg=PINNED",
    "/api/v0/pin/rm/PINNED",
    "/api/v0/pin/ls",
    "/api/v0/pin/ls?type=recursive&stream=true",
    "/api/v0/pin/update?arg=PINNED&arg=OTHER",
    "/api/v0/pin/update/PINNED?arg=OTHER",
    "/api/v0/repo/stat",
    "/api/v0/stats/repo?size-only=true",
    "/api/v0/repo/gc",
    "/api/v0/repo/gc/",
    "/api/v0/block/put?pin=true",
    "/api/v0/block/put/?pin=t",
    "/api/v0/dag/put?pin=true",
    "/api/v0/dag/import",
    "/api/v0/dag/import?pin-roots=true",
];

/// All that a request of a page could change.
fn state(client: &Client) -> Vec<String> {
    let parts = ["pin/ls?names=true", "refs/local", "files/ls?arg=/"];
    parts.map(|part| client.post(&format!("/api/v0/{part}")).unwrap().text()).to_vec()
}

struct Fixture {
    stack: Stack,
    pinned: String,
    other: String,
}

fn fixture() -> Fixture {
    let stack = Stack::start().unwrap();
    let cid = |target: &str, content: &[u8]| {
        let answer = upload(&stack.client(), target, content);
        let line: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        line["Hash"].as_str().unwrap().to_owned()
    };
    let pinned = cid("/api/v0/add", b"pinned before the page came");
    let other = cid("/api/v0/add?pin=false", b"there, but not pinned");
    Fixture { stack, pinned, other }
}

impl Fixture {
    fn target(&self, pattern: &str) -> String {
        pattern.replace("PINNED", &self.pinned).replace("OTHER", &self.other)
    }
}

#[test]
fn a_page_of_a_stranger_is_refused_everywhere_and_changes_nothing() {
    let fixture = fixture();
    let (proxyd, kubo) = (fixture.stack.client(), Client::tcp(fixture.stack.kubo.port()));
    let before = state(&proxyd);
    for (page, headers) in PAGES {
        for target in TARGETS.map(|pattern| fixture.target(pattern)) {
            let answer = form(&proxyd, "POST", &target, headers);
            assert_eq!(
                (answer.status, answer.text().as_str()),
                (403, "403 - Forbidden\n"),
                "{page}: {target}"
            );
            let kubos = form(&kubo, "POST", &target, headers);
            let without_date = |mut headers: Vec<(String, String)>| {
                headers.retain(|(name, _)| name != "Date");
                headers
            };
            assert_eq!(
                without_date(answer.headers),
                without_date(kubos.headers),
                "{page}: {target}"
            );
        }
    }
    assert_eq!(state(&proxyd), before);
}

#[test]
fn links_and_images_cannot_call_anything() {
    let fixture = fixture();
    let proxyd = fixture.stack.client();
    let before = state(&proxyd);
    for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH"] {
        for target in TARGETS.map(|pattern| fixture.target(pattern)) {
            for (page, headers) in [("no page", ""), PAGES[0]] {
                let answer = form(&proxyd, method, &target, headers);
                assert_eq!(answer.status, 405, "{method} by {page}: {target}");
                assert_eq!(
                    answer.header("Allow"),
                    Some("OPTIONS, POST"),
                    "{method} by {page}: {target}"
                );
            }
        }
    }
    assert_eq!(state(&proxyd), before);
}

#[test]
fn preflights_of_strangers_get_no_permission() {
    let fixture = fixture();
    let proxyd = fixture.stack.client();
    let asks = "Origin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n";
    for target in TARGETS.map(|pattern| fixture.target(pattern)) {
        let answer = proxyd.call("OPTIONS", &target, asks).unwrap();
        assert_eq!(answer.status, 204, "{target}");
        assert_eq!(answer.header("Access-Control-Allow-Origin"), None, "{target}");
    }
}

#[test]
fn the_proxys_own_pages_may_do_what_kubos_own_may() {
    let fixture = fixture();
    let proxyd = fixture.stack.client();
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        let origin = format!("http://{host}:{}", fixture.stack.port());
        for target in ["/api/v0/pin/ls", "/api/v0/id"] {
            let answer = proxyd.call("POST", target, &format!("Origin: {origin}\r\n")).unwrap();
            assert_eq!(answer.status, 200, "{origin} {target}");
            assert_eq!(
                answer.header("Access-Control-Allow-Origin"),
                Some(origin.as_str()),
                "{target}"
            );
        }
    }
}

//! The page over HTTP: on the control socket and on its port, for whom, and while Kubo hangs.

use std::time::{Duration, Instant};

use harness::daemon::proxy_socket;
use harness::http::{Answer, Client};

use crate::stage::{HOSTILE_PEER, HOSTILE_PIN, Stage};

/// Its limits for what it asks are below 4 s; the rest is for a loaded machine.
const HUNG_MAX: Duration = Duration::from_secs(15);

fn get(client: &Client, target: &str) -> Answer {
    client.call("GET", target, "").unwrap()
}

#[test]
fn the_page_is_on_the_control_socket_and_on_a_port_of_its_own() {
    let stage = Stage::start();
    let (control, tcp) = (stage.ours.control(), Client::tcp(stage.port.number()));
    for client in [&control, &tcp] {
        its_headers_let_nothing_else_in(client);
        it_tells_of_all_and_escapes_it(client);
        it_can_only_be_read(client);
    }
    the_port_has_nothing_else(&tcp);
    names_of_other_machines_are_refused(&tcp);
    pages_of_other_sites_are_refused(&tcp);
    let proxy = Client::unix(&proxy_socket(stage.ours.directory()));
    assert_eq!(get(&proxy, "/status").status, 404);
    a_hung_kubo_does_not_hang_it(&stage, &tcp);
}

fn its_headers_let_nothing_else_in(client: &Client) {
    let files = [
        ("/status", "text/html; charset=utf-8"),
        ("/status/style.css", "text/css; charset=utf-8"),
        ("/status/script.js", "text/javascript; charset=utf-8"),
        ("/status/icon.svg", "image/svg+xml"),
    ];
    for (target, kind) in files {
        let answer = get(client, target);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{target}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{target}: {policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{target}: {policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{target}");
        }
    }
}

fn it_tells_of_all_and_escapes_it(client: &Client) {
    let page = get(client, "/status").text();
    for words in ["Cluster <bdi>ipfs-cluster</bdi>", "<svg ", "<table>", "alpha", "pin error"] {
        assert!(page.contains(words), "no {words} in {page}");
    }
    for hostile in [HOSTILE_PEER, HOSTILE_PIN, "<img", "alert(1)</script>"] {
        assert!(!page.contains(hostile), "{hostile} is not escaped in {page}");
    }
    for escaped in ["&lt;script&gt;alert(1)&lt;/script&gt;", "&lt;img src=x onerror=alert(2)&gt;"] {
        assert!(page.contains(escaped), "no {escaped} in {page}");
    }
    // All of its script and style are files of their own, as its policy demands.
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" onload="));
}

fn it_can_only_be_read(client: &Client) {
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = client.call(method, "/status", "").unwrap();
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    let head = client.call("HEAD", "/status", "").unwrap();
    assert_eq!((head.status, head.body.len()), (200, 0));
}

fn the_port_has_nothing_else(tcp: &Client) {
    for target in ["/id", "/pins", "/metrics", "/composite/health", "/status/", "/status/../id"] {
        assert_eq!(get(tcp, target).status, 404, "{target}");
    }
    let start = get(tcp, "/");
    assert_eq!((start.status, start.header("location")), (307, Some("/status")));
}

fn names_of_other_machines_are_refused(tcp: &Client) {
    let status = |target: &str, host: &str| {
        let mut connection = tcp.connect().unwrap();
        let request = format!("GET {target} HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
        connection.send(request.as_bytes()).unwrap();
        connection.answer(false).unwrap().status
    };
    for name in ["127.0.0.1", "127.0.0.1:9097", "[::1]:9097", "localhost", "LOCALHOST:1"] {
        assert_eq!(status("/status", &format!("Host: {name}\r\n")), 200, "{name}");
    }
    for name in ["evil.example", "evil.example:9097", "127.0.0.1.evil.example", "10.0.0.1", ""] {
        for target in ["/status", "/status/script.js", "/", "/id"] {
            assert_eq!(status(target, &format!("Host: {name}\r\n")), 421, "{target} of {name}");
        }
    }
    assert_eq!(status("/status", ""), 421);
    assert_eq!(status("/status", "Host: localhost\r\nHost: evil.example\r\n"), 421);
    assert_eq!(status("http://evil.example/status", "Host: localhost\r\n"), 421);
}

fn pages_of_other_sites_are_refused(tcp: &Client) {
    let status = |target: &str, site: &str| {
        tcp.call("GET", target, &format!("Sec-Fetch-Site: {site}\r\n")).unwrap().status
    };
    for site in ["none", "same-origin", "same-site"] {
        assert_eq!(status("/status", site), 200, "{site}");
    }
    for target in ["/status", "/status/style.css", "/", "/id"] {
        assert_eq!(status(target, "cross-site"), 403, "{target}");
    }
}

fn a_hung_kubo_does_not_hang_it(stage: &Stage, tcp: &Client) {
    stage.ours.kubo.freeze();
    let begin = Instant::now();
    let page = harness::wait::until("the page to tell of Kubo", HUNG_MAX, || {
        let page = get(tcp, "/status").text();
        page.contains("no answer within 2 s").then_some(page)
    });
    let taken = begin.elapsed();
    stage.ours.kubo.thaw();
    let page = page.unwrap();
    assert!(page.contains("alpha") && page.contains("in the pinset"), "{page}");
    println!("with Kubo hung, the page took {taken:?}");
}

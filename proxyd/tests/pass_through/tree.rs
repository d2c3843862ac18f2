//! `cluster/tree` between a raw client and a scripted clusterd.

use serde_json::Value;

use crate::clusterd::Clusterd;
use crate::stage::{OK, Proxyd, always_ok, post};

const ID: &str = "0123456789abcdef0123456789abcdef";
const CID: &str = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG";

fn tree() -> String {
    let fields =
        r#""is_above":false,"replication_min":-1,"replication_max":-1,"pins":3,"peers":[]"#;
    format!(r#"{{"id":"{ID}","name":"sub",{fields}}}"#)
}

#[test]
fn the_tree_is_clusterds_own_and_so_is_the_query() {
    let clusterd = Clusterd::answering(|_| ("200 OK", tree()));
    let proxyd = Proxyd::start(always_ok(), &clusterd.setting());
    let mut client = proxyd.connect();
    client.send(post(&format!(
        "/api/v0/cluster/tree?above={ID},{ID}&cid={CID}&within_ms=5000&shallow=true"
    )));
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Type: application/json\r\n"), "{head}");
    let body = client.until("\r\n0\r\n\r\n");
    let line = body.lines().nth(1).unwrap();
    assert_eq!(serde_json::from_str::<Value>(line).unwrap()["name"], "sub");
    let asked = format!(
        "GET /composite/tree?above={ID}%2C{ID}&cid={CID}&within_ms=5000&shallow=true HTTP/1.1"
    );
    assert_eq!(clusterd.asked(), asked);
    client.send(post("/api/v0/cluster/tree"));
    client.until("\r\n0\r\n\r\n");
    assert_eq!(clusterd.asked(), "GET /composite/tree HTTP/1.1");
}

#[test]
fn a_bad_query_is_refused_with_what_is_wrong_and_clusterd_is_not_asked() {
    let proxyd = Proxyd::start(always_ok(), "cluster = \"/nonexistent/c.sock\"");
    let deep = [ID; 9].join(",");
    for (query, part) in [
        ("above=zz", "32 hex digits"),
        (&format!("above={ID},"), "32 hex digits"),
        (&format!("above={deep}"), "more than 8 clusters"),
        ("cid=x", "cid: "),
        ("within_ms=-1", "no number of milliseconds"),
    ] {
        let mut client = proxyd.connect();
        client.send(post(&format!("/api/v0/cluster/tree?{query}")));
        let answer = client.until("\r\n0\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{query}: {answer}");
        let body = answer.lines().find(|line| line.starts_with('{')).unwrap();
        let error: Value = serde_json::from_str(body).unwrap();
        assert!(error["Message"].as_str().unwrap().contains(part), "{query}: {error}");
        assert_eq!((&error["Code"], &error["Type"]), (&Value::from(0), &Value::from("error")));
    }
}

#[test]
fn a_clusterd_that_is_away_or_speaks_otherwise_is_named() {
    let away = Proxyd::start(always_ok(), "cluster = \"/nonexistent/c.sock\"");
    let other = Clusterd::answering(|_| ("200 OK", r#"{"id":"zz"}"#.to_owned()));
    let old = Clusterd::answering(|_| {
        ("404 Not Found", r#"{"code":404,"message":"no such verb"}"#.to_owned())
    });
    let others = [other, old].map(|it| (Proxyd::start(always_ok(), &it.setting()), it));
    for (proxyd, part) in [
        (&away, "cannot reach clusterd at /nonexistent/c.sock"),
        (&others[0].0, "cannot understand clusterd's answer"),
        (&others[1].0, "no such verb"),
    ] {
        let mut client = proxyd.connect();
        client.send(post("/api/v0/cluster/tree"));
        let answer = client.until("\r\n0\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains(part), "{answer}");
    }
}

#[test]
fn what_else_is_below_the_prefix_is_kubos_to_answer() {
    let proxyd = Proxyd::start(always_ok(), "cluster = \"/nonexistent/c.sock\"");
    for path in ["/api/v0/cluster", "/api/v0/cluster/other", "/api/v0/cluster/tree/a/b"] {
        let mut client = proxyd.connect();
        client.send(post(path));
        assert_eq!(client.until("ok"), OK, "{path}");
    }
}

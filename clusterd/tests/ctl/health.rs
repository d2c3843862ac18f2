//! `health`, `metrics` and `graph` on the screen and for programs.

use crate::fake::{Fake, reply};

const A: &str = "12D3KooWPU2wk6iUQAcXnhcPm7z5TzpGe6fe9HZYrmDfWz3FJCHt";
const B: &str = "12D3KooWSUmugQVfogFSJyTSqNpXmGmreFgPncRsbcuQyASKoN6G";

fn health(alerts: usize) -> String {
    let summary = r#"{"peername":"alpha","version":"1","pins":7,"running":1,"waiting":2,"ipfs_reachable":true}"#;
    let alert = format!(
        r#"{{"name":"ping","peer":"{B}","value":"","expire":1764245100000000000,"valid":true,"weight":0,"#
    ) + r#""partitionable":false,"received_at":1764245070000000000,"triggered_at":"2025-11-27T12:05:10Z"}"#;
    let alerts = vec![alert; alerts].join(",");
    format!(
        r#"{{"summary":{summary},"peers":[{{"peer":"{A}","peername":"alpha","member":true,"freespace":1073741824,"pinqueue":3,"tags":{{"group":"a"}}}},{{"peer":"{B}","peername":"be\u001bta","member":false,"silent_since":"2020-01-01T00:00:00Z","pinged":"2020-01-01T00:00:00Z"}}],"alerts":[{alerts}]}}"#
    )
}

#[test]
fn one_screen_names_who_is_silent_and_what_ran_out() {
    let fake = Fake::new(|line, stream| {
        assert_eq!(line, "GET /composite/health HTTP/1.1");
        reply(stream, 200, &health(13));
    });
    let ran = fake.run(&["health"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for words in [
        "alpha · 7 pins · 1 running · 2 waiting",
        "1 of 2 peers are members",
        "1 GiB",
        "group=a",
        "silent for ",
        "and 3 older ones",
    ] {
        assert!(ran.out.contains(words), "{words} is not in\n{}", ran.out);
    }
    assert!(!ran.out.contains('\u{1b}') && ran.out.contains("be\u{fffd}ta"), "{}", ran.out);
    let ran = fake.run(&["--json", "health"]);
    let parsed: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(parsed["alerts"].as_array().unwrap().len(), 13);
}

#[test]
fn a_metric_that_nobody_tells_is_an_empty_list_with_a_hint() {
    let fake = Fake::new(|line, stream| match line {
        "GET /monitor/metrics/tag%3Agroup HTTP/1.1" => reply(stream, 200, "[]"),
        "GET /composite/health HTTP/1.1" => reply(stream, 200, &health(0)),
        other => panic!("was called: {other}"),
    });
    let ran = fake.run(&["metrics", "tag:group"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    assert!(ran.err.contains("clusterdctl metrics"), "{}", ran.err);
}

#[test]
fn a_peer_that_did_not_answer_is_named_beside_the_picture() {
    let graph = format!(
        r#"{{"cluster_id":"{A}","id_to_peername":{{"{A}":"alpha"}},"ipfs_links":{{}},"cluster_links":{{"{A}":["{B}"],"{B}":[]}},"cluster_trust_links":{{"{A}":true,"{B}":true}},"cluster_to_ipfs":{{}}}}"#
    );
    let fake = Fake::new(move |line, stream| {
        assert_eq!(line, "GET /health/graph HTTP/1.1");
        reply(stream, 200, &graph);
    });
    for (option, begin) in [("--dot", "digraph cluster {"), ("--svg", "<svg ")] {
        let ran = fake.run(&["graph", option]);
        assert!(ran.code == 0 && ran.out.starts_with(begin), "{}{}", ran.out, ran.err);
        assert!(ran.err.contains(B) && !ran.err.contains(A), "{}", ran.err);
    }
    let table = fake.run(&["graph"]).out;
    let row = table.lines().find(|line| line.contains(B)).unwrap();
    assert!(row.contains("did not answer") && row.contains("1 of 1"), "{table}");
    assert_eq!(fake.run(&["graph", "--dot", "--svg"]).code, 64);
    assert_eq!(fake.run(&["--json", "graph", "--svg"]).code, 64);
}

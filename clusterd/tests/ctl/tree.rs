//! `tree` on the screen, as a picture, and for programs.

use super::CID;
use crate::fake::{Fake, reply};

const PEER: &str = "12D3KooWPU2wk6iUQAcXnhcPm7z5TzpGe6fe9HZYrmDfWz3FJCHt";

/// A main cluster over one sub-cluster, with a pin that so many hold.
fn told(held: u64) -> String {
    let pin = format!(
        r#""pin":{{"is_recorded":true,"name":"n","needed":1,"allocated":1,"held":{held}}}"#
    );
    let state = if held > 0 {
        r#"{"status":"pinned"}"#
    } else {
        r#"{"status":"pinning","progress":{"nodes":13,"bytes":0}}"#
    };
    let peer = |name: &str, daemon: &str| {
        format!(
            r#"{{"peer":"{PEER}","name":"{name}","is_member":true,"free":1024,"pin":{state},"daemon":{daemon}}}"#
        )
    };
    let cluster = |digit: &str, name: &str, peer: &str| {
        let id = digit.repeat(32);
        format!(
            r#"{{"id":"{id}","name":"{name}","replication_min":1,"replication_max":1,"pins":1,{pin},"peers":[{peer}]}}"#
        )
    };
    let kubo = format!(r#"{{"kind":"kubo","id":"{PEER}"}}"#);
    let sub = cluster("b", "su\\u001bb", &peer("below", &kubo));
    cluster("a", "main", &peer("above", &format!(r#"{{"kind":"cluster","tree":{sub}}}"#)))
}

#[test]
fn each_level_has_a_line_that_tells_how_far_the_pin_is() {
    let fake = Fake::new(|line, stream| {
        let target = format!("/composite/tree?within_ms=10000&cid={CID}");
        assert_eq!(line, format!("GET {target} HTTP/1.1"));
        reply(stream, 200, &told(1));
    });
    let ran = fake.run(&["tree", CID]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(
        lines,
        [
            "cluster main: ok · 1 copy · 1 pin · pinned 1/1 “n”",
            "└─ above: pinned · 1 KiB free",
            "   └─ cluster su\u{fffd}b: ok · 1 copy · 1 pin · pinned 1/1 “n”",
            &format!("      └─ below: pinned · 1 KiB free · Kubo {PEER}"),
        ]
    );
}

#[test]
fn a_script_learns_whether_the_pin_is_held() {
    let fake = Fake::new(|_, stream| reply(stream, 200, &told(0)));
    let ran = fake.run(&["tree", CID]);
    assert!(ran.code == 2 && ran.out.contains("above: pinning 13 nodes"), "{}", ran.out);
    let ran = fake.run(&["--json", "tree", CID]);
    let tree: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &tree["peers"][0]["daemon"]["kind"]), (2, &"cluster".into()));
    let ran = fake.run(&["tree", "--svg", CID]);
    assert!(ran.code == 2 && ran.out.starts_with("<svg "), "{}", ran.out);
    assert!(ran.out.contains("pinning 13 nodes") && ran.out.ends_with("</svg>\n"), "{}", ran.out);
    // Without a pin asked for, there is nothing that could be missing.
    assert_eq!(fake.run(&["tree"]).code, 0);
}

#[test]
fn time_is_left_for_the_answer() {
    let fake = Fake::new(|line, stream| {
        assert_eq!(line, "GET /composite/tree?within_ms=3000 HTTP/1.1");
        reply(stream, 200, &told(1));
    });
    assert_eq!(fake.run(&["--timeout", "4s", "tree"]).code, 0);
}

#[test]
fn what_is_no_cid_and_two_forms_at_once_are_refused_before_anything_is_sent() {
    let fake = Fake::new(|line, _| panic!("was called: {line}"));
    for (words, said) in [
        (&["tree", "no-cid"][..], "no-cid"),
        (&["tree", "/ipfs/x"], "no paths"),
        (&["--json", "tree", "--svg"], "another form"),
    ] {
        let ran = fake.run(words);
        assert!(ran.code == 64 && ran.err.contains(said), "{}", ran.err);
    }
}

#[test]
fn a_clusterd_that_is_older_gives_a_clear_error() {
    let fake = Fake::new(|_, stream| reply(stream, 404, r#"{"code":404,"message":"not found"}"#));
    let ran = fake.run(&["tree"]);
    assert!(ran.code != 0 && ran.err.contains("not found"), "{}", ran.err);
}

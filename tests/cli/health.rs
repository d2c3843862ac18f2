//! What an operator sees of one machine.

use harness::stack::Stack;
use harness::wait;
use serde_json::Value;

/// Runs clusterdctl, which must succeed.
fn ok(stack: &Stack, args: &[&str]) -> String {
    let output = stack.clusterdctl().unwrap().args(args).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "clusterdctl {args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_operator_sees_this_peer_and_its_metrics() {
    let stack = Stack::start().unwrap();
    // The first ping is told at once, the first look at Kubo takes a moment.
    let health = wait::until("free space in `health`", wait::START_MAX, || {
        let health: Value = serde_json::from_str(&ok(&stack, &["--json", "health"])).unwrap();
        health["peers"][0]["freespace"].is_u64().then_some(health)
    });
    let health = health.unwrap();
    let peer = &health["peers"][0];
    assert_eq!((&peer["peername"], &peer["member"]), (&"tester".into(), &true.into()));
    assert_eq!((&peer["tags"]["group"], &peer["pinqueue"]), (&"default".into(), &0.into()));
    assert_eq!(health["alerts"], Value::Array(Vec::new()));
    let screen = ok(&stack, &["health"]);
    for words in ["tester · 0 pins", "1 of 1 peers are members", "group=default", "no alerts"] {
        assert!(screen.contains(words), "{words} is not in\n{screen}");
    }
    let names = ok(&stack, &["metrics"]);
    assert_eq!(Vec::from_iter(names.lines()), ["freespace", "ping", "pinqueue", "tag:group"]);
    let ping = ok(&stack, &["metrics", "ping"]);
    assert!(ping.contains("tester") && ping.contains("ipfs_id"), "{ping}");
    let metric: Value =
        serde_json::from_str(&ok(&stack, &["--json", "metrics", "pinqueue"])).unwrap();
    assert_eq!((&metric["name"], &metric["value"]), (&"pinqueue".into(), &"0".into()));
    assert!(metric["expire"].as_i64().unwrap() > metric["received_at"].as_i64().unwrap());

    let graph: Value = serde_json::from_str(&ok(&stack, &["--json", "graph"])).unwrap();
    let id = graph["cluster_id"].as_str().unwrap();
    let kubo = stack.ipfs().ok(&["id", "-f", "<id>"]).unwrap();
    assert_eq!(graph["cluster_to_ipfs"][id], Value::from(kubo.as_str()));
    assert!(ok(&stack, &["graph"]).contains(&kubo));
    assert!(ok(&stack, &["graph", "--dot"]).contains("p0 -> k0 [style=dashed, dir=none];"));
    assert!(ok(&stack, &["graph", "--svg"]).contains(">tester</text>"));
}

//! What an operator and Prometheus see of one machine.

use harness::http::Client;
use harness::ports::Port;
use harness::stack::{Stack, StackSetup};
use harness::wait;
use serde_json::Value;

/// Runs clusterdctl, which must succeed.
fn ok(stack: &Stack, args: &[&str]) -> String {
    let output = stack.clusterdctl().unwrap().args(args).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "clusterdctl {args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The value of a figure without labels.
fn figure(page: &str, name: &str) -> f64 {
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{name} is not in\n{page}")).parse().unwrap()
}

fn page(client: &Client) -> String {
    let answer = client.call("GET", "/metrics", "").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let kind = answer.header("content-type").unwrap();
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    answer.text()
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

#[test]
fn figures_follow_what_happens_and_their_port_has_nothing_else() {
    let port = Port::reserve().unwrap();
    let clusterd = format!("[metrics]\nlisten = \"/ip4/127.0.0.1/tcp/{}\"\n", port.number());
    let mut stack = Stack::start_with(&StackSetup { clusterd, ..StackSetup::default() }).unwrap();
    let metrics = Client::tcp(port.number());
    let before = page(&metrics);
    assert_eq!((figure(&before, "clusterd_pins"), figure(&before, "clusterd_members")), (0.0, 1.0));
    assert_eq!(figure(&before, "clusterd_ipfs_up"), 1.0);
    assert!(figure(&before, "process_resident_memory_bytes") > 1e6);
    assert!(figure(&before, "clusterd_store_bytes") > 0.0);
    std::fs::write(stack.directory().join("one"), "counted").unwrap();
    stack.ipfs().ok(&["add", "-Q", "one"]).unwrap();
    wait::until("the pin among the figures", wait::START_MAX, || {
        (figure(&page(&stack.control()), "clusterd_pins") == 1.0).then_some(())
    })
    .unwrap();
    for (method, target) in [("GET", "/id"), ("GET", "/pins"), ("POST", "/metrics"), ("GET", "/")] {
        assert_eq!(metrics.call(method, target, "").unwrap().status, 404, "{method} {target}");
    }
    stack.kubo.stop().unwrap();
    assert_eq!(figure(&page(&metrics), "clusterd_ipfs_up"), 0.0);
    // The port is free again at once after a stop.
    stack.clusterd.stop().unwrap();
    stack.clusterd.start().unwrap();
    assert_eq!(figure(&page(&metrics), "clusterd_pins"), 1.0);
}

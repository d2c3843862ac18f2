//! Go's `health` commands at a peer of ours and at one of Go's, and what is said of one that falls silent.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use harness::cluster::Cluster;
use harness::http::Client;
use harness::{go_cluster, peers, wait};
use nix::sys::signal::Signal;
use serde_json::Value;

/// A ping of ours holds for 30 s, one of Go's here for 4 s; on a loaded machine one may be late, so
/// what needs both peers is waited for.
const SILENT_MAX: Duration = Duration::from_secs(120);

/// Peers are given 15 s to answer.
const GRAPH_MAX: Duration = Duration::from_secs(25);

fn get(control: &Client, target: &str) -> Value {
    let answer = control.call("GET", target, "").unwrap();
    assert_eq!(answer.status, 200, "{target}: {}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

/// Runs a command of `ipfs-cluster-ctl`, which must succeed.
fn said(mut ctl: Command, args: &[&str]) -> String {
    let output = ctl.args(args).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ipfs-cluster-ctl {args:?}: {text}{errors}");
    text
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap_or_else(|| panic!("{value}")).keys().map(String::as_str).collect()
}

/// Lines of the daemon's log with these words.
fn lines(cluster: &Cluster, words: &str) -> Vec<String> {
    let log = cluster.rust[0].stack.clusterd.program().unwrap().log_text();
    log.lines().filter(|line| line.contains(words)).map(str::to_owned).collect()
}

#[test]
fn gos_health_commands_show_the_same_at_ours_as_at_gos() {
    let mut cluster = Cluster::start(1, 1).unwrap();
    let ids = [cluster.rust[0].id().unwrap(), cluster.go[0].id().unwrap()];
    let both = [cluster.rust[0].stack.control(), cluster.go[0].control().unwrap()];
    graphs_are_equal(&both, &ids);
    metrics_have_one_shape(&both);
    bandwidth_has_one_shape(&both);
    gos_command_line_shows_them(&cluster, &ids);
    a_silent_peer_is_told_of_once_and_is_back(&mut cluster, &ids[1]);
}

fn graphs_are_equal(both: &[Client; 2], ids: &[String; 2]) {
    let linked = |control: &Client| {
        let graph = get(control, "/health/graph");
        let links = ids.iter().map(|id| graph["cluster_links"][id].as_array());
        let are_linked = links.into_iter().all(|links| links.is_some_and(|one| one.len() == 1));
        let kubos = graph["cluster_to_ipfs"].as_object().is_some_and(|kubos| kubos.len() == 2);
        (are_linked && kubos).then_some(graph)
    };
    let graphs = || Some([linked(&both[0])?, linked(&both[1])?]);
    let [ours, gos] = wait::until("both graphs", SILENT_MAX, graphs).unwrap();
    assert_eq!(keys(&ours), keys(&gos));
    for key in ["cluster_links", "cluster_trust_links", "cluster_to_ipfs", "id_to_peername"] {
        assert_eq!(ours[key], gos[key], "{key}");
    }
    assert_eq!(keys(&ours["ipfs_links"]), keys(&gos["ipfs_links"]));
}

fn metrics_have_one_shape(both: &[Client; 2]) {
    for name in ["ping", "freespace", "tag:group"] {
        let target = format!("/monitor/metrics/{name}");
        let metrics = |control: &Client| {
            let metrics = get(control, &target);
            (metrics.as_array()?.len() == 2).then_some(metrics)
        };
        let of_both = || Some([metrics(&both[0])?, metrics(&both[1])?]);
        let [ours, gos] = wait::until(name, SILENT_MAX, of_both).unwrap();
        assert_eq!(keys(&ours[0]), keys(&gos[0]));
    }
    let our_names = get(&both[0], "/monitor/metrics");
    for name in get(&both[1], "/monitor/metrics").as_array().unwrap() {
        assert!(our_names.as_array().unwrap().contains(name), "{name} is not in {our_names}");
    }
}

fn bandwidth_has_one_shape(both: &[Client; 2]) {
    for control in both {
        let bandwidth = get(control, "/health/bandwidth");
        let rpc = &bandwidth["/ipfscluster/1.0/rpc"];
        assert_eq!(keys(rpc), ["rate_in", "rate_out", "total_in", "total_out"].into());
        for key in ["total_in", "total_out"] {
            assert!(rpc[key].as_u64().unwrap() > 100, "{control:?}: {bandwidth}");
        }
        assert!(keys(&bandwidth).iter().any(|name| name.starts_with("/meshsub/")), "{bandwidth}");
    }
}

fn gos_command_line_shows_them(cluster: &Cluster, ids: &[String; 2]) {
    let control = harness::daemon::control_socket(cluster.rust[0].stack.directory());
    let ctl = || go_cluster::ctl(&control).unwrap();
    let at_go = || {
        let mut ctl = Command::new(peers::cluster_ctl().unwrap());
        ctl.arg("--host").arg(cluster.go[0].rest_address().unwrap());
        ctl
    };
    wait::until("the same picture at both", SILENT_MAX, || {
        let ours = said(ctl(), &["health", "graph"]);
        let has_all = ids.iter().all(|id| ours.contains(&id[id.len() - 6..]))
            && ["rust-0", "go-0"].iter().all(|name| ours.contains(name))
            && !ours.contains("Errored");
        let gos = said(at_go(), &["health", "graph"]);
        (has_all && ours.matches("->").count() == gos.matches("->").count()).then_some(())
    })
    .unwrap();
    assert!(said(ctl(), &["health", "metrics"]).lines().any(|name| name == "pinqueue"));
    wait::until("both pings", SILENT_MAX, || {
        let ping = said(ctl(), &["health", "metrics", "ping"]);
        let lines = ids.iter().filter_map(|id| ping.lines().find(|line| line.contains(id)));
        (lines.filter(|line| line.contains(" from now")).count() == 2).then_some(())
    })
    .unwrap();
    let text = said(ctl(), &["--enc=json", "health", "metrics", "freespace"]);
    let metrics: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(metrics.as_array().unwrap().len(), 2, "{text}");
    assert!(said(ctl(), &["health", "bandwidth"]).contains("/ipfscluster/1.0/rpc: In: "));
    let text = said(ctl(), &["--enc=json", "health", "bandwidth"]);
    let parsed: Value = serde_json::from_str(&text).unwrap();
    assert!(parsed["/ipfscluster/1.0/rpc"]["total_in"].is_u64(), "{text}");
}

/// Each part of it waits for pings to run out, so it is part of one test.
fn a_silent_peer_is_told_of_once_and_is_back(cluster: &mut Cluster, go: &str) {
    let ours = cluster.rust[0].stack.control();
    cluster.go[0].kill().unwrap();
    let alerts = wait::until("the alert of the ping", SILENT_MAX, || {
        let alerts = get(&ours, "/health/alerts");
        let of_ping = |alert: &Value| alert["name"] == "ping" && alert["peer"] == go;
        alerts.as_array()?.iter().any(of_ping).then_some(alerts)
    });
    let alert = &alerts.unwrap()[0];
    assert!(alert["triggered_at"].is_string() && alert["expire"].is_i64(), "{alert}");
    let control = harness::daemon::control_socket(cluster.rust[0].stack.directory());
    let text = said(go_cluster::ctl(&control).unwrap(), &["health", "alerts"]);
    assert!(text.contains(&format!("{go}: ping. Expired at: ")), "{text}");
    let health = get(&ours, "/composite/health");
    let peers = health["peers"].as_array().unwrap();
    let silent = peers.iter().find(|peer| peer["peer"] == go).unwrap();
    assert_eq!((&silent["member"], &silent["peername"]), (&false.into(), &"go-0".into()));
    assert_ne!(silent["silent_since"], "0001-01-01T00:00:00Z");
    let page = ours.call("GET", "/metrics", "").unwrap().text();
    let gone = format!("clusterd_peer_member{{peer=\"{go}\",name=\"go-0\"}} 0");
    assert!(page.lines().any(|line| line == gone), "{gone} is not in\n{page}");
    assert!(page.lines().any(|line| line == "clusterd_members 1"), "{page}");
    // The members are shown each second.
    let told = || Some(lines(cluster, "a peer fell silent")).filter(|lines| !lines.is_empty());
    let warnings = wait::until("the line of the silence", SILENT_MAX, told).unwrap();
    assert!(warnings.iter().all(|line| line.contains("WARN") && line.contains(go)), "{warnings:?}");

    cluster.go[0].start().unwrap();
    let told = || Some(lines(cluster, "a peer that was silent is back")).filter(|l| !l.is_empty());
    let back = wait::until("the line of the return", SILENT_MAX, told).unwrap();
    assert!(back.iter().all(|line| line.contains("INFO") && line.contains(go)), "{back:?}");
    // Never two losses without a return between them.
    assert!(lines(cluster, "a peer fell silent").len() <= back.len() + 1);
}

#[test]
fn a_graph_does_not_wait_for_a_peer_that_hangs_and_names_it() {
    let cluster = Cluster::start(2, 0).unwrap();
    let [own, other] = [0, 1].map(|place| cluster.rust[place].id().unwrap());
    let control = cluster.rust[0].stack.control();
    wait::until("the other in the graph", SILENT_MAX, || {
        let graph = get(&control, "/health/graph");
        (graph["cluster_links"][&other] == Value::from(vec![own.as_str()])).then_some(())
    })
    .unwrap();
    let hanging = cluster.rust[1].stack.clusterd.program().unwrap();
    hanging.signal(Signal::SIGSTOP);
    let asked = Instant::now();
    let answer = control.call("GET", "/health/graph", "");
    let took = asked.elapsed();
    hanging.signal(Signal::SIGCONT);
    let answer = answer.unwrap();
    assert!(took < GRAPH_MAX, "{took:?}");
    assert_eq!(answer.header("x-cluster-missing"), Some(other.as_str()));
    let graph: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(graph["cluster_links"][&other], Value::Array(Vec::new()));
    assert_eq!(graph["cluster_links"][&own], Value::from(vec![other.as_str()]));
    assert!(graph["id_to_peername"].get(&other).is_none(), "{graph}");
}

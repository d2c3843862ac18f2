//! What operators see: Go's peers in ours, and ours in Go's, with Go's own command line.

use std::process::Command;
use std::time::Duration;

use harness::cluster::{self, Cluster};
use harness::error::HarnessError;
use harness::random::Random;
use harness::{go_cluster, peers, wait};

/// Pings come each 15 s from ours.
const SEEN_MAX: Duration = Duration::from_secs(90);

/// What the command line says, where it succeeds.
fn said(mut ctl: Command, args: &[&str]) -> Result<String, HarnessError> {
    let output = ctl.args(args).output().map_err(HarnessError::io("run ipfs-cluster-ctl"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let found = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
    Err(HarnessError::Unreadable { what: "an answer of ipfs-cluster-ctl", found })
}

/// `ipfs-cluster-ctl` at Go's peer, then at ours.
fn ctls(cluster: &Cluster) -> [Command; 2] {
    let mut go = Command::new(peers::cluster_ctl().unwrap());
    go.arg("--host").arg(cluster.go[0].rest_address().unwrap());
    let ours = harness::daemon::control_socket(cluster.rust[0].stack.directory());
    [go, go_cluster::ctl(&ours).unwrap()]
}

#[test]
fn each_kind_sees_the_other_as_healthy() {
    let cluster = Cluster::start(1, 1).unwrap();
    let ids = [cluster.rust[0].id().unwrap(), cluster.go[0].id().unwrap()];
    // Both names, both ids, no error.
    for place in [0, 1] {
        wait::until("both peers in `peers ls`", SEEN_MAX, || {
            let [go, ours] = ctls(&cluster);
            let text = said(if place == 0 { go } else { ours }, &["peers", "ls"]).ok()?;
            let names_all = ids.iter().all(|id| text.contains(id.as_str()))
                && text.contains("rust-0")
                && text.contains("go-0");
            (names_all && !text.contains("ERROR")).then_some(())
        })
        .unwrap();
    }
    let cid = Random::from_clock().cid_of_nothing();
    cluster::pin(&cluster.rust[0].stack.control(), &cid, "name=seen").unwrap();
    for place in [0, 1] {
        wait::until("the pin's state at both peers", SEEN_MAX, || {
            let [go, ours] = ctls(&cluster);
            let text = said(if place == 0 { go } else { ours }, &["status", &cid]).ok()?;
            let known = ["PINNING", "PIN_QUEUED", "PIN_ERROR"];
            let states = known.iter().map(|state| text.matches(state).count()).sum::<usize>();
            (text.contains("rust-0") && text.contains("go-0") && states == 2).then_some(())
        })
        .unwrap();
    }
    let [go, _] = ctls(&cluster);
    let metrics = said(go, &["health", "metrics", "ping"]).unwrap();
    assert!(metrics.contains("rust-0") || metrics.contains(&ids[0]), "{metrics}");
    let [go, _] = ctls(&cluster);
    let graph = said(go, &["health", "graph"]).unwrap();
    assert!(ids.iter().all(|id| graph.contains(&id[id.len() - 6..])), "{graph}");
    let [go, ours] = ctls(&cluster);
    for ctl in [go, ours] {
        said(ctl, &["recover", &cid]).unwrap();
    }
    let [go, ours] = ctls(&cluster);
    for ctl in [go, ours] {
        let collected = said(ctl, &["ipfs", "gc"]).unwrap();
        assert!(!collected.contains("rror"), "{collected}");
    }
}

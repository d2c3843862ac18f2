//! From a cluster of Go's peers to one of ours, machine by machine, while it is used.

use std::collections::BTreeSet;
use std::time::Duration;

use harness::cluster::{self, Cluster};
use harness::http::Client;
use harness::rpc::good;
use harness::{rpc, wait};
use serde_json::Value;

use super::compare::{CONVERGE_MAX, all_agree};
use super::work::Work;

const FILES: usize = 8;

/// Kubo fetches small files from its neighbours, or has them.
const HELD_MAX: Duration = Duration::from_secs(120);

/// The CIDs whose state at this peer is `pinned`.
fn held(control: &Client) -> Option<BTreeSet<String>> {
    let target = "/pins?local=true&filter=pinned";
    let answer = control.call("GET", target, "").ok()?;
    let text = if answer.status == 204 { String::new() } else { good(answer).ok()?.text() };
    let cid = |line: &str| {
        let state: Value = serde_json::from_str(line).ok()?;
        Some(state["cid"].as_str()?.to_owned())
    };
    text.lines().filter(|line| !line.is_empty()).map(cid).collect()
}

fn wait_until_held(control: &Client, cids: &BTreeSet<String>) {
    wait::until("pins that are held", HELD_MAX, || {
        held(control).filter(|held| held.is_superset(cids)).map(drop)
    })
    .unwrap();
}

#[test]
fn a_cluster_of_go_moves_over_machine_by_machine() {
    let mut cluster = Cluster::start(0, 2).unwrap();
    cluster.connect_kubos().unwrap();
    let kubo = Client::tcp(cluster.go[0].kubo.port());
    let put = |number| rpc::add(&kubo, "pin=false", &format!("file {number}")).unwrap();
    let files: BTreeSet<String> = (0..FILES).map(put).collect();
    for cid in &files {
        cluster::pin(&cluster.go[0].control().unwrap(), cid, "name=kept").unwrap();
    }
    let mut work = Work::new();
    work.some(20, &cluster.controls()).unwrap();
    cluster.converge(CONVERGE_MAX).unwrap();
    for peer in &cluster.go {
        wait_until_held(&peer.control().unwrap(), &files);
    }
    let ids = [0, 1].map(|peer| cluster.go[peer].id().unwrap());
    // The first machine, while Go's peer on the second serves on.
    let first = cluster.move_over(0).unwrap();
    assert_eq!(cluster.rust[first].id().unwrap(), ids[0]);
    wait_until_held(&cluster.rust[first].stack.control(), &files);
    work.some(20, &cluster.controls()).unwrap();
    all_agree(&mut cluster, &mut work).unwrap();
    // A peer of Go that is ended while it still starts takes minutes for it.
    work.some(20, &cluster.controls()).unwrap();
    let pinset = cluster.converge(CONVERGE_MAX).unwrap();
    assert!(files.iter().all(|cid| pinset[cid]["name"] == "kept"));
    // And the second.
    let second = cluster.move_over(0).unwrap();
    assert_eq!(cluster.rust[second].id().unwrap(), ids[1]);
    let last = all_agree(&mut cluster, &mut work).unwrap();
    assert!(pinset.iter().all(|(cid, record)| last[cid] == *record), "the move changed something");
    wait_until_held(&cluster.rust[second].stack.control(), &files);
    work.some(20, &cluster.controls()).unwrap();
    let pinset = cluster.converge(CONVERGE_MAX).unwrap();
    assert!(files.iter().all(|cid| pinset.contains_key(cid)));
}

//! Peers converge: ours alone, and ours with Go's, through random changes, crashes and late joiners.

use harness::cluster::Cluster;
use harness::scale;

use super::compare::{CONVERGE_MAX, all_agree};
use super::work::Work;

/// Changes between two looks.
fn changes() -> usize {
    scale::pick(40, 200)
}

#[test]
fn three_of_ours_hold_one_pinset() {
    let mut cluster = Cluster::start(3, 0).unwrap();
    let mut work = Work::new();
    work.some(changes(), &cluster.controls()).unwrap();
    let pinset = all_agree(&mut cluster, &mut work).unwrap();
    work.check(&pinset);
    // One that was killed has what it was told, and hears of the rest.
    cluster.rust[1].stack.clusterd.kill().unwrap();
    let others = [cluster.rust[0].stack.control(), cluster.rust[2].stack.control()];
    work.some(changes(), &others).unwrap();
    cluster.rust[1].stack.clusterd.start().unwrap();
    let pinset = all_agree(&mut cluster, &mut work).unwrap();
    work.check(&pinset);
}

#[test]
fn two_of_gos_and_one_of_ours_hold_one_pinset() {
    mixed(1, 2);
}

#[test]
fn one_of_gos_and_two_of_ours_hold_one_pinset() {
    mixed(2, 1);
}

fn mixed(rust: usize, go: usize) {
    let mut cluster = Cluster::start(rust, go).unwrap();
    let mut work = Work::new();
    work.some(changes(), &cluster.controls()).unwrap();
    let pinset = all_agree(&mut cluster, &mut work).unwrap();
    work.check(&pinset);
    // Deaths in the middle of it, of either kind.
    cluster.go[0].kill().unwrap();
    work.some(changes(), &cluster.controls()).unwrap();
    cluster.rust[0].stack.clusterd.kill().unwrap();
    cluster.go[0].start().unwrap();
    work.some(changes() / 2, &[cluster.go[0].control().unwrap()]).unwrap();
    cluster.rust[0].stack.clusterd.start().unwrap();
    work.some(changes() / 2, &cluster.controls()).unwrap();
    let pinset = all_agree(&mut cluster, &mut work).unwrap();
    work.check(&pinset);
}

#[test]
fn a_cold_peer_of_go_is_fed_by_ours_alone() {
    let mut cluster = Cluster::start(1, 0).unwrap();
    let mut work = Work::new();
    work.some(changes(), &cluster.controls()).unwrap();
    let ours = cluster.addresses().unwrap();
    cluster.add_go(&ours).unwrap();
    let pinset = all_agree(&mut cluster, &mut work).unwrap();
    work.check(&pinset);
}

#[test]
fn a_cold_peer_of_ours_is_fed_by_gos_alone() {
    let mut cluster = Cluster::start(0, 1).unwrap();
    let mut work = Work::new();
    work.some(changes(), &cluster.controls()).unwrap();
    let gos = cluster.addresses().unwrap();
    cluster.add_rust(&gos).unwrap();
    let pinset = all_agree(&mut cluster, &mut work).unwrap();
    work.check(&pinset);
    // Its deletes take effect there, and theirs here.
    work.some(changes(), &cluster.controls()).unwrap();
    let pinset = all_agree(&mut cluster, &mut work).unwrap();
    work.check(&pinset);
}

#[test]
fn what_a_fresh_peer_pinned_before_it_knew_the_cluster_stays() {
    let mut cluster = Cluster::start(0, 1).unwrap();
    let mut work = Work::new();
    work.some(changes(), &cluster.controls()).unwrap();
    let gos = cluster.addresses().unwrap();
    let place = cluster.add_rust(&[]).unwrap();
    let alone = [cluster.rust[place].stack.control()];
    work.some(changes() / 4, &alone).unwrap();
    // A name of its own for a pin that the cluster has: the newer one wins.
    let shared = cluster.go[0].control().map(|go| harness::cluster::pinset(&go).unwrap()).unwrap();
    let shared = shared.keys().next().unwrap().clone();
    harness::cluster::pin(&alone[0], &shared, "name=newer").unwrap();
    cluster.rust[place].stack.join(&gos).unwrap();
    let pinset = all_agree(&mut cluster, &mut work).unwrap();
    work.check(&pinset);
    assert_eq!(pinset[&shared]["name"], "newer");
    assert!(cluster.converge(CONVERGE_MAX).is_ok());
}

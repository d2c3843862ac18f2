//! A pin is answered and listed when as many Kubo daemons hold it as must, whoever runs them.

use std::time::Duration;

use harness::cluster::{Cluster, members};
use harness::http::Client;
use harness::kubo::Kubo;
use harness::random::Random;
use harness::rpc::{self, good, pin_ls};
use harness::stack::StackSetup;
use harness::wait;

/// Members hear of each other with the first pings.
const MET_MAX: Duration = Duration::from_secs(60);

/// What changes elsewhere is told within a second by ours, and asked of Go's within four.
const TOLD_MAX: Duration = Duration::from_secs(60);

/// Peers that pin with these factors, whose Kubos are connected and who all know each other.
pub(crate) fn cluster_of(rust: usize, go: usize, replication: &str) -> Cluster {
    let clusterd = format!("[pinset]\nrebroadcast_every = \"3s\"\n{replication}");
    let setup = StackSetup { clusterd, ..StackSetup::default() };
    let cluster = Cluster::start_with(rust, go, setup).unwrap();
    cluster.connect_kubos().unwrap();
    wait::until("all members", MET_MAX, || {
        let all = rust + go;
        cluster.rust.iter().all(|peer| members(&peer.stack.control()) == Some(all)).then_some(())
    })
    .unwrap();
    // Until all have told their free space, too few can be given a pin.
    let (first, probe) = (cluster.rust[0].stack.client(), content_at(&cluster.rust[0].stack.kubo));
    wait::until("a pin's allocation", MET_MAX, || rpc::pin_add(&first, &[&probe]).ok()).unwrap();
    cluster
}

/// Whether a Kubo itself holds a pin.
fn holds(kubo: &Kubo, cid: &str) -> bool {
    let target = format!("/api/v0/pin/ls?type=recursive&arg={cid}");
    Client::tcp(kubo.port()).post(&target).is_ok_and(|answer| answer.status == 200)
}

fn holders(cluster: &Cluster, cid: &str) -> usize {
    let ours = cluster.rust.iter().map(|peer| &peer.stack.kubo);
    let kubos = ours.chain(cluster.go.iter().map(|peer| &peer.kubo));
    kubos.filter(|kubo| holds(kubo, cid)).count()
}

/// Content that this Kubo alone has, without a pin.
pub(super) fn content_at(kubo: &Kubo) -> String {
    let words = format!("content {}", Random::from_clock().bits());
    rpc::add(&Client::tcp(kubo.port()), "pin=false&cid-version=1&raw-leaves=true", &words).unwrap()
}

/// `pin/add` that gives up after a while; the error's words.
fn fails_to_pin(client: &Client, cid: &str) -> String {
    let answer = client.post(&format!("/api/v0/pin/add?arg={cid}&timeout=8s")).unwrap();
    good(answer).expect_err("it was pinned").to_string()
}

fn lists(client: &Client, cid: &str) -> bool {
    pin_ls(client).unwrap().contains(cid)
}

fn all_list(cluster: &Cluster, cid: &str) {
    wait::until("the pin in every list", TOLD_MAX, || {
        cluster.rust.iter().all(|peer| lists(&peer.stack.client(), cid)).then_some(())
    })
    .unwrap();
}

#[test]
fn a_pin_is_answered_when_its_minimum_of_kubos_holds_it() {
    let cluster = cluster_of(3, 0, "[replication]\nmin = 2\nmax = 2\n");
    for place in 0..3 {
        let cid = content_at(&cluster.rust[(place + 1) % 3].stack.kubo);
        rpc::pin_add(&cluster.rust[place].stack.client(), &[&cid]).unwrap();
        assert_eq!(holders(&cluster, &cid), 2, "when it is answered");
        assert!(lists(&cluster.rust[place].stack.client(), &cid));
        all_list(&cluster, &cid);
    }
    // What is added is kept here first, and by another one before the answer.
    let client = cluster.rust[0].stack.client();
    let words = format!("added {}", Random::from_clock().bits());
    let cid = rpc::add(&client, "cid-version=1", &words).unwrap();
    assert!(holds(&cluster.rust[0].stack.kubo, &cid));
    assert_eq!(holders(&cluster, &cid), 2);
    // Nobody has it: accepted, and not pinned.
    let nothing = Random::from_clock().cid_of_nothing();
    let words = fails_to_pin(&client, &nothing);
    assert!(words.contains("deadline"), "{words}");
    assert!(cluster.rust.iter().all(|peer| !lists(&peer.stack.client(), &nothing)));
    rpc::pin_rm(&client, &nothing).unwrap();
}

#[test]
fn a_kubo_that_hangs_keeps_a_pin_from_being_pinned_until_it_is_back() {
    let cluster = cluster_of(2, 0, "[replication]\nmin = 2\nmax = 2\n");
    let frozen = &cluster.rust[1].stack.kubo;
    let cid = content_at(&cluster.rust[0].stack.kubo);
    frozen.freeze();
    let words = fails_to_pin(&cluster.rust[0].stack.client(), &cid);
    frozen.thaw();
    assert!(words.contains("deadline"), "{words}");
    all_list(&cluster, &cid);
    assert_eq!(holders(&cluster, &cid), 2);
}

#[test]
fn what_a_kubo_loses_is_not_listed_until_it_has_it_again() {
    let cluster =
        cluster_of(2, 0, "[replication]\nmin = 2\nmax = 2\n[tracker]\naudit_every = \"2s\"\n");
    let cid = content_at(&cluster.rust[0].stack.kubo);
    let client = cluster.rust[0].stack.client();
    rpc::pin_add(&client, &[&cid]).unwrap();
    let other = &cluster.rust[1].stack.kubo;
    // Behind the cluster's back, and it cannot be fetched again for now.
    let api = Client::tcp(other.port());
    good(api.post(&format!("/api/v0/pin/rm?arg={cid}")).unwrap()).unwrap();
    good(api.post(&format!("/api/v0/block/rm?arg={cid}&force=true")).unwrap()).unwrap();
    cluster.rust[0].stack.kubo.freeze();
    wait::until("the loss in the list", TOLD_MAX, || (!lists(&client, &cid)).then_some(()))
        .unwrap();
    cluster.rust[0].stack.kubo.thaw();
    all_list(&cluster, &cid);
    assert_eq!(holders(&cluster, &cid), 2);
}

#[test]
fn a_pin_that_a_peer_of_go_shall_hold_waits_for_it_too() {
    let cluster = cluster_of(2, 1, "[replication]\nmin = 3\nmax = 3\n");
    let cid = content_at(&cluster.rust[0].stack.kubo);
    rpc::pin_add(&cluster.rust[1].stack.client(), &[&cid]).unwrap();
    assert_eq!(holders(&cluster, &cid), 3, "when it is answered");
    all_list(&cluster, &cid);
    let frozen = &cluster.go[0].kubo;
    let cid = content_at(&cluster.rust[0].stack.kubo);
    frozen.freeze();
    let words = fails_to_pin(&cluster.rust[0].stack.client(), &cid);
    assert!(words.contains("deadline"), "{words}");
    assert!(!lists(&cluster.rust[1].stack.client(), &cid));
    frozen.thaw();
    all_list(&cluster, &cid);
    assert_eq!(holders(&cluster, &cid), 3);
}

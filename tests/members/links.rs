//! The Kubos of members find each other through the cluster alone.

use std::time::Duration;

use harness::cluster::Cluster;
use harness::daemon::control_socket;
use harness::go_cluster;
use harness::http::Client;
use harness::rpc;
use harness::wait;

use super::look::{are_linked, ctl, state};

/// Each peer tells where its Kubo is when it sees the other; a loaded machine takes its time.
const LINKED_WITHIN: Duration = Duration::from_secs(30);

/// Kubo has no bootstrap nodes, no routing and no mDNS here.
#[test]
fn the_kubos_of_new_members_are_connected_at_once() {
    let mut cluster = Cluster::start(1, 0).unwrap();
    let content = Client::tcp(cluster.rust[0].stack.kubo.port());
    let cid = rpc::add(&content, "pin=false", "found at the other member").unwrap();
    cluster.add_rust(&cluster.addresses().unwrap()).unwrap();
    let [one, two] = cluster.rust.as_slice() else { panic!("two peers") };
    wait::until("a connection of the Kubos", LINKED_WITHIN, || are_linked(one, two).then_some(()))
        .unwrap();
    assert!(are_linked(two, one));
    // So that what one has is fetched by the other.
    rpc::pin_add(&two.stack.client(), &[&cid]).unwrap();
    assert_eq!(state(two, &cid), "pinned");
}

/// As Go's own command line does it at our socket, where Go's peers can only say that they cannot.
#[test]
fn a_peer_of_gos_is_connected_to_as_well_and_forgotten_once_it_is_gone() {
    let mut cluster = Cluster::start(1, 1).unwrap();
    let gos = cluster.go[0].kubo.swarm_address().unwrap();
    let gos = gos.rsplit('/').next().unwrap();
    let ours = Client::tcp(cluster.rust[0].stack.kubo.port());
    let is_linked = || ours.post("/api/v0/swarm/peers").unwrap().text().contains(gos).then_some(());
    wait::until("a connection of the Kubos", LINKED_WITHIN, is_linked).unwrap();

    let id = cluster.go[0].id().unwrap();
    let remove = |cluster: &Cluster| {
        let socket = control_socket(cluster.rust[0].stack.directory());
        go_cluster::ctl(&socket).unwrap().args(["peers", "rm", &id]).output().unwrap()
    };
    let refused = remove(&cluster);
    let said = String::from_utf8_lossy(&[refused.stdout, refused.stderr].concat()).into_owned();
    assert!(!refused.status.success() && said.contains("is connected"), "{said}");
    cluster.go[0].stop().unwrap();
    wait::until("the removal", LINKED_WITHIN, || remove(&cluster).status.success().then_some(()))
        .unwrap();
    let (_, said) = ctl(&cluster.rust[0], &["peers", "ls"]);
    assert!(!said.contains(&id), "{said}");
}

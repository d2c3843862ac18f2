//! The Kubos of members find each other through the cluster alone.

use std::time::Duration;

use harness::cluster::Cluster;
use harness::http::Client;
use harness::rpc;
use harness::wait;

use super::look::{are_linked, state};

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

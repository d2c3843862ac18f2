//! What these tests look at: connections between Kubos, allocations, states, logs.

use std::collections::BTreeSet;
use std::fs;

use harness::cluster::{self, RustPeer};
use harness::http::Client;
use harness::rpc::{good, pin_ls};
use serde_json::Value;

/// The id of a peer's Kubo.
pub(super) fn kubo_id(peer: &RustPeer) -> String {
    let address = peer.stack.kubo.swarm_address().unwrap();
    address.rsplit('/').next().unwrap().to_owned()
}

/// Whether the Kubo of one peer is connected to that of another.
pub(super) fn are_linked(one: &RustPeer, other: &RustPeer) -> bool {
    let answer = Client::tcp(one.stack.kubo.port()).post("/api/v0/swarm/peers").unwrap();
    answer.text().contains(&kubo_id(other))
}

/// The peers that a pin is allocated to, as a peer has it.
pub(super) fn allocations(peer: &RustPeer, cid: &str) -> BTreeSet<String> {
    cluster::allocations(&peer.stack.control(), cid).unwrap().into_iter().collect()
}

/// The state of a pin at a peer itself.
pub(super) fn state(peer: &RustPeer, cid: &str) -> String {
    let asked = peer.stack.control().call("GET", &format!("/pins/{cid}?local=true"), "").unwrap();
    let status: Value = serde_json::from_slice(&good(asked).unwrap().body).unwrap();
    let here = status["peer_map"].as_object().and_then(|peers| peers.values().next());
    here.and_then(|here| here["status"].as_str()).unwrap_or_default().to_owned()
}

/// What the Kubo of a peer itself has pinned.
pub(super) fn held(peer: &RustPeer) -> BTreeSet<String> {
    pin_ls(&Client::tcp(peer.stack.kubo.port())).unwrap()
}

/// How often the log of a peer has these words.
pub(super) fn logged(peer: &RustPeer, words: &str) -> usize {
    let log = fs::read_to_string(peer.stack.directory().join("clusterd.log")).unwrap();
    log.lines().filter(|line| line.contains(words)).count()
}

/// Runs `clusterdctl` at a peer; its exit code, and all that it said.
pub(super) fn ctl(peer: &RustPeer, args: &[&str]) -> (i32, String) {
    let output = peer.stack.clusterdctl().unwrap().args(args).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

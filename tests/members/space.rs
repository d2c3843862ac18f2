//! A peer whose Kubo has no space left is given no new pins, says so once, and is back when it has some.

use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use harness::cluster::{Cluster, RustPeer};
use harness::rpc::good;
use harness::stack::StackSetup;
use harness::wait;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::look::{allocations, logged};

/// Kubo is asked every 15 seconds.
const SEEN_WITHIN: Duration = Duration::from_secs(60);

/// Metrics are told a second after they change.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

const NO_SPACE: &str = "no space left beyond the reserve";
const SPACE_AGAIN: &str = "has space again";

/// Kubo's own limit of its repository.
fn allow(peer: &mut RustPeer, size: &str) {
    let kubo = &mut peer.stack.kubo;
    kubo.stop().unwrap();
    kubo.edit_config(|config| config["Datastore"]["StorageMax"] = json!(size)).unwrap();
    kubo.start().unwrap();
}

fn wait_for(peer: &RustPeer, words: &str) {
    wait::until(words, SEEN_WITHIN, || (logged(peer, words) > 0).then_some(())).unwrap();
}

/// Pins a block that nobody has, the same for the same number; its CID.
fn pin(peer: &RustPeer, number: u8, options: &str) -> Result<String, String> {
    let digest = Sha256::digest([number]);
    let bytes = [[0x01, 0x55, 0x12, 0x20].as_slice(), digest.as_slice()].concat();
    let cid = format!("b{}", BASE32_NOPAD.encode(&bytes).to_lowercase());
    let asked = peer.stack.control().call("POST", &format!("/pins/{cid}?{options}"), "").unwrap();
    good(asked).map(|_| cid).map_err(|error| error.to_string())
}

#[test]
fn a_peer_without_space_is_given_no_pins_until_it_has_some() {
    let clusterd = "reserve = \"1MiB\"\n[pinset]\nrebroadcast_every = \"3s\"\n".to_owned();
    let mut cluster =
        Cluster::start_with(2, 0, StackSetup { clusterd, ..StackSetup::default() }).unwrap();
    let both = "replication-min=2&replication-max=2";
    let [full, other] = cluster.rust.as_slice() else { panic!("two peers") };
    wait::until("metrics of both", SEEN_WITHIN, || pin(full, 0, both).ok()).unwrap();
    let other = other.id().unwrap();

    allow(&mut cluster.rust[0], "1B");
    wait_for(&cluster.rust[0], NO_SPACE);
    let full = &cluster.rust[0];
    // The members hear of it with its next metrics, and not when the last ones have run out.
    let mut numbers = 1..;
    let refused = wait::until("a refusal", TOLD_WITHIN, || pin(full, numbers.next()?, both).err());
    let refused = refused.unwrap();
    assert!(refused.contains("not enough peers"), "{refused}");
    // Whoever is asked; here the full one itself.
    for number in 100..105 {
        let cid = pin(full, number, "replication-min=1&replication-max=1").unwrap();
        assert_eq!(allocations(full, &cid), [other.clone()].into());
    }
    assert_eq!((logged(full, NO_SPACE), logged(full, SPACE_AGAIN)), (1, 0));

    allow(&mut cluster.rust[0], "10GB");
    wait_for(&cluster.rust[0], SPACE_AGAIN);
    let full = &cluster.rust[0];
    wait::until("a pin on both", SEEN_WITHIN, || pin(full, 200, both).ok()).unwrap();
    assert_eq!((logged(full, NO_SPACE), logged(full, SPACE_AGAIN)), (1, 1));
}

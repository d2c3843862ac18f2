//! Peers that are cut off from each other go on, and agree again when the network is back.

use std::process::Command;
use std::thread;
use std::time::Duration;

use harness::cluster::{Cluster, members};
use harness::http::Client;
use harness::wait;
use nix::sched::{CloneFlags, unshare};

use super::compare::all_agree;
use super::work::Work;

/// A peer is gone for the others half a minute after its last ping, and dialled again each half a minute.
const NOTICED_MAX: Duration = Duration::from_secs(240);

const CHANGES: usize = 15;

/// Takes the network of this thread's namespace away, or brings it back.
fn set_network(state: &str) {
    let set = Command::new("ip").args(["link", "set", "lo", state]).status();
    assert!(set.unwrap().success(), "ip link set lo {state}");
}

fn wait_for_members(controls: &[Client], count: usize) {
    wait::until("the number of members", NOTICED_MAX, || {
        controls.iter().all(|control| members(control) == Some(count)).then_some(())
    })
    .unwrap();
}

#[test]
#[ignore = "needs root, for a network of its own; CI runs it"]
fn peers_that_were_cut_off_from_each_other_agree_again() {
    // What this thread starts lives in a network without anybody else.
    let alone = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace (as root)");
        set_network("up");
        let mut cluster = Cluster::start(3, 1).unwrap();
        let mut work = Work::new();
        work.some(CHANGES, &cluster.controls()).unwrap();
        cluster.converge(NOTICED_MAX).unwrap();
        // Ours are reached over Unix sockets still; Go's peer is cut off as well.
        let ours: Vec<Client> = cluster.rust.iter().map(|peer| peer.stack.control()).collect();
        wait_for_members(&ours, 4);
        set_network("down");
        wait_for_members(&ours, 1);
        work.some(3 * CHANGES, &ours).unwrap();
        set_network("up");
        wait_for_members(&ours, 4);
        let pinset = all_agree(&mut cluster, &mut work).unwrap();
        work.check(&pinset);
    });
    if let Err(panic) = alone.join() {
        std::panic::resume_unwind(panic);
    }
}

//! A follower holds what others pin, shows it, and changes nothing.

use std::fs;
use std::time::Duration;

use harness::cluster::{Cluster, pinset};
use harness::rpc;
use harness::wait;

use super::look::{ctl, held, state};

/// Until a change has come over and Kubo has fetched it.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(60);

const WORDS: &str = "this peer is configured to be in follower mode. Write operations are disabled";

#[test]
fn a_follower_holds_what_others_pin_and_refuses_to_change_anything() {
    let mut cluster = Cluster::start(1, 0).unwrap();
    cluster.add_rust_with(&cluster.addresses().unwrap(), "follower = true").unwrap();
    let [leader, follower] = cluster.rust.as_slice() else { panic!("two peers") };
    let kept = rpc::add(&leader.stack.client(), "", "for all to keep").unwrap();
    let other = rpc::add(&leader.stack.client(), "pin=false", "not pinned by anybody").unwrap();
    let is_held = || {
        let is_known = pinset(&follower.stack.control()).unwrap().contains_key(&kept);
        (is_known && state(follower, &kept) == "pinned").then_some(())
    };
    wait::until("the pin at the follower", FOLLOWED_WITHIN, is_held).unwrap();
    assert!(held(follower).contains(&kept));

    // Through proxyd, with Kubo's own command line.
    let ipfs = follower.stack.ipfs();
    let before = held(follower);
    fs::write(follower.stack.directory().join("new"), "added at the follower").unwrap();
    let cid = ipfs.ok(&["add", "-Q", "--only-hash", "new"]).unwrap();
    for args in [
        &["pin", "add", &other][..],
        &["pin", "rm", &kept],
        &["pin", "update", &kept, &other],
        &["add", "new"],
    ] {
        let said = ipfs.run(args).unwrap();
        assert!(said.code != Some(0) && said.stderr.contains(WORDS), "{args:?}: {said:?}");
    }
    assert_eq!(held(follower), before, "nothing is left behind on Kubo");
    assert!(!ipfs.ok(&["refs", "local"]).unwrap().contains(&cid), "not even a block");
    // What is not to be pinned is Kubo's alone.
    ipfs.ok(&["add", "-Q", "--pin=false", "new"]).unwrap();
    assert!(ipfs.ok(&["pin", "ls", "--type=recursive"]).unwrap().contains(&kept));

    // Through the REST API.
    let control = follower.stack.control();
    for (method, path) in [
        ("POST", format!("/pins/{other}")),
        ("DELETE", format!("/pins/{kept}")),
        ("POST", format!("/pins/{other}?pin-update={kept}")),
    ] {
        let answer = control.call(method, &path, "").unwrap();
        assert!(answer.text().contains(WORDS), "{method} {path}: {answer:?}");
    }
    let records = follower.stack.directory().join("records");
    fs::write(&records, format!("{{\"cid\":\"{other}\"}}\n")).unwrap();
    let (code, said) = ctl(follower, &["state", "import", records.to_str().unwrap()]);
    assert!(code != 0 && said.contains(WORDS), "{said}");
    let (code, said) = ctl(follower, &["pin", "rm", &kept]);
    assert!(code == 1 && said.contains("is no follower"), "{said}");
    for args in [&["status"][..], &["recover"], &["peers", "ls"], &["pin", "ls"]] {
        assert_eq!(ctl(follower, args).0, 0, "{args:?}");
    }

    // And it follows when others let go.
    rpc::pin_rm(&leader.stack.client(), &kept).unwrap();
    let is_gone = || (!held(follower).contains(&kept)).then_some(());
    wait::until("the end of the pin at the follower", FOLLOWED_WITHIN, is_gone).unwrap();
}

//! A cluster over a cluster over a cluster.

use harness::composite::{Composite, Sub, Upper, with_clusterd};
use harness::daemon::PeersSetup;
use harness::random::Random;
use harness::rpc;
use harness::stack::StackSetup;
use harness::wait;

use super::place::{SOON, api, call, content_at, held, is_gone, refused};
use super::truth::{state, wait_for};

#[test]
fn pins_adds_and_failures_pass_through_three_levels() {
    let impatient = "pin_timeout = \"2s\"\n[tracker]\nretry_after = \"1s\"\n";
    let all = Composite::start(&with_clusterd(impatient), &[Sub::of(1, impatient)]).unwrap();
    let top = StackSetup {
        peers: PeersSetup { cluster: "top".to_owned(), ..PeersSetup::default() },
        ..with_clusterd(impatient)
    };
    let directory = all.directory().join("top");
    let top = Upper::start_in(&directory, &all.main[0].api(), &top).unwrap();
    let kubo = &all.subs[0].rust[0].stack.kubo;
    let client = top.client();

    let direct = content_at(kubo);
    call(&client, &format!("pin/add?arg={direct}&recursive=false&name=deep%20down"));
    assert_eq!(held(&api(kubo), &direct), Some(("direct".to_owned(), "deep down".to_owned())));
    let added = format!("added on top {}", Random::from_clock().bits());
    let added = rpc::add(&client, "cid-version=1&pin-name=file", &added).unwrap();
    assert_eq!(held(&api(kubo), &added), Some(("recursive".to_owned(), "file".to_owned())));
    for cid in [&direct, &added] {
        rpc::pin_rm(&client, cid).unwrap();
        assert_eq!(
            refused(&client, &format!("pin/rm?arg={cid}")),
            "not pinned or pinned indirectly"
        );
        wait::until("the end of a pin below", SOON, || is_gone(&all, cid).then_some(())).unwrap();
    }

    // The lowest says why, and those above it say the same.
    let nothing = Random::from_clock().cid_of_nothing();
    harness::cluster::pin(&top.control(), &nothing, "").unwrap();
    assert_eq!(wait_for(&top, &nothing, "pinning").status, "pinning");
    let failed = wait_for(&top, &nothing, "pin_error");
    assert!(failed.error.contains(&kubo.api()), "{}", failed.error);
    assert!(!state(&all.main[0], &nothing).error.is_empty());
}

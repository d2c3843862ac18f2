//! Our main cluster over Go's: what works, and what Go's proxy gets wrong. Each of these is in README.

use std::fs;
use std::thread;
use std::time::Duration;

use harness::cluster::{count, pin};
use harness::composite::{Composite, Sub, with_clusterd};
use harness::http::Client;
use harness::random::Random;
use harness::rpc;
use harness::wait;

use super::place::{SOON, api, call, content_at, held};
use super::truth::{state, wait_for};

/// Many audits fall into a test.
const SETTINGS: &str = "pin_timeout = \"4s\"\ncall_timeout = \"3s\"\n\
    [tracker]\nretry_after = \"1s\"\nretry_after_max = \"2s\"\naudit_every = \"2s\"\n";

/// For so long it is watched whether anything goes on; some audits.
const WATCHED: Duration = Duration::from_secs(12);

fn one_over_go() -> Composite {
    let sub = Sub { go: 1, ..Sub::default() };
    let all = Composite::start(&with_clusterd(SETTINGS), &[sub]).unwrap();
    let (client, probe) = (all.main[0].client(), content_at(&all.subs[0].go[0].kubo));
    wait::until("a first pin", SOON, || rpc::pin_add(&client, &[&probe]).ok()).unwrap();
    all
}

/// How often the main peer's log has these words.
fn logged(all: &Composite, words: &str) -> usize {
    let log = fs::read_to_string(all.main[0].directory().join("clusterd.log")).unwrap();
    log.lines().filter(|line| line.contains(words)).count()
}

#[test]
fn a_cluster_of_gos_takes_pins_and_loses_their_details() {
    let all = one_over_go();
    let (main, go) = (&all.main[0], &all.subs[0].go[0]);
    let (client, kubo, gos) = (main.client(), api(&go.kubo), go.control().unwrap());

    let plain = content_at(&go.kubo);
    rpc::pin_add(&client, &[&plain]).unwrap();
    wait::until("the pin at Kubo", SOON, || held(&kubo, &plain)).unwrap();
    // The name goes as far as Go's record, and not to its Kubo; direct becomes recursive.
    let named = content_at(&go.kubo);
    call(&client, &format!("pin/add?arg={named}&name=lost"));
    let direct = content_at(&go.kubo);
    call(&client, &format!("pin/add?arg={direct}&recursive=false"));
    for cid in [&named, &direct] {
        let found = wait::until("the pin at Kubo", SOON, || held(&kubo, cid)).unwrap();
        assert_eq!(found, ("recursive".to_owned(), String::new()));
        assert_eq!(state(main, cid).status, "pinned");
    }
    assert_eq!(held(&client, &named).unwrap().1, "lost", "the main cluster knows it");
    let added = format!("added {}", Random::from_clock().bits());
    let added = rpc::add(&client, "cid-version=1", &added).unwrap();
    assert!(held(&kubo, &added).is_some());

    // None of it makes the main peer begin again.
    let (pins, ends) = (count(&gos).unwrap(), logged(&all, "pin held"));
    thread::park_timeout(WATCHED);
    assert_eq!((count(&gos).unwrap(), logged(&all, "pin held")), (pins, ends));

    rpc::pin_rm(&client, &named).unwrap();
    wait::until("the end of the pin", SOON, || held(&kubo, &named).is_none().then_some(()))
        .unwrap();
    // What Go's cluster does not have any more is let go of all the same.
    harness::cluster::unpin(&gos, &plain).unwrap();
    rpc::pin_rm(&client, &plain).unwrap();
    let errors = || main.control().call("GET", "/pins?filter=error", "").unwrap().text();
    wait::until("no error", SOON, || (!errors().contains(&plain)).then_some(())).unwrap();
}

#[test]
fn a_cluster_of_gos_says_pinned_when_it_has_only_written_it_down() {
    let mut all = one_over_go();
    let nothing = Random::from_clock().cid_of_nothing();
    pin(&all.main[0].control(), &nothing, "").unwrap();
    let lie = wait_for(&all.main[0], &nothing, "pinned");
    assert!(lie.error.is_empty());
    assert!(held(&api(&all.subs[0].go[0].kubo), &nothing).is_none());
    // While its Kubo is down it says so as well, and that it has no space.
    all.subs[0].go[0].kubo.stop().unwrap();
    let proxy = all.subs[0].go[0].proxy_address().unwrap();
    let proxy = Client::tcp(proxy.rsplit('/').next().unwrap().parse().unwrap());
    let stat = call(&proxy, "repo/stat?size-only=true").text();
    assert!(stat.contains("\"RepoSize\":0") && stat.contains("\"StorageMax\":0"), "{stat}");
}

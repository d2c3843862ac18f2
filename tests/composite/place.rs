//! Where content really is: each Kubo is asked, and what it says is held against the allocations of the
//! main cluster and of each sub-cluster.

use std::time::Duration;

use harness::cluster::{Cluster, allocations};
use harness::composite::Composite;
use harness::http::{Answer, Client};
use harness::kubo::Kubo;
use harness::random::Random;
use harness::rpc::{self, good};
use harness::wait;
use serde_json::Value;

/// Every level gets there by itself.
pub(super) const SOON: Duration = Duration::from_secs(30);

/// How a Kubo holds a pin: `recursive` or `direct`, and its name.
pub(super) type Held = (String, String);

/// What a Kubo (or a proxy) itself says of a pin.
pub(super) fn held(api: &Client, cid: &str) -> Option<Held> {
    let answer = api.post(&format!("/api/v0/pin/ls?names=true&arg={cid}")).unwrap();
    if answer.status != 200 {
        assert!(answer.text().contains("is not pinned"), "{}", answer.text());
        return None;
    }
    let keys: Value = serde_json::from_slice(&answer.body).unwrap();
    let key = &keys["Keys"][cid];
    let kind = key["Type"].as_str().unwrap();
    // What another pin reaches is none of its own.
    (!kind.starts_with("indirect"))
        .then(|| (kind.to_owned(), key["Name"].as_str().unwrap_or_default().to_owned()))
}

pub(super) fn api(kubo: &Kubo) -> Client {
    Client::tcp(kubo.port())
}

/// Content that this Kubo alone has, without a pin.
pub(super) fn content_at(kubo: &Kubo) -> String {
    let words = format!("content {}", Random::from_clock().bits());
    rpc::add(&api(kubo), "pin=false&cid-version=1&raw-leaves=true", &words).unwrap()
}

/// A call that must succeed.
pub(super) fn call(client: &Client, target: &str) -> Answer {
    good(client.post(&format!("/api/v0/{target}")).unwrap())
        .unwrap_or_else(|error| panic!("{target}: {error}"))
}

/// The words of a call that must be refused.
pub(super) fn refused(client: &Client, target: &str) -> String {
    let answer = client.post(&format!("/api/v0/{target}")).unwrap();
    let words: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let words = words.as_ref().and_then(|error| error["Message"].as_str());
    let words = words.unwrap_or_else(|| panic!("{target}: {} {}", answer.status, answer.text()));
    assert_eq!(answer.status, 500, "{words}");
    words.to_owned()
}

/// The Kubos of a sub-cluster that its own record of a pin names; all where it names none.
fn chosen_of(sub: &Cluster, cid: &str) -> Vec<bool> {
    let chosen = allocations(&sub.rust[0].stack.control(), cid).unwrap();
    let is_chosen = |id: String| chosen.is_empty() || chosen.contains(&id);
    sub.rust.iter().map(|peer| is_chosen(peer.id().unwrap())).collect()
}

/// The sub-clusters that the main cluster's record of a pin names; all where it names none.
pub(super) fn chosen_subs(all: &Composite, control: &Client, cid: &str) -> Vec<bool> {
    let chosen = allocations(control, cid).unwrap();
    let ours = all.main.iter().map(|peer| peer.id().unwrap());
    let gos = all.go_main.iter().map(|peer| peer.peer_address().unwrap());
    let gos = gos.map(|address| address.rsplit('/').next().unwrap().to_owned());
    ours.chain(gos).map(|id| chosen.is_empty() || chosen.contains(&id)).collect()
}

/// For each Kubo of each sub-cluster, what it says of a pin.
pub(super) fn everywhere(all: &Composite, cid: &str) -> Vec<Vec<Option<Held>>> {
    let subs = 0..all.subs.len();
    subs.map(|sub| all.kubos_of(sub).map(|kubo| held(&api(kubo), cid)).collect()).collect()
}

/// What [`everywhere`] must say of a pin by the records of main and sub-clusters.
fn as_recorded(all: &Composite, control: &Client, cid: &str, pin: &Held) -> Vec<Vec<Option<Held>>> {
    let subs = all.subs.iter().zip(chosen_subs(all, control, cid));
    let of_sub = |(sub, is_chosen): (&Cluster, bool)| match is_chosen {
        true => chosen_of(sub, cid).into_iter().map(|is| is.then(|| pin.clone())).collect(),
        false => vec![None; sub.rust.len()],
    };
    subs.map(of_sub).collect()
}

/// Holds that exactly the Kubos that the records name hold the pin, so and not otherwise.
pub(super) fn assert_placed(all: &Composite, control: &Client, cid: &str, kind: &str, name: &str) {
    let pin = (kind.to_owned(), name.to_owned());
    assert_eq!(everywhere(all, cid), as_recorded(all, control, cid, &pin), "{cid}");
}

/// Waits for that: a pin that stays held is answered before its new name is everywhere.
pub(super) fn wait_for_placed(
    all: &Composite,
    control: &Client,
    cid: &str,
    (kind, name): (&str, &str),
) {
    let pin = (kind.to_owned(), name.to_owned());
    let is_so = || everywhere(all, cid) == as_recorded(all, control, cid, &pin);
    wait::until("a pin where its records say", SOON, || is_so().then_some(())).unwrap();
}

/// Whether no sub-cluster has a record of the pin, and no Kubo holds it.
pub(super) fn is_gone(all: &Composite, cid: &str) -> bool {
    let is_recorded = |sub: &Cluster| {
        let pins = harness::cluster::pinset(&sub.controls()[0]).unwrap();
        pins.contains_key(cid)
    };
    !all.subs.iter().any(is_recorded) && everywhere(all, cid).concat().iter().all(Option::is_none)
}

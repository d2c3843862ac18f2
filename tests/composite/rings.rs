//! A cluster that is its own sub-cluster takes no new pins, and says by which way; what it has stays.

use std::time::{Duration, Instant};

use harness::composite::Upper;
use harness::daemon::PeersSetup;
use harness::http::Client;
use harness::kubo::Kubo;
use harness::ports::Port;
use harness::random::Random;
use harness::rpc;
use harness::stack::{StackSetup, temporary_directory};
use harness::wait;
use serde_json::Value;

use super::pins::NOT_PINNED;
use super::place::{SOON, call, content_at, held, refused};

/// A peer asks each minute what is below it.
const FOUND_MAX: Duration = Duration::from_secs(90);
/// An unpin passes three clusters that have nothing else to do.
const LET_GO_WITHIN: Duration = Duration::from_secs(30);

fn setup(cluster: &str) -> StackSetup {
    let peers = PeersSetup { cluster: cluster.to_owned(), ..PeersSetup::default() };
    StackSetup { peers, ..StackSetup::default() }
}

fn api(port: &Port) -> String {
    format!("/ip4/127.0.0.1/tcp/{}", port.number())
}

/// Why a cluster refuses new pins; empty where it does not.
fn refusal(peer: &Upper) -> String {
    let answer = peer.control().call("GET", "/composite/tree?within_ms=3000", "").unwrap();
    let tree: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    tree["refuses"].as_str().unwrap_or_default().to_owned()
}

fn wait_for_refusal(peer: &Upper, ring: &str) {
    let refuses = || refusal(peer).contains(ring).then_some(());
    wait::until(&format!("a refusal that names {ring}"), FOUND_MAX, refuses).unwrap();
}

/// A new pin is refused at both sockets, with the ring in the words.
fn assert_refused(peer: &Upper, ring: &str) {
    let cid = Random::from_clock().cid_of_nothing();
    let answer = peer.control().call("POST", &format!("/pins/{cid}"), "").unwrap();
    assert_eq!(answer.status, 508, "{}", answer.text());
    assert!(answer.text().contains(ring), "{}", answer.text());
    let answer = peer.client().post(&format!("/api/v0/pin/add?arg={cid}")).unwrap();
    assert!(answer.status >= 500, "{} {}", answer.status, answer.text());
    // proxyd's own words where it has found that proxyds stand in a ring as well.
    let words = answer.text().replace("\\u003e", ">");
    let told = [format!("own sub-cluster ({ring})"), "proxyds stand in a ring, each".to_owned()];
    assert!(told.iter().any(|told| words.contains(told)), "{words}");
}

/// What is let go of goes once along the ring: each cluster removes its record and tells the next. The last
/// Kubo is behind none of them any more, and keeps it.
fn let_go_of(cid: &str, [first, others @ ..]: [&Upper; 3], kubo: &Kubo) {
    let begun = Instant::now();
    rpc::pin_rm(&first.client(), cid).unwrap();
    assert!(begun.elapsed() < LET_GO_WITHIN, "{:?}", begun.elapsed());
    for peer in [first].into_iter().chain(others) {
        wait::until("an end of the record", SOON, || (pins(peer) == 1).then_some(())).unwrap();
        assert_eq!(refused(&peer.client(), &format!("pin/rm?arg={cid}")), NOT_PINNED);
    }
    assert!(held(&Client::tcp(kubo.port()), cid).is_some());
}

fn pins(peer: &Upper) -> usize {
    harness::cluster::pinset(&peer.control()).unwrap().len()
}

#[test]
fn a_cluster_over_itself_takes_no_pin() {
    let directory = temporary_directory().unwrap();
    let kubo = Kubo::start_in(directory.path()).unwrap();
    let place = directory.path().join("a");
    let mut peer = Upper::start_in(&place, &kubo.api(), &setup("alone")).unwrap();
    let cid = content_at(&kubo);
    call(&peer.client(), &format!("pin/add?arg={cid}"));
    // proxyd refuses such a setting of its own at once; clusterd has to ask.
    let settings = place.join("clusterd.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    peer.clusterd.stop().unwrap();
    std::fs::write(&settings, text.replace(&kubo.api(), &peer.api())).unwrap();
    peer.clusterd.start().unwrap();
    wait_for_refusal(&peer, "alone > alone");
    assert_refused(&peer, "alone > alone");
    assert_eq!(pins(&peer), 1, "pins that exist stay");
    assert!(held(&Client::tcp(kubo.port()), &cid).is_some());
}

#[test]
fn a_ring_of_three_is_found_and_pins_stay_until_it_is_mended() {
    let directory = temporary_directory().unwrap();
    let place = |name: &str| directory.path().join(name);
    let kubo = Kubo::start_in(directory.path()).unwrap();
    let [port_a, port_b, port_c] = [0; 3].map(|_| Port::reserve().unwrap());
    let (api_a, api_b, api_c) = (api(&port_a), api(&port_b), api(&port_c));
    let c = Upper::start_at(port_c, &place("c"), &kubo.api(), &setup("c")).unwrap();
    let b = Upper::start_at(port_b, &place("b"), &api_c, &setup("b")).unwrap();
    let a = Upper::start_at(port_a, &place("a"), &api_b, &setup("a")).unwrap();
    let [cid, let_go] = [0; 2].map(|_| content_at(&kubo));
    for cid in [&cid, &let_go] {
        call(&a.client(), &format!("pin/add?arg={cid}"));
    }
    let has_both = |peer: &Upper| assert_eq!(pins(peer), 2, "pins that exist stay");
    let kept = |peer: &Upper| assert_eq!(pins(peer), 1, "pins that exist stay");

    let mut c = c;
    c.turn_to(&api_a).unwrap();
    for (peer, ring) in [(&c, "c > a > b > c"), (&a, "a > b > c > a"), (&b, "b > c > a > b")] {
        wait_for_refusal(peer, ring);
        assert_refused(peer, ring);
        has_both(peer);
    }
    for cid in [&cid, &let_go] {
        assert!(held(&Client::tcp(kubo.port()), cid).is_some(), "Kubo is told nothing");
    }
    let_go_of(&let_go, [&a, &b, &c], &kubo);

    c.turn_to(&kubo.api()).unwrap();
    for peer in [&c, &b, &a] {
        let is_free = || refusal(peer).is_empty().then_some(());
        wait::until("an end of the refusal", FOUND_MAX, is_free).unwrap();
        kept(peer);
    }
    let next = content_at(&kubo);
    let pinned = || {
        let answer = a.client().post(&format!("/api/v0/pin/add?arg={next}")).ok()?;
        (answer.status == 200).then_some(())
    };
    wait::until("a pin through all three", SOON, pinned).unwrap();
    assert!(held(&Client::tcp(kubo.port()), &next).is_some());
}

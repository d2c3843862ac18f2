//! A large cluster: how evenly pins are spread, what a pin costs, and what idle peers say.
//!
//! Two hundred peers with a million pins each would be hundreds of gigabytes, so each figure has the
//! size that it needs: the allocation a million pins over two hundred peers, the memory one peer with
//! many pins, the messages and the agreement two hundred peers with few.

use std::collections::{BTreeMap, BTreeSet};

use clusterd_core::allocator::{self, Candidate, Metric, Wish};
use clusterd_core::config::NodeConfig;
use clusterd_core::input::{Input, Time, Until, WaiterId};
use clusterd_core::node::Node;
use clusterd_core::store::{MemoryStore, Space, Store};
use common::ids::PeerId;
use common::pin::{Pin, Replication};

use crate::act::{cid, request};
use crate::peer;
use crate::run::is_slow;
use crate::world::World;

const PEERS: usize = 200;

/// Pins that come between two metrics of a peer: all of them see the same free space.
const PINS_BETWEEN_METRICS: i64 = 1000;

/// No peer may get more than so many times the mean.
const UNEVEN_MAX: f64 = 1.2;

/// Bytes of keys and values that a settled pin may take in the store, its share of the history included.
const BYTES_A_PIN_MAX: usize = 700;

fn pick(usual: u64, slow: u64) -> u64 {
    if is_slow() { slow } else { usual }
}

/// Racks of fifty peers each, with the free space that is left.
fn candidates(held: &BTreeMap<PeerId, i64>) -> Vec<Candidate> {
    let metric = |value: String, weight, is_group| Metric { value, weight, is_group };
    let candidate = |(number, (peer, held)): (usize, (&PeerId, &i64))| {
        let rack = metric(format!("rack {}", number % 4), 0, true);
        let free = metric("free".to_owned(), 10_000_000 - held, false);
        Candidate { peer: *peer, metrics: vec![rack, free] }
    };
    held.iter().enumerate().map(candidate).collect()
}

#[test]
fn a_million_pins_are_spread_evenly_over_two_hundred_peers_and_their_racks() {
    let mut held: BTreeMap<PeerId, i64> = (0..PEERS).map(|at| (peer::id(at), 0)).collect();
    let racks: BTreeMap<PeerId, usize> =
        held.keys().enumerate().map(|(number, peer)| (*peer, number % 4)).collect();
    let wish = Wish { replication: Replication::from_stored(2, 3), current: &[], preferred: &[] };
    for _ in 0..1_000_000 / PINS_BETWEEN_METRICS {
        // The same for every pin until somebody tells of less space.
        let chosen = allocator::allocate(&wish, &candidates(&held)).unwrap();
        let mut used: Vec<usize> = chosen.iter().map(|peer| racks[peer]).collect();
        used.sort_unstable();
        used.dedup();
        assert_eq!((chosen.len(), used.len()), (3, 3), "three peers in three racks");
        for peer in chosen {
            *held.get_mut(&peer).unwrap() += PINS_BETWEEN_METRICS;
        }
    }
    let (max, total) = (held.values().max().unwrap(), held.values().sum::<i64>());
    assert_eq!(total, 3_000_000);
    let uneven = *max as f64 * PEERS as f64 / total as f64;
    eprintln!("1000000 pins on {PEERS} peers: max/mean {uneven:.2}");
    assert!(uneven <= UNEVEN_MAX, "max/mean {uneven}");
}

/// Bytes of keys and values in each space.
fn bytes(store: &MemoryStore) -> Vec<(Space, usize)> {
    let size = |space| {
        let rows = store.scan(space, &[], None, usize::MAX).unwrap();
        rows.iter().map(|(key, value)| key.len() + value.len()).sum()
    };
    Space::ALL.into_iter().map(|space| (space, size(space))).collect()
}

#[test]
fn a_settled_pin_takes_little_however_many_there_are() {
    let pins = pick(20_000, 200_000);
    let now = Time(1_700_000_000_000);
    let mut config = NodeConfig::new(peer::id(0));
    config.audit_every = u64::MAX;
    let (mut node, _) = Node::open(MemoryStore::default(), config, now).unwrap();
    for first in (0..pins).step_by(5000) {
        let pin = |number| {
            let mut pin = Pin::new(cid(number), Replication::from_stored(2, 3), now.seconds());
            // For others, that all hold them.
            pin.allocations = (1..4).map(peer::id).collect();
            pin.name = format!("pin {number}");
            pin
        };
        let batch: Vec<Pin> = (first..first + 5000).map(pin).collect();
        let held: Vec<_> = batch.iter().map(|pin| pin.cid).collect();
        node.handle(Input::Import { waiter: WaiterId(first), pins: batch }, now).unwrap();
        node.commit().unwrap();
        for at in 1..4 {
            let reports = held.iter().map(|cid| crate::listen::held(*cid)).collect();
            node.handle(Input::PeerReports { peer: peer::id(at), reports }, now).unwrap();
        }
        node.commit().unwrap();
    }
    assert_eq!(node.counts().pins, pins);
    let sizes = bytes(node.store());
    let of = |wanted| sizes.iter().find(|(space, _)| *space == wanted).map_or(0, |(_, size)| *size);
    assert_eq!((of(Space::Spread), of(Space::Unsettled)), (0, 0), "exceptions alone have rows");
    let total: usize = sizes.iter().map(|(_, size)| size).sum();
    let each = total / usize::try_from(pins).unwrap();
    eprintln!("{pins} pins: {each} bytes each: {sizes:?}");
    assert!(each <= BYTES_A_PIN_MAX, "{each} bytes a pin");
}

#[test]
fn two_hundred_peers_agree_and_say_little_when_they_are_idle() {
    let pins = pick(20, 100);
    let mut world = World::quiet(PEERS);
    (0..PEERS).for_each(|at| world.introduce(at));
    world.join();
    world.pass(2000);
    for number in 0..pins {
        let at = usize::try_from(number * 7).unwrap() % PEERS;
        let mut wanted = request(cid(number));
        wanted.replication = Some(Replication::from_stored(2, 3));
        let until = Until::Done { deadline: None };
        world.ask(at, |waiter| Input::Pin { waiter, call: None, pins: vec![wanted], until });
        world.pass(500);
    }
    let began = world.now;
    while world.peers.iter().any(|peer| !peer.open.is_empty()) {
        world.pass(100);
        assert!(world.now.0 - began.0 < 60_000, "not settled after a minute");
    }
    let settled = world.now.0 - began.0;
    world.pass(300_000);
    world.check();
    let (before, commits) = (world.announced, commits(&world));
    let minutes = 10;
    world.pass(minutes * 60_000);
    let told = (world.announced - before) as f64 / (minutes * 60) as f64;
    eprintln!(
        "{PEERS} peers, {pins} pins: settled {settled} ms after the last; idle: {told:.2} announcements a second in all"
    );
    // Each of two minutes one peer or a few speak for all; nobody writes.
    assert!(told < PEERS as f64 / 60.0, "{told} announcements a second");
    assert_eq!(self::commits(&world), commits, "an idle peer writes nothing");
}

/// Peers that leave.
const LEAVING: std::ops::Range<usize> = PEERS - 10..PEERS;
const GRACE: u64 = 60_000;

/// Two hundred peers, each of which takes over pins of those that are gone.
fn steady() -> World {
    let mut world = World::quiet(PEERS);
    for at in 0..PEERS {
        world.peers[at].stop();
        world.peers[at].config.repin.after = Some(GRACE);
    }
    world.listening.clear();
    for at in 0..PEERS {
        world.start(at);
        world.introduce(at);
    }
    world.join();
    world.pass(120_000);
    world
}

fn leave(world: &mut World) {
    for of in LEAVING {
        world.peers[of].stop();
        world.listening.retain(|(listener, told)| *listener != of && *told != of);
        for to in 0..LEAVING.start {
            world.give_metric_until(to, of, "ping", world.now);
        }
    }
}

/// Whether all pins are with peers that are there, hold them, and know it of each other.
fn is_whole(world: &World) -> bool {
    let is_held = |pin: &Pin| {
        pin.allocations.iter().all(|peer| {
            let place = (0..LEAVING.start).find(|at| peer::id(*at) == *peer);
            place.is_some_and(|at| world.peers[at].kubo.held.contains_key(&pin.cid))
        })
    };
    world.pins(0).values().all(is_held)
        && (0..LEAVING.start).all(|at| world.count(at, Space::Spread) == 0)
}

#[test]
fn the_pins_of_ten_that_leave_two_hundred_are_soon_whole_elsewhere() {
    let pins = pick(40, 200);
    let mut world = steady();
    for number in 0..pins {
        let at = usize::try_from(number).unwrap() % LEAVING.start;
        let mut wanted = request(cid(number));
        wanted.replication = Some(Replication::from_stored(3, 3));
        // A third of them with those that will leave.
        let leaving = LEAVING.start + usize::try_from(number).unwrap() % 10;
        wanted.user_allocations.extend((number % 3 == 0).then(|| peer::id(leaving)));
        let until = Until::Done { deadline: None };
        world.ask(at, |waiter| Input::Pin { waiter, call: None, pins: vec![wanted], until });
        world.pass(200);
    }
    world.pass(60_000);
    let before = world.pins(0);
    let gone: BTreeSet<PeerId> = LEAVING.map(peer::id).collect();
    let hit = |pin: &&Pin| pin.allocations.iter().any(|peer| gone.contains(peer));
    let moved = before.values().filter(hit).count();
    assert!(moved * 3 >= before.len(), "{moved} of {}", before.len());
    leave(&mut world);
    world.pass(GRACE - 1000);
    assert_eq!(world.pins(0), before, "nothing moves within the grace period");
    let began = world.now.plus_millis(1000);
    while !is_whole(&world) {
        world.pass(500);
        assert!(
            world.now.0.saturating_sub(began.0) < 600_000,
            "not whole ten minutes after the grace period"
        );
    }
    let after = world.pins(0);
    let kept = |pin: &&Pin| !before[&pin.cid].allocations.iter().any(|peer| gone.contains(peer));
    assert!(after.values().filter(kept).all(|pin| before[&pin.cid] == *pin), "others stay");
    let took = world.now.0.saturating_sub(began.0) / 1000;
    eprintln!("{moved} pins of 10 of {PEERS} peers: whole {took} s after the grace period");
}

fn commits(world: &World) -> Vec<u64> {
    world.peers.iter().map(|peer| peer.commits).collect()
}

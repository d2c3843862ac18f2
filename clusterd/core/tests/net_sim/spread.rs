//! A pin counts as pinned, and is answered, when as many peers hold it as must.

use clusterd_core::effect::Answer;
use clusterd_core::input::{Input, WaiterId};
use clusterd_core::pinset::key::PinKey;
use clusterd_core::pinset::pin_row::PinRow;
use clusterd_core::snapshot::Row;
use clusterd_core::spread::{self, News, PeerState, Report};
use clusterd_core::store::{Space, Store};
use common::ids::Cid;
use common::pin::Replication;

use crate::act::{cid, request};
use crate::listen::held;
use crate::peer;
use crate::told::DONE;
use crate::world::World;

/// Peers that know each other, with room for everything.
fn cluster(size: usize) -> World {
    let mut world = World::quiet(size);
    (0..size).for_each(|at| world.introduce(at));
    world.join();
    world.pass(2000);
    world
}

fn pin(world: &mut World, at: usize, cid: Cid, name: &str, min_max: (i32, i32)) -> WaiterId {
    let mut request = request(cid);
    request.name = Some(name.to_owned());
    request.replication = Some(Replication::from_stored(min_max.0, min_max.1));
    world.ask(at, |waiter| Input::Pin { waiter, call: None, pins: vec![request], until: DONE })
}

fn is_done(world: &World, waiter: WaiterId) -> bool {
    match world.answers.get(&waiter) {
        None => false,
        Some(Answer::Done { .. }) => true,
        Some(other) => panic!("{other:?}"),
    }
}

fn holds(world: &World, at: usize, cid: Cid) -> bool {
    world.peers[at].kubo.held.contains_key(&cid)
}

/// Whether a peer lists a pin.
fn lists(world: &World, at: usize, cid: Cid) -> bool {
    let node = world.peers[at].node.as_ref().unwrap();
    let key = PinKey::from_cid(&cid);
    let get = |space| node.store().get(space, key.as_bytes()).unwrap();
    let (pin, unsettled, lacking) = (get(Space::Pins), get(Space::Unsettled), get(Space::Spread));
    let Some(pin) = pin else { return false };
    let row = Row {
        key: key.as_bytes(),
        pin: Some(&pin),
        unsettled: unsettled.as_deref(),
        spread: lacking.as_deref(),
    };
    let is_member = |peer: &common::ids::PeerId| node.members().is_member(peer, world.now);
    spread::is_pinned(row, PinRow::parse(&pin).unwrap(), &peer::id(at), is_member)
}

fn nobody_has(world: &mut World, at: usize, cid: Cid) {
    world.peers[at].kubo.dead.insert(cid);
}

fn found(world: &mut World, at: usize, cid: Cid) {
    world.peers[at].kubo.dead.remove(&cid);
}

/// Two peers that held a pin, until the Kubo of the second lost it.
fn lost_at_the_other() -> World {
    let mut world = cluster(2);
    let waiter = pin(&mut world, 0, cid(1), "n", (2, 2));
    world.pass(20_000);
    assert!(is_done(&world, waiter) && lists(&world, 0, cid(1)));
    world.peers[1].kubo.held.clear();
    nobody_has(&mut world, 1, cid(1));
    world
}

#[test]
pub(crate) fn a_pin_is_done_when_its_minimum_holds_it() {
    let mut world = cluster(3);
    nobody_has(&mut world, 1, cid(1));
    nobody_has(&mut world, 2, cid(1));
    let waiter = pin(&mut world, 0, cid(1), "n", (2, 3));
    world.pass(20_000);
    assert!(holds(&world, 0, cid(1)) && !is_done(&world, waiter), "one of two is too few");
    assert!((0..3).all(|at| !lists(&world, at, cid(1))));
    found(&mut world, 2, cid(1));
    world.pass(20_000);
    assert!(is_done(&world, waiter) && !holds(&world, 1, cid(1)));
    assert!((0..3).all(|at| lists(&world, at, cid(1))), "two of three suffice");
    found(&mut world, 1, cid(1));
    world.pass(60_000);
    world.check();
}

#[test]
fn a_peer_that_holds_none_of_it_answers_and_lists_all_the_same() {
    let mut world = cluster(3);
    let mut wanted = request(cid(1));
    wanted.replication = Some(Replication::from_stored(2, 2));
    wanted.user_allocations = vec![peer::id(1), peer::id(2)];
    let waiter =
        world.ask(0, |waiter| Input::Pin { waiter, call: None, pins: vec![wanted], until: DONE });
    world.pass(20_000);
    assert!(is_done(&world, waiter) && !holds(&world, 0, cid(1)) && lists(&world, 0, cid(1)));
    world.check();
}

#[test]
pub(crate) fn what_a_holder_lost_is_not_pinned_until_it_has_it_again() {
    let mut world = lost_at_the_other();
    world.pass(13 * 3_600_000);
    assert!(!lists(&world, 0, cid(1)), "the audit at the other peer found it lost");
    found(&mut world, 1, cid(1));
    world.pass(120_000);
    assert!(lists(&world, 0, cid(1)));
    world.check();
}

#[test]
pub(crate) fn what_is_held_is_told_within_a_second() {
    let mut world = cluster(2);
    nobody_has(&mut world, 1, cid(1));
    let waiter = pin(&mut world, 0, cid(1), "n", (2, 2));
    // Long enough for questions to be rare.
    world.pass(200_000);
    assert!(!is_done(&world, waiter));
    found(&mut world, 1, cid(1));
    for _ in 0..100 {
        world.pass(100);
        if holds(&world, 1, cid(1)) {
            world.pass(1000);
            assert!(is_done(&world, waiter), "held, and not told");
            return world.check();
        }
    }
    panic!("never held");
}

#[test]
pub(crate) fn a_new_name_does_not_make_a_missing_pin_held() {
    let mut world = cluster(2);
    nobody_has(&mut world, 1, cid(1));
    pin(&mut world, 0, cid(1), "n", (2, 2));
    world.pass(20_000);
    pin(&mut world, 0, cid(1), "another", (2, 2));
    world.pass(20_000);
    assert!(!lists(&world, 0, cid(1)));
    found(&mut world, 1, cid(1));
    world.pass(120_000);
    assert!(lists(&world, 0, cid(1)));
    world.check();
}

#[test]
fn who_waits_is_told_once_too_few_peers_are_left_that_have_not_failed() {
    let mut world = cluster(3);
    for at in 0..3 {
        nobody_has(&mut world, at, cid(1));
    }
    let waiter = pin(&mut world, 0, cid(1), "n", (2, 3));
    world.pass(1000);
    let report = |peer, attempts| {
        let error = "no such block".to_owned();
        let failed = PeerState::Missing { lost: false, attempts, error, is_away: false };
        let reports = vec![Report { cid: cid(1), news: News::State(failed) }];
        Input::PeerReports { peer: peer::id(peer), reports }
    };
    world.feed(0, report(1, 1));
    world.feed(0, report(1, 2));
    assert!(!is_done(&world, waiter), "two can still do it");
    world.feed(0, report(2, 1));
    let refusal = world.refusal(waiter);
    assert!(refusal.contains("no such block") && refusal.contains("stays accepted"), "{refusal}");
}

#[test]
fn who_waits_again_need_not_wait_for_a_peer_whose_kubo_is_away() {
    let mut world = cluster(2);
    nobody_has(&mut world, 1, cid(1));
    pin(&mut world, 0, cid(1), "n", (2, 2));
    world.pass(1000);
    let report = |is_away| {
        let error = "connection refused".to_owned();
        let lacks = PeerState::Missing { lost: false, attempts: 3, error, is_away };
        let reports = vec![Report { cid: cid(1), news: News::State(lacks) }];
        Input::PeerReports { peer: peer::id(1), reports }
    };
    // Failures of before are none of the new request, but a Kubo that is away now is.
    let waiter = pin(&mut world, 0, cid(1), "n", (2, 2));
    world.feed(0, report(false));
    assert!(!is_done(&world, waiter));
    world.feed(0, report(true));
    assert!(world.refusal(waiter).contains("connection refused"));
}

#[test]
fn a_new_member_does_not_make_old_pins_unpinned() {
    let mut world = World::quiet(3);
    for (to, of) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        world.give_metrics(to, of, &["ping", "freespace", "tag:group"]);
    }
    world.groups = vec![0, 0, 1];
    world.listen();
    world.pin_at(0, cid(1), "old");
    world.pass(60_000);
    assert!(lists(&world, 0, cid(1)));
    nobody_has(&mut world, 2, cid(1));
    nobody_has(&mut world, 2, cid(2));
    (0..3).for_each(|at| world.introduce(at));
    world.join();
    let waiter = world.pin_at(0, cid(2), "new");
    world.pass(60_000);
    assert!(lists(&world, 0, cid(1)) && lists(&world, 1, cid(1)), "pinned once, pinned still");
    assert!(!is_done(&world, waiter) && !lists(&world, 0, cid(2)), "a new pin is for all three");
    found(&mut world, 2, cid(1));
    found(&mut world, 2, cid(2));
    world.pass(120_000);
    assert!(is_done(&world, waiter));
    world.check();
}

#[test]
fn nobody_waits_for_a_member_that_fell_silent() {
    let mut world = World::quiet(2);
    world.introduce(0);
    // The other one's ping ends soon.
    let ping = clusterd_core::members::Metric {
        peer: peer::id(1),
        name: "ping".to_owned(),
        value: String::new(),
        weight: 0,
        is_group: false,
        is_valid: true,
        expires: world.now.plus_millis(30_000),
        received: world.now,
    };
    world.feed(0, Input::Metric(ping));
    let waiter = world.pin_at(0, cid(1), "n");
    world.pass(29_000);
    assert!(holds(&world, 0, cid(1)) && !is_done(&world, waiter));
    world.pass(2000);
    assert!(is_done(&world, waiter) && lists(&world, 0, cid(1)));
}

#[test]
fn what_was_added_here_for_others_is_let_go_once_they_hold_it() {
    let mut world = World::quiet(3);
    for at in 0..3 {
        for of in 1..3 {
            world.give_metrics(at, of, &["ping", "freespace", "tag:group"]);
        }
        // The first has no room.
        world.give_metrics(at, 0, &["ping", "tag:group"]);
    }
    world.join();
    world.pass(2000);
    let held = (common::pin::PinMode::Recursive, String::new());
    world.peers[0].kubo.held.insert(cid(1), held);
    nobody_has(&mut world, 1, cid(1));
    let mut wanted = request(cid(1));
    wanted.replication = Some(Replication::from_stored(2, 2));
    wanted.local = true;
    let waiter =
        world.ask(0, |waiter| Input::Pin { waiter, call: None, pins: vec![wanted], until: DONE });
    world.pass(20_000);
    assert!(holds(&world, 0, cid(1)) && !is_done(&world, waiter), "nobody else is to lose it");
    found(&mut world, 1, cid(1));
    world.pass(20_000);
    assert!(is_done(&world, waiter) && !holds(&world, 0, cid(1)));
    world.check();
}

#[test]
fn a_pin_that_failed_elsewhere_is_tried_there_again_when_it_is_asked_for_again() {
    let mut world = cluster(2);
    world.peers[1].kubo.is_down = true;
    pin(&mut world, 0, cid(1), "n", (2, 2));
    world.pass(30_000);
    world.peers[1].kubo.is_down = false;
    nobody_has(&mut world, 1, cid(1));
    world.pass(400_000);
    found(&mut world, 1, cid(1));
    let again = pin(&mut world, 0, cid(1), "n", (2, 2));
    world.pass(5000);
    assert!(is_done(&world, again), "waits for its turn");
    world.check();
}

/// A peer that has just started and knows of others, of whom it has not heard yet.
fn just_started() -> World {
    let mut world = World::quiet(2);
    for at in 0..2 {
        world.peers[at].stop();
        world.peers[at].config.expects_others = true;
    }
    (0..2).for_each(|at| world.start(at));
    world.join();
    world
}

#[test]
fn a_pin_that_comes_before_the_others_were_heard_of_waits_for_them() {
    let mut world = just_started();
    let early = pin(&mut world, 0, cid(1), "n", (2, 2));
    world.pass(5000);
    assert!(!is_done(&world, early) && world.pins(0).is_empty());
    (0..2).for_each(|at| world.introduce(at));
    world.pass(10_000);
    assert!(is_done(&world, early));
    world.check();
}

#[test]
fn a_pin_for_which_there_are_too_few_peers_is_refused_after_a_while_and_later_at_once() {
    let mut world = just_started();
    let early = pin(&mut world, 0, cid(1), "n", (2, 2));
    world.pass(19_000);
    assert!(!world.answers.contains_key(&early));
    world.pass(2000);
    assert!(world.refusal(early).contains("not enough peers"));
    world.pass(20_000);
    let late = pin(&mut world, 0, cid(1), "n", (2, 2));
    world.pass(1);
    assert!(world.refusal(late).contains("2 needed, 1 found"));
}

#[test]
fn who_asks_again_is_not_told_of_a_failure_before() {
    let mut world = cluster(2);
    nobody_has(&mut world, 1, cid(1));
    pin(&mut world, 0, cid(1), "n", (2, 2));
    world.pass(5000);
    let again = pin(&mut world, 0, cid(1), "n", (2, 2));
    let report = |attempts| {
        let failed =
            PeerState::Missing { lost: false, attempts, error: "no".to_owned(), is_away: false };
        let reports = vec![Report { cid: cid(1), news: News::State(failed) }];
        Input::PeerReports { peer: peer::id(1), reports }
    };
    world.feed(0, report(3));
    assert!(!is_done(&world, again), "that was before");
    world.feed(0, report(4));
    assert!(world.refusal(again).contains("no"));
}

#[test]
pub(crate) fn what_a_peer_held_of_an_earlier_record_does_not_count() {
    let mut world = cluster(2);
    let first = pin(&mut world, 0, cid(1), "n", (2, 2));
    world.pass(20_000);
    assert!(is_done(&world, first));
    world.unpin_at(0, cid(1));
    // The other one hears of nothing for now, and holds what it did.
    world.groups = vec![0, 1];
    world.pass(5000);
    let second = pin(&mut world, 0, cid(1), "n", (2, 2));
    world.pass(5000);
    world.feed(0, Input::PeerReports { peer: peer::id(1), reports: vec![held(cid(1))] });
    world.pass(1000);
    assert!(!is_done(&world, second), "it has not heard of the new pin");
    world.join();
    world.pass(60_000);
    assert!(is_done(&world, second));
    world.check();
}

#[test]
fn a_lower_minimum_lets_those_who_wait_go() {
    let mut world = cluster(3);
    for at in [1, 2] {
        nobody_has(&mut world, at, cid(1));
    }
    let waiter = pin(&mut world, 0, cid(1), "n", (2, 3));
    world.pass(20_000);
    assert!(!is_done(&world, waiter));
    let lower = pin(&mut world, 1, cid(1), "n", (1, 3));
    world.pass(5000);
    assert!(is_done(&world, lower) && is_done(&world, waiter));
}

#[test]
fn a_full_disk_does_not_make_a_loss_forgotten() {
    let mut world = lost_at_the_other();
    world.peers[0].node.as_ref().unwrap().store().fill(true);
    world.pass(13 * 3_600_000);
    world.peers[0].node.as_ref().unwrap().store().fill(false);
    world.pass(10_000);
    assert!(!lists(&world, 0, cid(1)));
}

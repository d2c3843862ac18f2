//! Pins go to those peers alone that may have them.

use std::collections::BTreeSet;

use clusterd_core::config::Eligible;
use clusterd_core::input::{Input, Until};
use clusterd_core::members::{Metric, PING};
use common::ids::PeerId;
use common::pin::Replication;

use crate::world::{World, cid, request};

const OTHERS: [&str; 2] = [
    "12D3KooWSUmugQVfogFSJyTSqNpXmGmreFgPncRsbcuQyASKoN6G",
    "12D3KooWCvXWCEZfHnDzVrJSEfUYHbsNqGwWrrZMGBYvyg7BTcbc",
];

fn other(number: usize) -> PeerId {
    OTHERS[number].parse().unwrap()
}

/// A node with this setting and two more members, all of which have told what counts.
fn world(eligible: Eligible) -> World {
    let mut world = World::new();
    world.config.eligible = eligible;
    world.crash();
    let own = world.config.peer;
    for (peer, weight) in [(own, 3), (other(0), 2), (other(1), 1)] {
        for name in [PING, "tag:group", "freespace"] {
            let metric = Metric {
                peer,
                name: name.to_owned(),
                value: String::new(),
                weight,
                is_group: false,
                is_valid: true,
                expires: world.now.plus_millis(60_000),
                received: world.now,
            };
            world.input(Input::Metric(metric));
        }
    }
    world
}

/// Pins with these factors; who shall hold it, or why nobody.
fn allocated(world: &mut World, min: i32, max: i32) -> Result<BTreeSet<PeerId>, String> {
    let mut pin = request(cid(1));
    pin.replication = Replication::from_factors(min, max).unwrap();
    let waiter = world.pin(vec![pin], Until::Accepted);
    match world.pins().get(&cid(1)) {
        Some(pin) => Ok(pin.allocations.iter().copied().collect()),
        None => Err(world.refusal(waiter)),
    }
}

#[test]
fn without_the_setting_all_members_may_have_a_pin() {
    let mut world = world(Eligible::Everyone);
    let all = BTreeSet::from([world.config.peer, other(0), other(1)]);
    assert_eq!(allocated(&mut world, 1, 3), Ok(all));
}

#[test]
fn only_these_and_all_but_these_are_chosen() {
    let own = World::new().config.peer;
    let these = BTreeSet::from([own, other(1)]);
    let chosen = allocated(&mut world(Eligible::Only(these.clone())), 1, 3);
    assert_eq!(chosen, Ok(these.clone()));
    let chosen = allocated(&mut world(Eligible::AllBut(these)), 1, 3);
    assert_eq!(chosen, Ok(BTreeSet::from([other(0)])));
}

#[test]
fn too_few_that_may_are_too_few() {
    let these = BTreeSet::from([other(0)]);
    let words = allocated(&mut world(Eligible::Only(these)), 2, 3).unwrap_err();
    assert!(words.contains("not enough peers"), "{words}");
}

#[test]
fn a_client_cannot_name_one_that_may_not_and_a_lone_peer_is_no_exception() {
    let mut world = world(Eligible::AllBut(BTreeSet::from([other(0)])));
    let mut pin = request(cid(1));
    pin.replication = Replication::from_factors(1, 1).unwrap();
    pin.user_allocations = vec![other(0)];
    world.pin(vec![pin], Until::Accepted);
    assert_eq!(world.pins()[&cid(1)].allocations, [world.config.peer]);

    let mut alone = World::new();
    alone.config.eligible = Eligible::AllBut(BTreeSet::from([alone.config.peer]));
    alone.crash();
    let words = allocated(&mut alone, 1, 1).unwrap_err();
    assert!(words.contains("not enough peers"), "{words}");
}

#[test]
fn pins_for_all_are_for_all() {
    let mut world = world(Eligible::Only(BTreeSet::from([other(0)])));
    assert_eq!(allocated(&mut world, -1, -1), Ok(BTreeSet::new()));
}

#[test]
fn a_holder_that_may_not_is_replaced_when_the_pin_is_changed() {
    let own = World::new().config.peer;
    let mut world = world(Eligible::Everyone);
    assert_eq!(allocated(&mut world, 1, 1), Ok(BTreeSet::from([own])));
    world.config.eligible = Eligible::AllBut(BTreeSet::from([own]));
    world.crash();
    for name in [PING, "tag:group", "freespace"] {
        let (value, received) = (String::new(), world.now);
        world.input(Input::Metric(Metric {
            peer: other(1),
            name: name.to_owned(),
            value,
            weight: 1,
            is_group: false,
            is_valid: true,
            expires: received.plus_millis(60_000),
            received,
        }));
    }
    assert_eq!(allocated(&mut world, 1, 1), Ok(BTreeSet::from([other(1)])));
}

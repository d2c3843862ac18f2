//! Calls to pin that are made again after clusterd broke off: they find their own work done.

use clusterd_core::effect::Answer;
use clusterd_core::input::Until;
use clusterd_core::store::Space;

use crate::world::{World, cid, request};

/// Whether the caller has been told that the pins are accepted.
fn is_told(world: &World, waiter: clusterd_core::input::WaiterId) -> bool {
    let accepted = Answer::Progress { nodes: 0, bytes: 0 };
    world.answers.get(&waiter).is_some_and(|answers| answers.contains(&accepted))
}

#[test]
fn a_repeated_call_waits_for_the_pin_that_it_made() {
    let mut world = World::new();
    let first = world.call(7, false, vec![request(cid(1))]);
    assert!(is_told(&world, first) && world.answer(first).is_none());
    world.crash();
    let again = world.call(7, false, vec![request(cid(1))]);
    assert!(is_told(&world, again) && world.answer(again).is_none());
    world.settle();
    assert!(world.is_done(again));
    assert_eq!(world.pins().len(), 1);
}

#[test]
fn what_somebody_unpinned_in_between_stays_unpinned() {
    // Whether the answer was lost, or the caller was told and the call forgotten since.
    for (told, id) in [(false, 7), (true, 8)] {
        let mut world = World::new();
        world.call(7, false, vec![request(cid(1)), request(cid(2))]);
        world.crash();
        world.unpin(vec![cid(2)], Until::Accepted);
        let again = world.call(id, told, vec![request(cid(1)), request(cid(2))]);
        assert_eq!(world.refusal(again), format!("pin: {} was unpinned meanwhile", cid(2)));
        world.settle();
        assert_eq!(world.settled().into_keys().collect::<Vec<_>>(), [cid(1)]);
    }
}

#[test]
fn a_repeated_call_leaves_options_that_came_later_alone() {
    let mut world = World::new();
    world.call(7, false, vec![request(cid(1))]);
    world.settle();
    world.crash();
    let mut named = request(cid(1));
    named.name = Some("later".to_owned());
    world.pin(vec![named], Until::Accepted);
    let again = world.call(7, false, vec![request(cid(1))]);
    world.settle();
    assert!(world.is_done(again));
    assert_eq!(world.pins()[&cid(1)].name, "later");
}

#[test]
fn the_same_pin_again_writes_nothing_whatever_the_call() {
    let mut world = World::new();
    world.call(7, false, vec![request(cid(1))]);
    world.settle();
    let before = world.rows(Space::Requests);
    let again = world.call(8, false, vec![request(cid(1))]);
    assert!(world.is_done(again));
    assert_eq!(world.rows(Space::Requests), before);
}

//! What other peers write reaches Kubo, and those who wait here.

use clusterd_core::store::Space;
use common::pin::{Pin, PinMode, Replication};
use common::status::PinStatus;

use crate::act::cid;
use crate::peer;
use crate::world::World;

fn pair() -> World {
    let mut world = World::quiet(2);
    world.join();
    world.pass(1000);
    world
}

fn allocated(world: &World, number: u64, to: &[usize], age: u64) -> Pin {
    let replication = Replication::from_stored(1, 2);
    let mut pin = Pin::new(cid(number), replication, world.now.seconds() - age);
    pin.allocations = to.iter().map(|at| peer::id(*at)).collect();
    pin.name = format!("{to:?}");
    pin
}

#[test]
fn who_waits_for_a_pin_that_another_peer_unpins_is_told() {
    let mut world = pair();
    for at in [0, 1] {
        world.peers[at].kubo.dead.insert(cid(1));
    }
    let waiter = world.pin_at(0, cid(1), "n");
    world.pass(5000);
    let unpin = world.unpin_at(1, cid(1));
    world.pass(5000);
    assert!(world.refusal(waiter).contains("was unpinned meanwhile"));
    assert!(world.answers.contains_key(&unpin));
    world.check();
}

#[test]
fn a_peer_holds_what_is_allocated_to_it_and_lets_go_of_what_is_not_any_more() {
    let mut world = pair();
    let holds = |world: &World, at: usize| world.peers[at].kubo.held.contains_key(&cid(1));
    world.import_at(0, vec![allocated(&world, 1, &[0], 0)]);
    world.pass(10_000);
    assert!(holds(&world, 0) && !holds(&world, 1));
    assert_eq!(world.count(1, Space::Unsettled), 0);
    world.import_at(0, vec![allocated(&world, 1, &[1], 0)]);
    world.pass(10_000);
    assert!(!holds(&world, 0) && holds(&world, 1));
    world.import_at(1, vec![allocated(&world, 1, &[0, 1], 0)]);
    world.pass(10_000);
    assert!(holds(&world, 0) && holds(&world, 1));
    world.check();
}

#[test]
fn a_new_pin_of_another_peer_goes_ahead_of_an_old_history() {
    let mut world = World::quiet(2);
    // The new one lies below the old ones, so it comes last.
    world.pin_at(0, cid(0), "new");
    let everywhere = |number| Pin::new(cid(number), Replication::Everywhere, 1_600_000_000);
    for number in 1..3000 {
        world.peers[1].kubo.dead.insert(cid(number));
    }
    world.import_at(0, (1..3000).map(everywhere).collect());
    world.join();
    world.pass(20_000);
    assert!(world.peers[1].kubo.held.contains_key(&cid(0)));
    let counts = world.peers[1].node.as_ref().unwrap().counts();
    assert_eq!((counts.pins, counts.to_pin()), (3000, 2999));
}

#[test]
fn what_kubo_holds_already_when_a_history_comes_is_settled_by_an_audit() {
    let mut world = World::quiet(2);
    let everywhere = |number| Pin::new(cid(number), Replication::Everywhere, 1_600_000_000);
    for number in 0..1000 {
        let held = (PinMode::Recursive, String::new());
        world.peers[1].kubo.held.insert(cid(number), held);
    }
    world.import_at(0, (0..1000).map(everywhere).collect());
    world.pass(200_000);
    let calls = world.peers[1].kubo.calls;
    world.join();
    world.pass(20_000);
    let counts = world.peers[1].node.as_ref().unwrap().counts();
    assert_eq!((counts.pins, counts.of(PinStatus::PinQueued)), (1000, 0));
    let calls = world.peers[1].kubo.calls - calls;
    assert!(calls < 200, "{calls} calls");
}

#[test]
fn known_heads_write_nothing_and_a_quiet_network_stays_quiet() {
    let mut world = pair();
    world.pin_at(0, cid(1), "n");
    world.pass(300_000);
    let blocks = [world.blocks_of(0), world.blocks_of(1)];
    let commits = [world.peers[0].commits, world.peers[1].commits];
    world.pass(3_600_000);
    assert_eq!([world.blocks_of(0), world.blocks_of(1)], blocks);
    assert_eq!([world.peers[0].commits, world.peers[1].commits], commits);
}

#[test]
fn a_batch_collects_until_it_is_full_or_old() {
    let mut world = World::quiet(1);
    world.peers[0].config.batch_age = 2000;
    world.peers[0].config.batch_pins = 3;
    world.peers[0].stop();
    world.start(0);
    world.pass(1000);
    let first = world.pin_at(0, cid(1), "a");
    world.pass(1500);
    world.pin_at(0, cid(2), "b");
    assert_eq!((world.count(0, Space::Blocks), world.answers.get(&first)), (0, None));
    world.pass(600);
    assert_eq!(world.count(0, Space::Blocks), 1);
    for number in 3..6 {
        world.pin_at(0, cid(number), "c");
    }
    assert_eq!(world.count(0, Space::Blocks), 2);
    world.pass(10_000);
    world.check();
}

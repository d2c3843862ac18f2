//! A peer that wrote before it knew any other keeps what it wrote when it meets an older history.

use common::pin::{Pin, Replication};

use crate::act::cid;
use crate::report::Fault;
use crate::world::World;

/// Peer 0 has a long history, peer 1 a short one of its own, made later.
fn two_roots() -> World {
    let mut world = World::quiet(2);
    for number in 0..12 {
        world.pin_at(0, cid(number % 6), &format!("old {number}"));
        world.pass(1000);
    }
    world.pass(60_000);
    world.pin_at(1, cid(0), "new");
    world.pin_at(1, cid(1), "gone");
    world.pin_at(1, cid(2), "soon old");
    world.pass(1000);
    world.unpin_at(1, cid(1));
    world.pass(1000);
    world.pin_at(0, cid(2), "newest");
    world.pass(1000);
    world
}

fn check(world: &mut World) {
    world.pass(400_000);
    for at in [0, 1] {
        assert_eq!(world.name_at(at, cid(0)).as_deref(), Some("new"), "its own newer pin");
        assert_eq!(world.name_at(at, cid(1)), None, "its own unpin of a newer pin");
        assert_eq!(world.name_at(at, cid(2)).as_deref(), Some("newest"), "the other's newer pin");
        assert_eq!(world.name_at(at, cid(3)).as_deref(), Some("old 9"), "what only one had");
    }
    world.check();
}

/// What a peer wrote alone wins over older history, whatever its height.
pub(crate) fn own_changes_win() {
    let mut world = two_roots();
    world.join();
    check(&mut world);
}

/// The same when it dies at any moment of its first walk.
pub(crate) fn own_changes_win_over_crashes(step: usize) {
    for moment in (0..400).step_by(step) {
        let mut world = two_roots();
        world.join();
        world.pass(moment);
        world.crash(1, Fault::CrashBeforeCommit);
        check(&mut world);
    }
}

#[test]
fn what_a_peer_wrote_alone_wins_over_older_history() {
    own_changes_win();
}

#[test]
fn what_a_peer_wrote_alone_wins_also_when_it_dies_on_the_way() {
    own_changes_win_over_crashes(7);
}

#[test]
fn after_the_first_walk_height_decides_as_in_go() {
    let mut world = two_roots();
    world.join();
    check(&mut world);
    world.groups = vec![0, 1];
    for number in 0..5 {
        world.pin_at(0, cid(3), &format!("high {number}"));
        world.pass(1000);
    }
    world.pin_at(1, cid(3), "low but later");
    world.pass(1000);
    world.join();
    world.pass(100_000);
    assert_eq!(world.name_at(1, cid(3)).as_deref(), Some("high 4"));
    world.check();
}

#[test]
fn a_link_to_nothing_does_not_make_the_first_walk_last_for_ever() {
    let mut world = two_roots();
    let (id, bytes) = world.link_to_nothing(0);
    world.forged.insert(id, bytes);
    world.join();
    world.send(1, &[id]);
    world.pass(600_000);
    let progress = world.peers[1].node.as_ref().unwrap().progress();
    assert_eq!((progress.wanted, progress.failed), (1, 1));
    // An old record of the other peer is what it is now, not history.
    let record = Pin::new(cid(1), Replication::Everywhere, 1_000_000_000);
    world.import_at(0, vec![record]);
    world.pass(10_000);
    assert!(world.name_at(1, cid(1)).is_some());
}

#[test]
fn three_peers_that_all_wrote_alone_come_to_one_pinset_and_rest() {
    let mut world = World::quiet(3);
    for at in 0..3 {
        for number in 0..=3 * at {
            world.pin_at(at, cid(1), &format!("{at} {number}"));
        }
    }
    world.pass(1000);
    world.join();
    world.pass(400_000);
    world.check();
    let blocks = world.blocks_of(0).len();
    world.pass(3_600_000);
    assert_eq!(world.blocks_of(0).len(), blocks, "nobody goes on writing");
}

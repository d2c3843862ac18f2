//! What peers tell runs out by itself, at a known time, and is kept as alerts.

use clusterd_core::effect::Answer;
use clusterd_core::input::{Input, PinRequest, Until};
use clusterd_core::members::{Members, Metric, PING};
use common::ids::PeerId;
use common::pin::Replication;

use crate::world::{PEER, World, cid, request};

const OTHER: &str = "12D3KooWSUmugQVfogFSJyTSqNpXmGmreFgPncRsbcuQyASKoN6G";

/// How long a ping holds, in milliseconds.
const LIFE: u64 = 30_000;

fn ping(world: &World) -> Input {
    told(world, OTHER.parse().unwrap(), PING, 0)
}

fn told(world: &World, peer: PeerId, name: &str, weight: i64) -> Input {
    Input::Metric(Metric {
        peer,
        name: name.to_owned(),
        value: weight.to_string(),
        weight,
        is_group: false,
        is_valid: true,
        expires: world.now.plus_millis(LIFE),
        received: world.now,
    })
}

fn members(world: &mut World) -> Members {
    let waiter = world.waiter();
    world.input(Input::Members { waiter });
    match world.answer(waiter) {
        Some(Answer::Members(members)) => Members::clone(members),
        other => panic!("not the members: {other:?}"),
    }
}

#[test]
fn a_ping_that_runs_out_wakes_the_node_and_is_an_alert_also_after_a_failed_commit() {
    let mut world = World::new();
    let other: PeerId = OTHER.parse().unwrap();
    let first = ping(&world);
    world.input(first);
    world.pass(LIFE / 2);
    let second = ping(&world);
    world.input(second);
    // The first look is due by the ping that was replaced since, and finds nothing.
    world.pass(LIFE - 1);
    assert_eq!(members(&mut world).alerts().count(), 0);
    let end = world.now.plus_millis(2);
    assert_eq!(world.node.next_wake().map(|wake| wake <= end), Some(true));
    world.pass(2);
    let told = members(&mut world);
    assert!(!told.is_member(&other, world.now));
    let alerts: Vec<_> = told.alerts().map(|alert| (alert.metric.peer, alert.noticed)).collect();
    assert_eq!(alerts, [(other, end)]);
    // Hours later it is still one.
    world.pass(4 * 3_600_000);
    assert_eq!(members(&mut world).alerts().count(), 1);
    world.node.rollback(world.now).unwrap();
    assert_eq!(members(&mut world).alerted(), 1);
}

#[test]
fn soon_after_the_start_a_pin_waits_for_peers_that_have_not_told_their_space() {
    let mut world = World::new();
    let other: PeerId = OTHER.parse().unwrap();
    let first = ping(&world);
    world.input(first);
    let replication = Some(Replication::from_stored(2, 2));
    let asked = vec![PinRequest { replication, ..request(cid(1)) }];
    let waiter = world.pin(asked.clone(), Until::Accepted);
    assert!(world.answer(waiter).is_none(), "nobody has told, not even this peer");
    for peer in [PEER.parse().unwrap(), other] {
        for name in ["tag:group", "freespace"] {
            let metric = told(&world, peer, name, 7);
            world.input(metric);
        }
    }
    assert!(world.is_done(waiter));
    // Later it is refused at once.
    let mut world = World::new();
    world.pass(31_000);
    let first = ping(&world);
    world.input(first);
    let waiter = world.pin(asked, Until::Accepted);
    assert!(world.refusal(waiter).contains("not enough peers"));
}

//! Many pins: turns, audits, a Kubo that is away.

use clusterd_core::effect::Answer;
use clusterd_core::input::{Input, IpfsFailure, Until};
use clusterd_core::store::Space;
use common::pin::{Pin, PinMode, Replication};
use common::status::PinStatus;

use crate::world::{DONE, World, cid, request};

fn import(world: &mut World, numbers: std::ops::Range<u64>) -> Answer {
    let pins = numbers.map(|number| Pin::new(cid(number), Replication::Everywhere, 77)).collect();
    let waiter = world.waiter();
    world.input(Input::Import { waiter, pins });
    world.answer(waiter).unwrap().clone()
}

#[test]
fn an_import_keeps_records_and_the_second_one_writes_nothing() {
    let mut world = World::new();
    let first = import(&mut world, 0..3000);
    assert_eq!(first, Answer::Imported { written: 3000, unchanged: 0 });
    assert_eq!(world.pins()[&cid(5)].created_at, 77);
    assert_eq!(world.rows(Space::Blocks).len(), 1);
    let second = import(&mut world, 0..3001);
    assert_eq!(second, Answer::Imported { written: 1, unchanged: 3000 });
}

#[test]
fn large_imports_make_blocks_of_a_mebibyte() {
    let mut world = World::new();
    let pins = (0..12_000).map(|n| Pin::new(cid(n), Replication::Everywhere, 77)).collect();
    let waiter = world.waiter();
    world.node.handle(Input::Import { waiter, pins }, world.now).unwrap();
    world.node.commit().unwrap();
    let sizes: Vec<usize> = world.rows(Space::Blocks).iter().map(|(_, row)| row.len()).collect();
    assert!(sizes.len() > 1 && sizes.iter().all(|size| *size <= (1 << 20) + 100), "{sizes:?}");
}

#[test]
fn what_kubo_holds_already_is_settled_by_an_audit_and_not_pin_by_pin() {
    let mut world = World::new();
    world.settle();
    for number in 0..2000 {
        world.kubo.held.insert(cid(number), (PinMode::Recursive, String::new()));
    }
    import(&mut world, 0..2001);
    world.pass(11_000);
    world.answer_probes_and_audits();
    assert!(world.settled().len() >= 2000 - world.kubo.asked.len());
    world.settle();
    assert_eq!(world.settled().len(), 2001);
    assert!(world.kubo.calls < 100, "{} calls", world.kubo.calls);
    assert_eq!(world.node.counts().unsettled(), 0);
}

#[test]
fn what_kubo_lost_is_pinned_again_and_what_is_not_ours_is_left_alone() {
    let mut world = World::new();
    world.pin((0..3).map(|number| request(cid(number))).collect(), DONE);
    world.settle();
    world.kubo.held.remove(&cid(1));
    world.kubo.held.insert(cid(99), (PinMode::Recursive, "users own".to_owned()));
    world.kubo.dead.insert(cid(1));
    world.pass(12 * 3_600_000);
    world.settle();
    assert_eq!(world.status(cid(1)).1.status, PinStatus::Pinning);
    assert_eq!(world.node.counts().of(PinStatus::UnexpectedlyUnpinned), 1);
    assert_eq!(world.settled().len(), 2);
    world.kubo.dead.clear();
    world.settle();
    assert_eq!(world.settled().len(), 3);
    assert!(world.kubo.held.contains_key(&cid(99)));
}

#[test]
fn a_pin_that_comes_to_be_held_while_the_audit_passes_by_is_not_lost() {
    let mut world = World::new();
    world.pin(vec![request(cid(1))], DONE);
    world.settle();
    world.pass(12 * 3_600_000);
    // Kubo's list was made before this pin came.
    let list = world.kubo.audit();
    world.pin(vec![request(cid(2))], DONE);
    let op = world.kubo.op_of(&cid(2)).unwrap();
    let end = world.kubo.finish(op).unwrap();
    world.input(end);
    for input in list {
        world.input(input);
    }
    world.pass(1000);
    assert_eq!(world.settled().len(), 2);
}

#[test]
fn an_audit_that_broke_off_says_nothing_of_losses() {
    let mut world = World::new();
    world.pin(vec![request(cid(1))], DONE);
    world.settle();
    world.pass(12 * 3_600_000);
    assert_eq!(world.kubo.audits, 1);
    world.kubo.audits = 0;
    world.input(Input::AuditEnded { complete: false });
    world.pass(1000);
    assert_eq!(world.settled().len(), 1);
}

/// How long one live pin waits behind so many that nobody provides.
fn wait_behind_dead(world: &mut World, dead: u64) -> u64 {
    for number in 1..=dead {
        world.kubo.dead.insert(cid(number));
    }
    import(world, 1..dead + 1);
    world.settle();
    let waiter = world.pin(vec![request(cid(0))], DONE);
    let begun = world.now;
    for _ in 0..60 {
        world.settle();
        if world.is_done(waiter) {
            break;
        }
        world.pass(500);
    }
    assert!(world.is_done(waiter));
    world.now.0 - begun.0
}

#[test]
fn a_live_pin_passes_all_dead_ones_within_seconds() {
    let mut world = World::new();
    assert!(wait_behind_dead(&mut world, 20_000) <= 4000);
    assert!(world.kubo.asked.len() <= 40);
}

#[test]
fn a_live_pin_passes_dead_ones_that_failed_before() {
    let mut world = World::new();
    world.config.retry_after_max = 60_000;
    world.crash();
    for number in 1..=500 {
        world.kubo.dead.insert(cid(number));
    }
    import(&mut world, 1..501);
    // Every dead pin fails several times; each failure is Kubo's word.
    for _ in 0..600 {
        world.settle();
        if let Some(op) = world.kubo.first_op() {
            let input = world.kubo.fail(op, IpfsFailure::Stalled("nothing came".to_owned()));
            world.input(input);
        }
        world.pass(700);
    }
    assert!(world.node.counts().of(PinStatus::PinError) > 400);
    let waiter = world.pin(vec![request(cid(0))], DONE);
    world.settle();
    assert!(world.is_done(waiter), "retries leave slots to new pins");
}

#[test]
fn dead_pins_are_tried_in_turn_and_none_is_forgotten() {
    let mut world = World::new();
    for number in 1..=300 {
        world.kubo.dead.insert(cid(number));
    }
    import(&mut world, 1..301);
    for _ in 0..400 {
        world.settle();
        world.pass(3000);
    }
    // Those without a failure are those that Kubo still looks for, as this one never gives up.
    assert!(world.kubo.asked.len() <= 40);
    let counts = world.node.counts();
    assert!(counts.of(PinStatus::PinQueued) <= world.kubo.asked.len() as u64);
    assert_eq!(counts.to_pin(), 300);
    world.kubo.dead.clear();
    for _ in 0..10 {
        world.pass(3_600_000);
        world.settle();
    }
    assert_eq!(world.settled().len(), 300);
}

#[test]
fn while_kubo_is_away_nothing_is_counted_written_or_called_and_then_all_goes_on() {
    let mut world = World::new();
    world.settle();
    world.kubo.is_down = true;
    let waiter = world.pin(vec![request(cid(0))], DONE);
    import(&mut world, 1..1000);
    world.settle();
    assert!(world.refusal(waiter).starts_with("pin: connection refused"));
    let calls = world.kubo.calls;
    for _ in 0..600 {
        world.pass(1000);
        world.answer_probes_and_audits();
        assert!(!world.wrote);
    }
    assert!(world.kubo.calls == calls && world.kubo.asked.is_empty());
    let status = world.status(cid(0)).1;
    assert_eq!((status.status, status.attempts), (PinStatus::PinError, 0));
    assert_eq!(status.error, "connection refused");
    // Who asks now is told at once.
    let waiter = world.pin(vec![request(cid(2000))], DONE);
    assert!(world.refusal(waiter).starts_with("pin: connection refused"));
    world.kubo.is_down = false;
    world.pass(15_000);
    world.settle();
    assert_eq!(world.settled().len(), 1001);
}

#[test]
fn a_kubo_that_freezes_under_a_long_queue_costs_no_attempts() {
    let mut world = World::new();
    world.settle();
    import(&mut world, 1..2000);
    for _ in 0..200 {
        world.pass(1000);
        if world.kubo.probes > 0 {
            world.kubo.probes = 0;
            world.input(Input::IpfsProbed { alive: false });
        }
        world.kubo.audits = 0;
        assert!(world.kubo.asked.len() <= 40);
    }
    assert_eq!(world.node.counts().of(PinStatus::PinQueued), 1999);
    let calls = world.kubo.calls;
    world.pass(1);
    // It thaws: what it was asked for goes on, the rest follows.
    for op in world.kubo.asked.keys().copied().take(5).collect::<Vec<_>>() {
        let input = world.kubo.fail(op, IpfsFailure::Stalled("nothing came".to_owned()));
        world.input(input);
    }
    assert_eq!((world.kubo.calls, world.node.counts().of(PinStatus::PinError)), (calls, 0));
    world.pass(15_000);
    world.settle();
    assert_eq!(world.settled().len(), 1999);
}

#[test]
fn a_pin_that_stalls_while_kubo_answers_is_at_fault_itself() {
    let mut world = World::new();
    world.settle();
    world.pin(vec![request(cid(1))], Until::Accepted);
    let op = world.kubo.first_op().unwrap();
    let input = world.kubo.fail(op, IpfsFailure::Stalled("nothing came".to_owned()));
    world.input(input);
    assert_eq!(world.kubo.probes, 1);
    assert_eq!(world.status(cid(1)).1.attempts, 0);
    world.kubo.probes = 0;
    world.input(Input::IpfsProbed { alive: true });
    assert_eq!(world.status(cid(1)).1.attempts, 1);
}

#[test]
fn recovering_all_tries_every_failed_pin_now() {
    let mut world = World::new();
    import(&mut world, 0..2500);
    world.kubo.audits = 0;
    while let Some(op) = world.kubo.first_op() {
        let input = world.kubo.fail(op, IpfsFailure::Refused("no".to_owned()));
        world.input(input);
    }
    assert_eq!(world.node.counts().of(PinStatus::PinError), 2500);
    let waiter = world.waiter();
    world.input(Input::Recover { waiter, cid: None });
    assert_eq!(world.answer(waiter), Some(&Answer::Recovering { pins: 2500 }));
    world.settle();
    assert_eq!(world.settled().len(), 2500);
}

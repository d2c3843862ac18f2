//! What a client or an operator sees, case by case.

use clusterd_core::effect::Answer;
use clusterd_core::input::{Input, IpfsFailure, PinRequest, Until};
use clusterd_core::node::Node;
use clusterd_core::store::{MemoryStore, Space, Store, StoreError};
use common::ids::RequestId;
use common::pin::{PinMode, Replication};
use common::status::PinStatus;

use crate::world::{DONE, World, cid, request};

fn named(number: u64, name: &str) -> PinRequest {
    PinRequest { name: Some(name.to_owned()), ..request(cid(number)) }
}

#[test]
fn a_pin_is_answered_when_kubo_holds_it_and_not_before() {
    let mut world = World::new();
    let accepted = world.pin(vec![request(cid(1))], Until::Accepted);
    assert!(world.is_done(accepted));
    let waiter = world.pin(vec![request(cid(1)), request(cid(2))], DONE);
    assert_eq!(world.status(cid(1)).1.status, PinStatus::Pinning);
    let op = world.kubo.op_of(&cid(1)).unwrap();
    world.input(Input::IpfsProgress { op, nodes: 3, bytes: 50 });
    let end = world.kubo.finish(op).unwrap();
    world.input(end);
    assert!(world.answer(waiter).is_none());
    world.settle();
    assert_eq!(
        world.answers[&waiter],
        [Answer::Progress { nodes: 3, bytes: 50 }, Answer::Done { cids: vec![cid(1), cid(2)] }]
    );
    assert_eq!(world.status(cid(1)).1.status, PinStatus::Pinned);
}

#[test]
fn the_same_pin_again_writes_nothing() {
    let mut world = World::new();
    world.pin(vec![named(1, "n")], DONE);
    world.settle();
    world.pass(5000);
    let again = world.pin(vec![named(1, "n")], DONE);
    assert!(world.is_done(again) && !world.wrote);
}

#[test]
fn a_name_is_changed_and_erased_also_in_kubo_and_the_pin_stays_held_meanwhile() {
    let mut world = World::new();
    world.pin(vec![named(1, "a")], DONE);
    world.settle();
    world.pin(vec![named(1, "b")], DONE);
    assert_eq!(world.rows(Space::Unsettled).len(), 1);
    world.settle();
    assert_eq!(world.kubo.held[&cid(1)].1, "b");
    let waiter = world.pin(vec![request(cid(1))], DONE);
    world.settle();
    assert!(world.is_done(waiter));
    assert_eq!(world.kubo.held[&cid(1)].1, "");
    assert_eq!(world.pins()[&cid(1)].name, "");
}

#[test]
fn direct_may_become_recursive_but_not_the_other_way() {
    let mut world = World::new();
    let direct = PinRequest { mode: PinMode::Direct, ..request(cid(1)) };
    world.pin(vec![direct.clone()], DONE);
    world.settle();
    world.pin(vec![request(cid(1))], DONE);
    assert!(world.settled().is_empty());
    world.settle();
    assert_eq!(world.kubo.held[&cid(1)].0, PinMode::Recursive);
    let refused = world.pin(vec![request(cid(2)), direct], DONE);
    assert_eq!(world.refusal(refused), format!("pin: {} already pinned recursively", cid(1)));
    // All or none.
    assert!(!world.pins().contains_key(&cid(2)));
}

#[test]
fn unpins_go_in_order_and_stop_at_the_first_that_is_not_pinned() {
    let mut world = World::new();
    world.pin(vec![request(cid(1)), request(cid(2)), request(cid(3))], DONE);
    world.settle();
    let waiter = world.unpin(vec![cid(1), cid(9), cid(2)], DONE);
    assert_eq!(world.refusal(waiter), "not pinned or pinned indirectly");
    assert_eq!(world.pins().len(), 2);
    let gentle = world.waiter();
    let cids = vec![cid(2)];
    let until = DONE;
    world.input(Input::Unpin { waiter: gentle, request: None, cids, recursive: false, until });
    assert_eq!(world.refusal(gentle), format!("{} is pinned recursively", cid(2)));
    world.settle();
    assert_eq!(world.kubo.held.len(), 2);
}

#[test]
fn a_repeated_unpin_finds_its_own_work_done_also_after_a_crash() {
    let mut world = World::new();
    world.pin(vec![request(cid(1))], DONE);
    world.settle();
    let unpin = |world: &mut World, id| {
        let waiter = world.waiter();
        let request = Some(RequestId::from_bits(id));
        let (cids, until) = (vec![cid(1), cid(5)], Until::Accepted);
        world.input(Input::Unpin { waiter, request, cids, recursive: true, until });
        world.refusal(waiter)
    };
    assert_eq!(unpin(&mut world, 7), "not pinned or pinned indirectly");
    world.crash();
    // Somebody pins it again meanwhile: the repeated call must not unpin that.
    world.pin(vec![request(cid(1))], Until::Accepted);
    assert_eq!(unpin(&mut world, 7), "not pinned or pinned indirectly");
    assert!(world.pins().contains_key(&cid(1)));
    unpin(&mut world, 8);
    assert!(world.pins().is_empty());
}

#[test]
fn an_unpin_waits_for_kubo_and_after_its_deadline_answers_all_the_same() {
    let mut world = World::new();
    world.pin(vec![request(cid(1)), request(cid(2))], DONE);
    world.settle();
    let waiter = world.unpin(vec![cid(1)], DONE);
    assert!(world.answer(waiter).is_none());
    world.settle();
    assert!(world.is_done(waiter));
    let deadline = Some(world.now.plus_millis(10_000));
    let waiter = world.unpin(vec![cid(2)], Until::Done { deadline });
    world.pass(9_999);
    assert!(world.answer(waiter).is_none());
    world.pass(1);
    assert!(world.is_done(waiter));
}

#[test]
fn a_pin_that_takes_too_long_fails_at_its_deadline_and_stays_accepted() {
    let mut world = World::new();
    world.kubo.dead.insert(cid(1));
    let deadline = Some(world.now.plus_millis(2000));
    let waiter = world.pin(vec![request(cid(1))], Until::Done { deadline });
    world.pass(2000);
    assert_eq!(world.refusal(waiter), "pin: context deadline exceeded");
    assert!(world.pins().contains_key(&cid(1)));
}

#[test]
fn an_update_follows_kubos_rules_and_lets_the_old_pin_go_last() {
    let mut world = World::new();
    let direct = PinRequest { mode: PinMode::Direct, ..request(cid(3)) };
    world.pin(vec![named(1, "n"), direct, request(cid(4))], DONE);
    world.settle();
    let update = |world: &mut World, from, to, unpin| {
        let waiter = world.waiter();
        let (request, name, provide, until) = (None, None, Default::default(), DONE);
        let (from, to) = (cid(from), cid(to));
        world.input(Input::Update { waiter, request, from, to, unpin, name, provide, until });
        waiter
    };
    let refused = update(&mut world, 3, 5, true);
    assert_eq!(world.refusal(refused), "'from' cid was not recursively pinned already");
    let refused = update(&mut world, 1, 4, true);
    assert_eq!(world.refusal(refused), "'to' cid was already recursively pinned");
    let same = update(&mut world, 1, 1, true);
    assert!(world.is_done(same) && world.pins().contains_key(&cid(1)));
    let waiter = update(&mut world, 1, 2, true);
    // Until Kubo holds the new pin, the old one guards the blocks that both share.
    assert!(world.kubo.op_of(&cid(1)).is_none());
    world.settle();
    assert!(world.is_done(waiter));
    assert_eq!(world.pins()[&cid(2)].name, "n");
    assert!(!world.kubo.held.contains_key(&cid(1)) && world.kubo.held.contains_key(&cid(2)));
}

#[test]
fn an_update_may_take_over_what_is_only_accepted() {
    let mut world = World::new();
    world.pin(vec![named(1, "n")], DONE);
    world.settle();
    world.pin(vec![request(cid(2))], Until::Accepted);
    let waiter = world.waiter();
    let (request, name, provide) = (None, None, Default::default());
    let (from, to, unpin, until) = (cid(1), cid(2), true, DONE);
    world.input(Input::Update { waiter, request, from, to, unpin, name, provide, until });
    world.settle();
    assert!(world.is_done(waiter));
    assert_eq!(world.kubo.held[&cid(2)].1, "n");
    assert_eq!(world.settled().len(), 1);
}

#[test]
fn what_a_cluster_below_has_settled_is_found_before_the_next_attempt() {
    let mut world = World::new();
    world.settle();
    world.pin(vec![request(cid(1))], DONE);
    let op = world.kubo.first_op().unwrap();
    let input = world.kubo.fail(op, IpfsFailure::Refused("too few hold it".to_owned()));
    world.input(input);
    world.kubo.held.insert(cid(1), (PinMode::Recursive, String::new()));
    let calls = world.kubo.calls;
    world.input(Input::Below { unsettled: Some(1), is_doubtful: false });
    world.pass(11_000);
    assert_eq!(world.kubo.audits, 0, "it is the one that is missing here");
    world.input(Input::Below { unsettled: Some(0), is_doubtful: false });
    world.pass(2_000);
    world.answer_probes_and_audits();
    assert_eq!(world.status(cid(1)).1.status, PinStatus::Pinned);
    assert_eq!(world.kubo.calls, calls, "by its list alone");
}

#[test]
fn an_update_to_what_cannot_be_pinned_fails_as_a_pin_does() {
    let mut world = World::new();
    world.pin(vec![request(cid(1))], DONE);
    world.settle();
    let waiter = world.waiter();
    let (request, name, provide) = (None, None, Default::default());
    let (from, to, unpin, until) = (cid(1), cid(2), true, DONE);
    world.input(Input::Update { waiter, request, from, to, unpin, name, provide, until });
    let op = world.kubo.op_of(&cid(2)).unwrap();
    let input = world.kubo.fail(op, IpfsFailure::Refused("no such block".to_owned()));
    world.input(input);
    assert!(world.refusal(waiter).starts_with("pin: no such block"));
    assert!(world.kubo.held.contains_key(&cid(1)));
}

#[test]
fn a_withdrawn_update_lets_the_old_pin_go_too() {
    let mut world = World::new();
    world.pin(vec![request(cid(1))], DONE);
    world.settle();
    world.kubo.dead.insert(cid(2));
    let waiter = world.waiter();
    let (request, name, provide) = (None, None, Default::default());
    let (from, to, unpin, until) = (cid(1), cid(2), true, Until::Accepted);
    world.input(Input::Update { waiter, request, from, to, unpin, name, provide, until });
    world.settle();
    assert!(world.kubo.held.contains_key(&cid(1)));
    world.unpin(vec![cid(2)], DONE);
    world.settle();
    assert!(world.kubo.held.is_empty() && world.rows(Space::Unsettled).is_empty());
}

#[test]
fn a_failed_pin_says_so_is_kept_and_tried_again_with_growing_patience() {
    let mut world = World::new();
    let waiter = world.pin(vec![request(cid(1))], DONE);
    let fail = |world: &mut World| {
        let op = world.kubo.first_op().unwrap();
        let input = world.kubo.fail(op, IpfsFailure::Refused("no such block".to_owned()));
        world.input(input);
    };
    fail(&mut world);
    assert!(world.refusal(waiter).starts_with("pin: no such block"));
    let retry_after = world.config.retry_after;
    let mut waits = Vec::new();
    for attempts in 1..4 {
        world.crash();
        let status = world.status(cid(1)).1;
        assert_eq!((status.attempts, status.error.as_str()), (attempts, "no such block"));
        assert_eq!(status.status, PinStatus::PinError);
        let before = world.now;
        while world.kubo.first_op().is_none() {
            world.pass(1000);
        }
        waits.push(world.now.0 - before.0);
        fail(&mut world);
    }
    assert!(waits[0] <= retry_after + 1000 && waits[1] > waits[0] && waits[2] > waits[1]);
    world.pass(3_600_000);
    world.settle();
    assert_eq!(world.settled().len(), 1);
}

#[test]
fn unpinning_breaks_off_the_pin_and_its_late_answer_is_nobodys() {
    let mut world = World::new();
    let waiter = world.pin(vec![request(cid(1))], DONE);
    let op = world.kubo.op_of(&cid(1)).unwrap();
    world.unpin(vec![cid(1)], DONE);
    assert!(world.refusal(waiter).contains("was unpinned meanwhile"));
    assert!(!world.kubo.asked.contains_key(&op));
    world.input(Input::IpfsEnded { op, outcome: Ok(()) });
    world.settle();
    assert!(world.pins().is_empty() && world.rows(Space::Unsettled).is_empty());
    assert_eq!(world.status(cid(1)).1.status, PinStatus::Unpinned);
}

#[test]
fn a_pin_asked_for_while_its_unpin_runs_ends_up_held() {
    let mut world = World::new();
    world.pin(vec![request(cid(1))], DONE);
    world.settle();
    let unpinned = world.unpin(vec![cid(1)], DONE);
    let pinned = world.pin(vec![request(cid(1))], DONE);
    assert_eq!(world.kubo.asked.len(), 1);
    world.settle();
    assert!(world.is_done(pinned) && world.is_done(unpinned));
    assert!(world.kubo.held.contains_key(&cid(1)));
}

#[test]
fn content_that_was_just_added_needs_no_call() {
    let mut world = World::new();
    world.settle();
    let calls = world.kubo.calls;
    let local = PinRequest { local: true, ..request(cid(1)) };
    world.kubo.held.insert(cid(1), (PinMode::Recursive, String::new()));
    let waiter = world.pin(vec![local], DONE);
    assert!(world.is_done(waiter));
    world.settle();
    assert_eq!(world.kubo.calls, calls);
}

#[test]
fn expired_pins_go_away_and_the_past_is_refused() {
    let mut world = World::new();
    let second = world.now.seconds() + 60;
    let pin = PinRequest { expires_at: Some(second), ..request(cid(1)) };
    world.pin(vec![pin], DONE);
    world.settle();
    world.crash();
    world.pass(59_000);
    assert_eq!(world.pins().len(), 1);
    world.pass(2000);
    world.settle();
    assert!(world.pins().is_empty() && world.kubo.held.is_empty());
    let late = PinRequest { expires_at: Some(second), ..request(cid(1)) };
    let refused = world.pin(vec![late], DONE);
    assert_eq!(world.refusal(refused), "pin.ExpireAt set before current time");
}

#[test]
fn one_peer_is_enough_for_one_copy_and_not_for_two() {
    let mut world = World::new();
    let copies = |number, min, max| PinRequest {
        replication: Some(Replication::from_stored(min, max)),
        ..request(cid(number))
    };
    let waiter = world.pin(vec![copies(1, 1, 3)], DONE);
    world.settle();
    assert!(world.is_done(waiter));
    assert_eq!(world.pins()[&cid(1)].allocations, [world.config.peer]);
    let refused = world.pin(vec![copies(2, 2, 3)], DONE);
    assert!(world.refusal(refused).starts_with("not enough peers"));
}

#[test]
fn a_full_disk_loses_nothing_that_was_answered_and_heals() {
    let mut world = World::new();
    world.pin(vec![request(cid(1))], DONE);
    world.settle();
    world.disk_is_full = true;
    let waiter = world.pin(vec![request(cid(2))], DONE);
    assert!(world.answer(waiter).is_none() && !world.open.contains(&waiter));
    assert_eq!(world.node.counts().pins, 1);
    world.disk_is_full = false;
    let waiter = world.pin(vec![request(cid(2))], DONE);
    world.pass(10_000);
    world.settle();
    assert!(world.is_done(waiter));
    assert_eq!(world.settled().len(), 2);
}

#[test]
fn a_full_disk_makes_no_storm() {
    let mut world = World::new();
    world.pin(vec![request(cid(1))], Until::Accepted);
    world.disk_is_full = true;
    let calls = world.kubo.calls;
    for _ in 0..60 {
        world.settle();
        world.pass(1000);
    }
    assert!(world.kubo.calls - calls <= 15, "{} calls in a minute", world.kubo.calls - calls);
}

#[test]
fn a_state_of_a_newer_program_is_left_alone() {
    let mut store = MemoryStore::default();
    store.put(Space::Meta, b"format".to_vec(), 7u32.to_be_bytes().to_vec());
    store.commit().unwrap();
    let config = World::new().config;
    let opened = Node::open(store, config, clusterd_core::input::Time(1));
    assert!(matches!(opened, Err(StoreError::TooNew { found: 7, .. })));
}

#[test]
fn a_cluster_below_itself_takes_no_new_pin_and_keeps_those_it_has() {
    let mut world = World::new();
    world.pin(vec![named(1, "n")], DONE);
    world.pin(vec![named(2, "n")], DONE);
    world.settle();
    world.input(Input::Ring { ring: Some("a > b > a".to_owned()) });
    let refused = world.pin(vec![request(cid(3))], Until::Accepted);
    assert!(world.refusal(refused).contains("its own sub-cluster (a > b > a)"));
    let unpinned = world.unpin(vec![cid(2)], DONE);
    world.settle();
    assert!(world.is_done(unpinned));
    assert_eq!(world.pins().keys().collect::<Vec<_>>(), [&cid(1)]);
    world.input(Input::Ring { ring: None });
    let taken = world.pin(vec![request(cid(3))], DONE);
    world.settle();
    assert!(world.is_done(taken));
}

//! What breaks in the middle of a call: the client hears of it, no pin is half made, nothing leaks.

use std::fs;
use std::time::Duration;

use harness::daemon::{Daemon, Sockets};
use harness::http::{Answer, Connection};
use harness::stack::{Stack, StackSetup};
use harness::wait;
use nix::sys::signal::Signal;

use crate::wire::{chunk, upload, upload_end, upload_start};

/// A CID that nobody has.
const ABSENT: &str = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
/// Clients that leave in each round.
const LEAVERS: usize = 40;
/// Idle connections to Kubo or between the daemons; fewer than one round of leavers would leak.
const KEPT_OPEN_MAX: usize = 16;
/// For what a daemon lets go of: it looks after connections at once, a loaded machine may not.
const LET_GO_MAX: Duration = Duration::from_secs(90);
/// A leak of 40 connections or tasks with their buffers would be more.
const MEMORY_GROWTH_MAX_KIB: u64 = 4 << 10;

/// The cluster's pins, asked past proxyd; one JSON object a line.
fn pins(stack: &Stack) -> String {
    stack.control().call("GET", "/allocations", "").unwrap().text()
}

/// Descriptors that a daemon holds open.
fn descriptors(daemon: &Daemon) -> usize {
    let pid = daemon.program().unwrap().pid();
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

fn resident(daemon: &Daemon) -> u64 {
    daemon.program().unwrap().memory().unwrap().resident
}

/// Descriptors of a daemon in rest, with what it keeps open for later calls.
fn at_rest(daemon: &Daemon, stack: &Stack) -> usize {
    assert_eq!(stack.client().post("/api/v0/pin/ls").unwrap().status, 200);
    descriptors(daemon) + KEPT_OPEN_MAX
}

/// Waits until `daemon` holds no more than `count` descriptors.
fn until_descriptors(daemon: &Daemon, count: usize) {
    let settled = wait::until("the end of connections", LET_GO_MAX, || {
        (descriptors(daemon) <= count).then_some(())
    });
    assert!(settled.is_ok(), "{} descriptors stay open, {count} were before", descriptors(daemon));
}

/// Kubo's answer to what could not be finished: an error instead of a result, after it, or a cut.
fn assert_failed(answer: Result<Answer, harness::error::HarnessError>) {
    let Ok(answer) = answer else { return };
    let is_told = answer.status >= 500
        || answer.trailers.iter().any(|(name, text)| name == "X-Stream-Error" && !text.is_empty());
    assert!(is_told, "the client does not hear of it: {answer:?}");
}

/// A connection with the first mebibyte of an upload sent.
fn half_an_upload(stack: &Stack) -> Connection {
    let mut connection = stack.client().connect().unwrap();
    connection.send(upload_start("/api/v0/add?progress=true").as_bytes()).unwrap();
    for _ in 0..16 {
        connection.send(&chunk(&[7; 1 << 16])).unwrap();
    }
    connection
}

#[test]
fn kubo_dies_during_an_add() {
    let mut stack = Stack::start().unwrap();
    let mut connection = half_an_upload(&stack);
    // The first progress shows that Kubo is reading.
    let head = connection.head().unwrap();
    assert_eq!(head.0, 200);
    assert!(connection.chunk().unwrap().is_some());
    stack.kubo.program().unwrap().signal(Signal::SIGKILL);
    stack.kubo.stop().unwrap();
    // The rest may or may not be taken; the answer must not end as if all were well.
    drop(connection.send(&upload_end()));
    let mut end = connection.chunk();
    while matches!(end, Ok(Some(_))) {
        end = connection.chunk();
    }
    let is_whole_without_error =
        matches!(end, Ok(None)) && !connection.trailers().is_ok_and(|t| !t.is_empty());
    assert!(!is_whole_without_error, "the answer ended cleanly though Kubo died");
    assert_eq!(pins(&stack), "");
    // While Kubo is away, and once it is back.
    assert_failed(Ok(upload(&stack.client(), "/api/v0/add", b"nobody there")));
    stack.kubo.start().unwrap();
    assert_eq!(upload(&stack.client(), "/api/v0/add", b"back again").status, 200);
}

#[test]
fn kubo_dies_before_it_answers() {
    let mut stack = Stack::start().unwrap();
    for target in ["/api/v0/add", "/api/v0/block/put?pin=true", "/api/v0/dag/import"] {
        let mut connection = stack.client().connect().unwrap();
        connection.send(upload_start(target).as_bytes()).unwrap();
        for _ in 0..16 {
            connection.send(&chunk(&[7; 1 << 16])).unwrap();
        }
        stack.kubo.program().unwrap().signal(Signal::SIGKILL);
        stack.kubo.stop().unwrap();
        drop(connection.send(&upload_end()));
        assert_failed(connection.answer(false));
        stack.kubo.start().unwrap();
        assert_eq!(pins(&stack), "", "{target} left a pin");
    }
}

#[test]
fn the_pin_fails_after_the_last_block() {
    let setup = StackSetup { sockets: Sockets::Own, ..StackSetup::default() };
    let mut stack = Stack::start_with(&setup).unwrap();
    let mut connection = half_an_upload(&stack);
    stack.clusterd.kill().unwrap();
    connection.send(&upload_end()).unwrap();
    let answer = connection.answer(false).unwrap();
    assert!(
        !answer.text().contains("\"Hash\"") || !answer.trailers.is_empty(),
        "{}",
        answer.text()
    );
    assert_failed(Ok(answer));
    // Everything that needs no cluster goes on.
    assert_eq!(stack.client().post("/api/v0/id").unwrap().status, 200);
    stack.clusterd.start().unwrap();
    assert_eq!(pins(&stack), "", "a pin was made though the add failed");
    assert_eq!(upload(&stack.client(), "/api/v0/add", b"works again").status, 200);
    assert_eq!(pins(&stack).lines().count(), 1);
}

#[test]
fn clients_that_leave_in_the_middle_of_an_upload_leave_nothing() {
    let stack = Stack::start().unwrap();
    let round = || drop((0..LEAVERS).map(|_| half_an_upload(&stack)).collect::<Vec<_>>());
    let before = at_rest(&stack.proxyd, &stack);
    // The first round fills pools and caches.
    round();
    until_descriptors(&stack.proxyd, before);
    let memory = resident(&stack.proxyd);
    for _ in 0..3 {
        round();
        until_descriptors(&stack.proxyd, before);
    }
    assert!(
        resident(&stack.proxyd) <= memory + MEMORY_GROWTH_MAX_KIB,
        "{memory} KiB grew to {}",
        resident(&stack.proxyd)
    );
    assert_eq!(pins(&stack), "", "an upload that was given up was pinned");
    assert_eq!(stack.client().post("/api/v0/pin/ls").unwrap().text(), "{}\n");
}

#[test]
fn clients_that_leave_while_they_wait_for_a_pin_leave_the_pin_only() {
    let stack = Stack::start().unwrap();
    let request = format!(
        "POST /api/v0/pin/add?arg={ABSENT}&progress=true HTTP/1.1\r\nHost: localhost\r\n\r\n"
    );
    let round = || {
        let ask = |_| {
            let mut connection = stack.client().connect().unwrap();
            connection.send(request.as_bytes()).unwrap();
            connection
        };
        let mut waiting: Vec<Connection> = (0..LEAVERS).map(ask).collect();
        // The head comes with the first tick: from then on the client waits for a pin.
        waiting.iter_mut().for_each(|connection| assert_eq!(connection.head().unwrap().0, 200));
    };
    let before = [&stack.proxyd, &stack.clusterd].map(|daemon| at_rest(daemon, &stack));
    round();
    until_descriptors(&stack.proxyd, before[0]);
    until_descriptors(&stack.clusterd, before[1]);
    let memory = [&stack.proxyd, &stack.clusterd].map(resident);
    for _ in 0..2 {
        round();
        until_descriptors(&stack.proxyd, before[0]);
        until_descriptors(&stack.clusterd, before[1]);
    }
    for (daemon, memory) in [&stack.proxyd, &stack.clusterd].into_iter().zip(memory) {
        assert!(
            resident(daemon) <= memory + MEMORY_GROWTH_MAX_KIB,
            "{memory} KiB grew to {}",
            resident(daemon)
        );
    }
    // What was accepted stays, once, and can be withdrawn.
    assert_eq!(pins(&stack).lines().count(), 1);
    assert_eq!(stack.client().post(&format!("/api/v0/pin/rm?arg={ABSENT}")).unwrap().status, 200);
    assert_eq!(pins(&stack), "");
}

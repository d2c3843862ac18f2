//! Kubo stopped, frozen and back: no storm, flat memory, a true status, and the pins go on.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use harness::http::Client;
use harness::program::Program;
use harness::stack::{Stack, StackSetup};
use harness::{rpc, scale, wait};

/// Pins accepted while Kubo is away.
const PINS: usize = 300;

/// How long the daemons are watched while Kubo is away.
const WATCHED: Duration = Duration::from_secs(10);

/// Far below one call a pin, far above what looking for Kubo takes.
const CALLS_MAX: usize = 60;

/// Connections of both daemons to a Kubo that does not answer.
const CONNECTIONS_MAX: usize = 64;

/// A frozen Kubo or a dead one must not make the daemons work.
const WORK_MAX: Duration = Duration::from_secs(2);

const GROWTH_MAX_KIB: u64 = 8 << 10;

const RESUME_MAX: Duration = Duration::from_secs(120);

fn impatient_stack() -> Stack {
    let clusterd = "pin_timeout = \"3s\"\ncall_timeout = \"2s\"\n\
                    [tracker]\nretry_after = \"1s\"\nretry_after_max = \"2s\"\n";
    let setup = StackSetup { clusterd: clusterd.to_owned(), ..StackSetup::default() };
    Stack::start_with(&setup).unwrap()
}

/// Content in Kubo that nobody has pinned yet.
fn unpinned_content(stack: &Stack) -> Vec<String> {
    let kubo = Client::tcp(stack.kubo.port());
    (0..PINS).map(|n| rpc::add(&kubo, "pin=false", &format!("content {n}")).unwrap()).collect()
}

/// Accepts pins without waiting for Kubo, as `ipfs-cluster-ctl pin add --no-status` does.
fn accept(stack: &Stack, cids: &[String]) {
    for cid in cids {
        let answer = stack.control().post(&format!("/pins/{cid}")).unwrap();
        assert!(matches!(answer.status, 200 | 202), "{}", answer.text());
    }
}

fn assert_calm(name: &str, program: &Program, memory_before: u64, cpu_before: Duration) {
    let (memory, cpu) = (program.memory().unwrap().resident, program.cpu_time().unwrap());
    println!("{name}: {memory_before} -> {memory} KiB, worked for {:?}", cpu - cpu_before);
    assert!(memory < memory_before + GROWTH_MAX_KIB, "{name}: {memory_before} -> {memory} KiB");
    assert!(cpu - cpu_before < WORK_MAX, "{name} worked for {:?}", cpu - cpu_before);
}

/// Does `watch` while Kubo is away and holds both daemons to calm.
fn watched(stack: &Stack, watch: impl FnOnce()) {
    let daemons = [("clusterd", &stack.clusterd), ("proxyd", &stack.proxyd)];
    let programs = daemons.map(|(name, daemon)| (name, daemon.program().unwrap()));
    let before = programs.map(|(_, p)| (p.memory().unwrap().resident, p.cpu_time().unwrap()));
    watch();
    for ((name, program), (memory, cpu)) in programs.into_iter().zip(before) {
        assert_calm(name, program, memory, cpu);
    }
}

fn assert_status_is_true(stack: &Stack) {
    let text = stack.control().call("GET", "/pins?local=true", "").unwrap().text();
    assert_eq!(text.lines().count(), PINS, "every accepted pin has a status");
    assert!(!text.contains("\"status\":\"pinned\""), "none can be pinned");
    assert!(rpc::pin_ls(&stack.client()).unwrap().is_empty(), "none is listed as pinned");
}

fn assert_all_get_pinned(stack: &Stack, cids: &[String]) {
    wait::until("the pins that wait", RESUME_MAX, || {
        let listed = rpc::pin_ls(&stack.client()).ok()?;
        cids.iter().all(|cid| listed.contains(cid)).then_some(())
    })
    .unwrap();
    let held = rpc::pin_ls(&Client::tcp(stack.kubo.port())).unwrap();
    assert!(cids.iter().all(|cid| held.contains(cid)), "what is listed is held");
}

/// Takes Kubo's place at its port: counts those who call, and hangs up.
fn count_calls(port: u16, period: Duration) -> usize {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let (deadline, mut calls) = (Instant::now() + period, 0);
    while Instant::now() < deadline {
        match listener.accept() {
            Ok(_) => calls += 1,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                thread::park_timeout(Duration::from_millis(2));
            }
            Err(error) => panic!("cannot accept: {error}"),
        }
    }
    calls
}

#[test]
fn a_stopped_kubo_is_left_in_peace_and_finds_its_pins_when_it_is_back() {
    let mut stack = impatient_stack();
    let cids = unpinned_content(&stack);
    stack.kubo.stop().unwrap();
    let away = stack.client().post("/api/v0/version").unwrap();
    assert_eq!(away.status, 502, "{}", away.text());
    assert!(away.text().contains("\"Message\""), "in Kubo's shape: {}", away.text());
    accept(&stack, &cids);
    let port = stack.kubo.port();
    let mut calls = 0;
    watched(&stack, || calls = count_calls(port, scale::pick(WATCHED, 3 * WATCHED)));
    println!("{calls} calls to a dead Kubo");
    assert!(calls > 0, "nobody looked whether Kubo is back");
    assert!(calls <= scale::pick(CALLS_MAX, 3 * CALLS_MAX), "{calls} calls to a dead Kubo");
    assert_status_is_true(&stack);
    stack.kubo.start().unwrap();
    assert_all_get_pinned(&stack, &cids);
}

/// Established connections to a port of this machine. Source: proc(5), `net/tcp`.
pub(super) fn connections_to(port: u16) -> usize {
    let port = format!(":{port:04X}");
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let is_to_it = |line: &&str| {
        let mut columns = line.split_whitespace().skip(2);
        columns.next().is_some_and(|remote| remote.ends_with(&port)) && columns.next() == Some("01")
    };
    table.lines().filter(is_to_it).count()
}

#[test]
fn a_frozen_kubo_gets_no_heap_of_connections_and_resumes() {
    let stack = impatient_stack();
    let cids = unpinned_content(&stack);
    stack.kubo.freeze();
    accept(&stack, &cids);
    let mut most = 0;
    watched(&stack, || {
        let deadline = Instant::now() + scale::pick(WATCHED, 3 * WATCHED);
        while Instant::now() < deadline {
            most = most.max(connections_to(stack.kubo.port()));
            thread::park_timeout(Duration::from_millis(100));
        }
    });
    println!("{most} connections to a frozen Kubo");
    assert!(most <= CONNECTIONS_MAX, "{most} connections to a frozen Kubo");
    assert_status_is_true(&stack);
    stack.kubo.thaw();
    assert_all_get_pinned(&stack, &cids);
}

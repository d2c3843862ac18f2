//! A heap of pins whose content nobody has does not keep the one from being pinned that is there.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use harness::http::Client;
use harness::random::Random;
use harness::rpc::{self, good};
use harness::scale;
use harness::stack::Stack;
use serde_json::Value;

use super::kubo_away::connections_to;

/// Pins of content that nobody has.
const PINS: usize = 2000;
const PINS_FULL: usize = 100_000;

/// Long enough that the first attempts stand still and others are made in their place, several times.
const WATCHED: Duration = Duration::from_secs(12);

/// In the query of each pin that is there: Kubo's own error ends a wait that is longer.
const PINNED_WITHIN: &str = "10s";

/// Ten operations run, three times as many may stand still beside them, ten unpins have slots of their
/// own; the rest is for what the API, the metrics and proxyd ask.
const CONNECTIONS_MAX: usize = 64;

/// A release build takes 24 MiB for twice as many pins; this one is not optimised, and an import may leave
/// as much behind again.
const MEMORY_MAX_KIB: u64 = 128 << 10;

/// Once the pins are known, working at them takes no more memory: caches fill up, nothing else.
const GROWTH_MAX_KIB: u64 = 24 << 10;

/// A quarter of one core: some forty calls to Kubo in three seconds are far less work.
const WORK_MAX_PERCENT: u128 = 25;

/// A state as `state export` writes it.
fn write_absent(file: &Path, count: usize) {
    let mut random = Random::from_clock();
    let mut out = BufWriter::new(File::create(file).unwrap());
    for _ in 0..count {
        let cid = random.cid_of_nothing();
        writeln!(
            out,
            "{{\"replication_factor_min\":-1,\"replication_factor_max\":-1,\"name\":\"absent\",\
             \"mode\":\"recursive\",\"shard_size\":0,\"user_allocations\":null,\
             \"expire_at\":\"0001-01-01T00:00:00Z\",\"metadata\":null,\"pin_update\":null,\
             \"origins\":[],\"cid\":\"{cid}\",\"type\":\"pin\",\"allocations\":[],\"max_depth\":-1,\
             \"reference\":null,\"timestamp\":\"2026-11-22T16:25:15Z\"}}"
        )
        .unwrap();
    }
    out.flush().unwrap();
}

fn import(stack: &Stack, file: &Path) {
    let output = stack.clusterdctl().unwrap().args(["state", "import"]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Pins, as a client with little time, content that Kubo alone has; how long that took.
fn pin_what_is_there(stack: &Stack) -> Duration {
    let words = format!("there {}", Random::from_clock().bits());
    let kubo = Client::tcp(stack.kubo.port());
    let cid = rpc::add(&kubo, "pin=false&cid-version=1", &words).unwrap();
    let began = Instant::now();
    let target = format!("/api/v0/pin/add?arg={cid}&timeout={PINNED_WITHIN}");
    good(stack.client().post(&target).unwrap()).unwrap();
    let took = began.elapsed();
    assert!(rpc::pin_ls(&kubo).unwrap().contains(&cid), "it is held when it is answered");
    assert!(rpc::pin_ls(&stack.client()).unwrap().contains(&cid));
    took
}

#[test]
fn what_is_there_is_pinned_beside_many_that_nobody_has() {
    let stack = Stack::start().unwrap();
    let count = scale::pick(PINS, PINS_FULL);
    let file = stack.directory().join("absent.ndjson");
    write_absent(&file, count);
    import(&stack, &file);
    // At once, and while the others stand still, each time behind all of them.
    println!("pinned in {:?} at first", pin_what_is_there(&stack));
    let clusterd = stack.clusterd.program().unwrap();
    let (memory, cpu, began) =
        (clusterd.memory().unwrap().resident, clusterd.cpu_time().unwrap(), Instant::now());
    let (mut connections, mut slowest) = (0, Duration::ZERO);
    while began.elapsed() < scale::pick(WATCHED, 5 * WATCHED) {
        slowest = slowest.max(pin_what_is_there(&stack));
        for _ in 0..10 {
            connections = connections.max(connections_to(stack.kubo.port()));
            thread::park_timeout(Duration::from_millis(100));
        }
    }
    let (worked, watched) = (clusterd.cpu_time().unwrap() - cpu, began.elapsed());
    let now = clusterd.memory().unwrap().resident;
    println!(
        "{count} pins: pinned in {slowest:?} at most, {connections} connections, \
         {memory} -> {now} KiB, worked for {worked:?} of {watched:?}"
    );
    assert!(connections <= CONNECTIONS_MAX, "{connections} connections to Kubo");
    assert!(now <= MEMORY_MAX_KIB, "{now} KiB");
    assert!(now <= memory + GROWTH_MAX_KIB, "{memory} -> {now} KiB");
    assert!(worked.as_millis() * 100 <= watched.as_millis() * WORK_MAX_PERCENT, "{worked:?}");
    // They were tried, and not refused or forgotten.
    let summary = good(stack.control().call("GET", "/composite/summary", "").unwrap()).unwrap();
    let summary: Value = serde_json::from_slice(&summary.body).unwrap();
    assert!(summary["pins"].as_u64().unwrap() >= count as u64, "{summary}");
    assert!(summary["running"].as_u64().unwrap() > 0, "{summary}");
}

//! Small requests that pass through: requests a second, CPU a request, the slowest hundredth.

use std::fs;

use harness::error::HarnessError;
use harness::kubo::Kubo;

use super::Run;
use crate::figure::{Better, Figure, Side};
use crate::proxies::Proxy;
use crate::rounds::{Rounds, interleave};
use crate::sides::Sides;
use crate::{BenchError, wrk};

/// A request that every proxy passes through, with an answer of some hundred bytes.
const TARGET: &str = "/api/v0/version";

const PROXIES: [Side; 4] = [Side::Ours, Side::Haproxy, Side::Nginx, Side::Go];

/// Against an upstream that is faster than any proxy, and against a real Kubo.
pub(crate) fn measure(run: &mut Run<'_>) -> Result<Vec<Figure>, BenchError> {
    let kubo = Kubo::start_in(run.directory)?;
    let mut figures = before_nginx(run, &kubo)?;
    figures.extend(before_kubo(run, &kubo)?);
    Ok(figures)
}

fn before_nginx(run: &mut Run<'_>, kubo: &Kubo) -> Result<Vec<Figure>, BenchError> {
    let fast = Proxy::fast_upstream(run.directory)?;
    let all = Sides::start(run.directory, kubo, fast.port())?;
    let sides = [PROXIES.as_slice(), &[Side::Upstream]].concat();
    let one = load(run, &all, &sides, 1)?;
    let many = load(run, &all, &sides, 32)?;
    let [rate, cpu, p99] = figures(&many, "32 connections");
    let rate = rate.with_ratio_goal(Side::Haproxy, 1.0);
    let cpu = cpu.with_ratio_goal(Side::Haproxy, 0.9);
    let memory = all.memory("small requests: peak memory of the proxy", &PROXIES)?;
    Ok([figures(&one, "1 connection").as_slice(), &[rate, cpu, p99, memory]].concat())
}

fn before_kubo(run: &mut Run<'_>, kubo: &Kubo) -> Result<Vec<Figure>, BenchError> {
    let directory = run.directory.join("before-kubo");
    fs::create_dir(&directory).map_err(HarnessError::io("make a directory"))?;
    let all = Sides::start(&directory, kubo, kubo.port())?;
    let sides = [Side::Ours, Side::Haproxy, Side::Go, Side::Kubo];
    let rounds = load(run, &all, &sides, 32)?;
    let [rate, _, p99] = figures(&rounds, "32 connections, real Kubo");
    Ok(vec![rate, p99])
}

/// Loads all sides in turn: answers a second, µs of CPU a request, p99 in ms.
fn load(
    run: &mut Run<'_>,
    all: &Sides,
    sides: &[Side],
    connections: u16,
) -> Result<Rounds<3>, BenchError> {
    let (directory, time) = (run.directory, run.sizes.load_time);
    interleave(sides, run.sizes.rounds, run.random, |side| {
        let before = all.cpu_seconds(side)?;
        let load = wrk::run(directory, all.port(side), TARGET, connections, time)?;
        let cpu = all.cpu_seconds(side)? - before;
        Ok([load.requests / load.seconds, cpu / load.requests * 1e6, load.p99_ms])
    })
}

fn figures(rounds: &Rounds<3>, load: &str) -> [Figure; 3] {
    let what = format!("small request, {load}");
    let cpu = rounds.column_of(1, &PROXIES);
    [
        Figure::new(&what, "req/s", Better::Higher, rounds.column(0)),
        Figure::new(format!("{what}: CPU"), "µs/req", Better::Lower, cpu),
        Figure::new(format!("{what}: p99"), "ms", Better::Lower, rounds.column(2)),
    ]
}

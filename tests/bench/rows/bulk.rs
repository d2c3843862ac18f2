//! Long bodies that pass through: down and up, with a length and chunked.

use std::time::Instant;

use harness::kubo::Kubo;

use super::Run;
use crate::BenchError;
use crate::figure::{Better, Figure, Side};
use crate::message::Framing;
use crate::rounds::{Rounds, interleave};
use crate::sides::Sides;
use crate::source_and_sink::{self, download, upload};

const PROXIES: [Side; 5] = [Side::Ours, Side::Haproxy, Side::HaproxyTuned, Side::Nginx, Side::Go];

/// One way of moving a body.
struct Way {
    name: &'static str,
    framing: Framing,
    send: fn(u16, Framing, u64) -> Result<(), BenchError>,
}

const WAYS: [Way; 4] = [
    Way { name: "down", framing: Framing::Length, send: download },
    Way { name: "up", framing: Framing::Length, send: upload },
    Way { name: "down, chunked", framing: Framing::Chunked, send: download },
    Way { name: "up, chunked", framing: Framing::Chunked, send: upload },
];

/// All ways through all proxies.
pub(crate) fn measure(run: &mut Run<'_>) -> Result<Vec<Figure>, BenchError> {
    let kubo = Kubo::start_in(run.directory)?;
    let all = Sides::start(run.directory, &kubo, source_and_sink::serve()?)?;
    let mut figures = Vec::new();
    for way in &WAYS {
        let rounds = transfer(run, &all, way)?;
        let what = format!("{} MiB {}", run.sizes.body_bytes >> 20, way.name);
        let rate = Figure::new(&what, "GB/s", Better::Higher, rounds.column(0));
        let cpu = rounds.column_of(1, &PROXIES);
        let cpu = Figure::new(format!("{what}: CPU"), "s/GiB", Better::Lower, cpu);
        figures.push(rate.with_ratio_goal(Side::HaproxyTuned, 1.0));
        figures.push(cpu.with_ratio_goal(Side::Haproxy, 0.6));
    }
    figures.push(all.memory("long bodies: peak memory of the proxy", &PROXIES)?);
    Ok(figures)
}

/// GB/s, and seconds of CPU a GiB.
fn transfer(run: &mut Run<'_>, all: &Sides, way: &Way) -> Result<Rounds<2>, BenchError> {
    let size = run.sizes.body_bytes;
    let sides = [PROXIES.as_slice(), &[Side::Upstream]].concat();
    interleave(&sides, run.sizes.rounds, run.random, |side| {
        let (before, start) = (all.cpu_seconds(side)?, Instant::now());
        (way.send)(all.port(side), way.framing, size)?;
        let seconds = start.elapsed().as_secs_f64();
        let gibibytes = size as f64 / f64::from(1 << 30);
        Ok([size as f64 / 1e9 / seconds, (all.cpu_seconds(side)? - before) / gibibytes])
    })
}

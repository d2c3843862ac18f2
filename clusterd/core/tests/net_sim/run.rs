//! Runs worlds, several at a time, and says what happened in them.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::report::Report;
use crate::world::World;

/// Small worlds in a usual test run: a few seconds.
const WORLDS: u64 = 60;
/// And before a change of the core is taken.
const WORLDS_SLOW: u64 = 2000;
/// Requests of clients in a small world come in so many bursts.
const ACTS: u64 = 60;
/// How long a world heals: some announcements, and the longest wait for another attempt.
const HEALING: u64 = 400_000;
/// Peers of a large world.
const MANY: usize = 50;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

pub(crate) fn is_slow() -> bool {
    std::env::var("COMPOSITE_SLOW").is_ok_and(|value| value == "1")
}

/// Says which world it was when a check fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("SIM_SEED={} replays this world", self.0);
        }
    }
}

/// One world from its beginning to its end.
pub(crate) fn world(seed: u64, size: Option<usize>, acts: u64) -> Report {
    let mut world = World::new(seed, size, acts);
    world.live();
    world.pass(HEALING);
    world.check();
    world.report
}

/// A small world, as most are.
#[cfg(feature = "mutants")]
pub(crate) fn small_world(seed: u64) -> Report {
    world(seed, None, ACTS)
}

fn worlds(seeds: Range<u64>, size: Option<usize>, acts: u64) -> Report {
    let (next, all) = (AtomicU64::new(seeds.start), Mutex::new(Report::default()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let _named = Seed(seed);
                    let report = world(seed, size, acts);
                    all.lock().unwrap().add(report);
                }
            });
        }
    });
    all.into_inner().unwrap()
}

#[test]
fn peers_agree_after_any_trouble_and_lose_nothing() {
    let count = number("SIM_SEEDS").unwrap_or(if is_slow() { WORLDS_SLOW } else { WORLDS });
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..count + 1,
    };
    let report = worlds(seeds.clone(), None, ACTS);
    assert_eq!(report.worlds, seeds.end - seeds.start);
    eprintln!("{report}");
}

#[test]
fn fifty_peers_agree_after_any_trouble() {
    let seeds = if is_slow() { 1..9 } else { 1..2 };
    let report = worlds(seeds, Some(MANY), ACTS);
    eprintln!("{report}");
}

//! A streamed `pin/ls` of a large pinset that Kubo holds: pins a second, first byte, memory.

use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use harness::daemon::control_socket;
use harness::error::HarnessError;
use harness::go_cluster::GoHome;
use harness::http::Client;
use harness::kubo::Kubo;
use harness::wait;
use serde_json::Value;

use super::Run;
use crate::content::{Blocks, Form};
use crate::figure::{Better, Figure, Side};
use crate::listing::{self, Listing};
use crate::rounds::interleave;
use crate::sides::megabytes;
use crate::stage::Stage;
use crate::{BenchError, pinset, rpc};
use harness::random::Random;

const SIDES: [Side; 3] = [Side::Ours, Side::Go, Side::Kubo];

/// Pins a second, milliseconds to the first byte, and MB, as the list of figures has them.
const RATE_GOAL: f64 = 1e6;
const FIRST_BYTE_GOAL_MS: f64 = 10.0;
const MEMORY_GOAL_MB: f64 = 24.0;

/// Here Kubo pins ten times as fast as on a disk, which no listing touches: all sides read what the
/// kernel has in memory anyway.
const MEMORY_DISK: &str = "/dev/shm";

/// How long clusterd may take to learn from Kubo that everything is held already.
const SETTLE_MAX: Duration = Duration::from_secs(120);

const TARGET: &str = "/api/v0/pin/ls?type=recursive&stream=true";

/// Through each proxy, and from Kubo itself.
pub(super) fn measure(run: &mut Run<'_>) -> Result<Vec<Figure>, BenchError> {
    let count = run.sizes.listed;
    let memory_disk = tempfile::Builder::new()
        .prefix("composite-")
        .tempdir_in(MEMORY_DISK)
        .map_err(HarnessError::io(format!("make a directory in {MEMORY_DISK}")))?;
    let kubo = Kubo::start_in(memory_disk.path())?;
    let blocks = Blocks::fresh(count, &mut Random::from_clock());
    rpc::post_form(kubo.port(), "/api/v0/dag/import?pin-roots=true", &Form::car(&blocks.car))?;
    let stage = with_pinset(run.directory, kubo, blocks.cids)?;
    let rounds = interleave(&SIDES, run.sizes.rounds, run.random, |side| {
        let listing = list(&stage, side)?;
        // A new Kubo has a pin of its own already.
        if !(count..=count + 1).contains(&listing.lines) {
            let found = format!("{} pins instead of {count} from {}", listing.lines, side.name());
            return Err(HarnessError::Unreadable { what: "a listing", found }.into());
        }
        Ok([count as f64 / listing.seconds, listing.first_byte * 1e3])
    })?;
    let what = format!("`pin ls` of {count} pins, streamed");
    let rate = Figure::new(&what, "pins/s", Better::Higher, rounds.column(0));
    let first = Figure::new(format!("{what}: first byte"), "ms", Better::Lower, rounds.column(1));
    Ok(vec![
        rate.with_value_goal(RATE_GOAL),
        first.with_value_goal(FIRST_BYTE_GOAL_MS),
        memory(&stage, count)?,
    ])
}

/// Both clusters, each with all pins taken in.
fn with_pinset(directory: &Path, kubo: Kubo, cids: Vec<String>) -> Result<Stage, BenchError> {
    let count = cids.len();
    let state = directory.join("state.ndjson");
    // Without names, as Kubo has them: with others each would be pinned again, by its name.
    pinset::write_export(&state, cids.into_iter(), "")?;
    let go = GoHome::make(directory, &kubo, &kubo.api())?;
    go.import(&state)?;
    let stage = Stage::around(directory, kubo, go.start()?)?;
    pinset::import(directory, &state)?;
    // What is not known to be held is not listed.
    wait::until(&format!("{count} pins settled by ours"), SETTLE_MAX, || {
        let summary =
            Client::unix(&control_socket(directory)).call("GET", "/composite/summary", "");
        let summary: Value = serde_json::from_slice(&summary.ok()?.body).ok()?;
        (summary["running"] == 0 && summary["waiting"] == 0).then_some(())
    })?;
    Ok(stage)
}

fn list(stage: &Stage, side: Side) -> Result<Listing, BenchError> {
    let stream = TcpStream::connect(("127.0.0.1", stage.port(side)))
        .map_err(HarnessError::io(format!("connect to {}", side.name())))?;
    listing::read(&stream, "POST", TARGET)
}

fn memory(stage: &Stage, count: usize) -> Result<Figure, BenchError> {
    let mut samples = Vec::new();
    for (side, program) in
        [(Side::Ours, stage.clusterd.program()), (Side::Go, Some(stage.go.program()))]
    {
        if let Some(program) = program {
            samples.push((side, vec![megabytes(program.memory()?.resident)]));
        }
    }
    let what = format!("memory of the cluster daemon after listings of {count} pins");
    Ok(Figure::new(what, "MB", Better::Lower, samples).with_value_goal(MEMORY_GOAL_MB))
}

//! Import of large pinsets that nobody holds yet: time, disk a pin, memory.

use std::fs;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use harness::daemon::{Daemon, control_socket};
use harness::error::HarnessError;
use harness::go_cluster::{GoCluster, GoHome};
use harness::kubo::Kubo;
use harness::program::Program;
use harness::wait;

use super::Run;
use crate::figure::{Better, Figure, Side};
use crate::sides::megabytes;
use crate::{BenchError, content, disk, listing, pinset, stage};
use harness::random::Random;

/// As the list of figures has it.
const DISK_GOAL_BYTES: f64 = 400.0;

/// Seconds and MB for so many pins, as the list of figures has them.
fn goals(count: usize) -> (f64, f64) {
    if count <= 200_000 { (2.0, 24.0) } else { (10.0, 64.0) }
}

/// Memory of a daemon without pins, in MB.
const IDLE_GOAL_MB: f64 = 16.0;

/// What one side gave.
struct Sample {
    seconds: f64,
    disk: f64,
    resident: f64,
    /// During the import; that of Go's importing program is not known.
    peak: Option<f64>,
}

/// One import of each size into each cluster: a Go import takes minutes, so there are no rounds.
pub(super) fn measure(run: &mut Run<'_>) -> Result<Vec<Figure>, BenchError> {
    let kubo = Kubo::start_in(run.directory)?;
    let mut figures = vec![idle(run.directory, &kubo)?];
    for count in run.sizes.imported.iter().copied() {
        let place = run.directory.join(count.to_string());
        let state = place.join("state.ndjson");
        fs::create_dir(&place).map_err(HarnessError::io("make a directory"))?;
        let mut random = Random::from_clock();
        pinset::write_export(&state, content::cids_of_nothing(count, &mut random), "pin-")?;
        let ours = import_ours(&place, &kubo, &state, count)?;
        let go = import_go(&place, &kubo, &state, count)?;
        figures.extend(compare(count, &ours, &go));
    }
    Ok(figures)
}

fn compare(count: usize, ours: &Sample, go: &Sample) -> [Figure; 4] {
    let figure = |what: &str, unit: &str, read: fn(&Sample) -> f64| {
        let samples = vec![(Side::Ours, vec![read(ours)]), (Side::Go, vec![read(go)])];
        Figure::new(format!("{what} {count} pins"), unit, Better::Lower, samples)
    };
    let (seconds, megabytes) = goals(count);
    [
        figure("import of", "s", |sample| sample.seconds).with_value_goal(seconds),
        figure("disk a pin after import of", "B", |sample| sample.disk)
            .with_value_goal(DISK_GOAL_BYTES),
        figure("memory after import, start and a listing of", "MB", |sample| sample.resident)
            .with_value_goal(megabytes),
        Figure::new(
            format!("peak memory during import of {count} pins"),
            "MB",
            Better::Lower,
            ours.peak.map(|peak| (Side::Ours, vec![peak])).into_iter().collect(),
        ),
    ]
}

fn idle(directory: &Path, kubo: &Kubo) -> Result<Figure, BenchError> {
    let place = directory.join("idle");
    fs::create_dir(&place).map_err(HarnessError::io("make a directory"))?;
    let ours = stage::clusterd(&place, kubo)?;
    let go = GoCluster::start(&place, kubo)?;
    let samples = vec![
        (Side::Ours, vec![resident(running(&ours)?)?]),
        (Side::Go, vec![resident(go.program())?]),
    ];
    let what = "memory of the cluster daemon, no pins";
    Ok(Figure::new(what, "MB", Better::Lower, samples).with_value_goal(IDLE_GOAL_MB))
}

/// Then it starts again, as Go's does: an import there is a program of its own.
fn import_ours(
    place: &Path,
    kubo: &Kubo,
    state: &Path,
    count: usize,
) -> Result<Sample, BenchError> {
    let mut clusterd = stage::clusterd(place, kubo)?;
    let seconds = pinset::import(place, state)?;
    let peak = megabytes(running(&clusterd)?.memory()?.peak);
    clusterd.stop()?;
    let disk = disk::used(&place.join("state"))? as f64 / count as f64;
    clusterd.start()?;
    let stream = wait::until("clusterd's control socket", wait::START_MAX, || {
        UnixStream::connect(control_socket(place)).ok()
    })?;
    expect(listing::read(&stream, "GET", "/allocations")?.lines, count)?;
    Ok(Sample { seconds, disk, resident: resident(running(&clusterd)?)?, peak: Some(peak) })
}

fn import_go(place: &Path, kubo: &Kubo, state: &Path, count: usize) -> Result<Sample, BenchError> {
    let home = GoHome::make(place, kubo, &kubo.api())?;
    let start = Instant::now();
    home.import(state)?;
    let seconds = start.elapsed().as_secs_f64();
    let disk = disk::used(home.directory())? as f64 / count as f64;
    let go = home.start()?;
    let stream = TcpStream::connect(("127.0.0.1", go.rest_port()))
        .map_err(HarnessError::io("connect to Go ipfs-cluster"))?;
    expect(listing::read(&stream, "GET", "/allocations")?.lines, count)?;
    Ok(Sample { seconds, disk, resident: resident(go.program())?, peak: None })
}

fn expect(found: usize, wanted: usize) -> Result<(), BenchError> {
    if found == wanted {
        return Ok(());
    }
    let found = format!("{found} pins instead of {wanted}");
    Err(HarnessError::Unreadable { what: "an imported pinset", found }.into())
}

fn resident(program: &Program) -> Result<f64, BenchError> {
    Ok(megabytes(program.memory()?.resident))
}

fn running(daemon: &Daemon) -> Result<&Program, BenchError> {
    let missing = || HarnessError::Missing { what: "clusterd".into(), fix: "see its log".into() };
    Ok(daemon.program().ok_or_else(missing)?)
}

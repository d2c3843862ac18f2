//! A fresh peer joins a cluster that has a large pinset: how long until it has all, and its memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use harness::cluster;
use harness::daemon::{ClusterdSetup, Daemon, PeersSetup, Sockets, control_socket};
use harness::error::HarnessError;
use harness::go_cluster::GoHome;
use harness::http::Client;
use harness::kubo::Kubo;
use harness::ports::Port;
use harness::random::Random;
use harness::wait;
use serde_json::Value;

use super::Run;
use crate::figure::{Better, Figure, Side};
use crate::sides::megabytes;
use crate::{BenchError, content, pinset};

/// As the list of figures has it, for 200 000 pins.
const GOAL_SECONDS: f64 = 6.0;
const MEMORY_GOAL_MB: f64 = 24.0;

/// Go takes minutes.
const CATCH_UP_MAX: Duration = Duration::from_secs(900);

/// What one fresh peer gave: seconds from its start, seconds from the first head that it heard of (of
/// ours), memory at the end.
struct Sample {
    from_start: f64,
    from_first_head: Option<f64>,
    resident: f64,
}

/// One join each: of ours to ours, of ours to Go's, of Go's to Go's.
pub(super) fn measure(run: &mut Run<'_>) -> Result<Vec<Figure>, BenchError> {
    let count = run.sizes.caught_up;
    let kubo = Kubo::start_in(run.directory)?;
    let state = run.directory.join("state.ndjson");
    let mut random = Random::from_clock();
    pinset::write_export(&state, content::cids_of_nothing(count, &mut random), "pin-")?;
    let from_ours = {
        let place = make(run.directory, "ours")?;
        let source = Ours::start(&place, &kubo, Vec::new())?;
        pinset::import(&place, &state)?;
        fresh_of_ours(&make(run.directory, "ours-fresh")?, &kubo, source.address()?, count)?
    };
    let home = GoHome::make(&make(run.directory, "go")?, &kubo, &kubo.api())?;
    home.import(&state)?;
    home.join("source", &[])?;
    let go = home.start()?;
    let address = go.peer_address()?;
    let place = make(run.directory, "ours-from-go")?;
    let from_go = fresh_of_ours(&place, &kubo, address.clone(), count)?;
    let place = make(run.directory, "go-fresh")?;
    let go_from_go = fresh_of_go(&place, &kubo, address, count)?;
    Ok(figures(count, &from_ours, &from_go, &go_from_go))
}

fn figures(count: usize, ours: &Sample, from_go: &Sample, go: &Sample) -> Vec<Figure> {
    let seconds = |what: &str, sample: f64| {
        let samples = vec![(Side::Ours, vec![sample]), (Side::Go, vec![go.from_start])];
        Figure::new(format!("{count} pins, {what}"), "s", Better::Lower, samples)
    };
    let heard = from_go.from_first_head.unwrap_or(from_go.from_start);
    let memory = vec![(Side::Ours, vec![ours.resident]), (Side::Go, vec![go.resident])];
    let what = format!("memory of a fresh peer that has caught up on {count} pins");
    vec![
        seconds("a fresh peer of ours has all from one of ours", ours.from_start)
            .with_value_goal(GOAL_SECONDS),
        seconds("a fresh peer of ours has all from Go's, since the first head", heard)
            .with_value_goal(GOAL_SECONDS),
        seconds("a fresh peer of ours has all from Go's, since its start", from_go.from_start),
        Figure::new(what, "MB", Better::Lower, memory).with_value_goal(MEMORY_GOAL_MB),
    ]
}

fn make(directory: &Path, name: &str) -> Result<PathBuf, BenchError> {
    let place = directory.join(name);
    fs::create_dir_all(&place).map_err(HarnessError::io("make a directory"))?;
    Ok(place)
}

/// A clusterd with its place among others.
pub(super) struct Ours {
    daemon: Daemon,
    place: PathBuf,
    port: Port,
}

impl Ours {
    /// Starts one that connects to these addresses first.
    pub(super) fn start(
        place: &Path,
        kubo: &Kubo,
        bootstrap: Vec<String>,
    ) -> Result<Self, BenchError> {
        let port = Port::reserve()?;
        let peers = PeersSetup { port: port.number(), bootstrap, ..PeersSetup::default() };
        let setup = ClusterdSetup { peers, ..ClusterdSetup::new(kubo.api(), Sockets::Own) };
        let daemon = Daemon::clusterd(place, &setup)?;
        Ok(Self { daemon, place: place.to_owned(), port })
    }

    /// Its REST API.
    pub(super) fn control(&self) -> Client {
        Client::unix(&control_socket(&self.place))
    }

    /// Its process id.
    pub(super) fn process(&self) -> Option<u32> {
        self.daemon.program().map(harness::program::Program::pid)
    }

    /// Where others reach it.
    pub(super) fn address(&self) -> Result<String, BenchError> {
        let id = ask(&self.control(), "/id")?;
        let id = id["id"].as_str().unwrap_or_default().to_owned();
        Ok(format!("/ip4/127.0.0.1/tcp/{}/p2p/{id}", self.port.number()))
    }

    fn resident(&self) -> Result<f64, BenchError> {
        let missing = HarnessError::Missing { what: "clusterd".into(), fix: "see its log".into() };
        let program = self.daemon.program().ok_or(missing)?;
        Ok(megabytes(program.memory()?.resident))
    }
}

fn ask(control: &Client, target: &str) -> Result<Value, BenchError> {
    let answer = control.call("GET", target, "")?;
    let value = serde_json::from_slice(&answer.body);
    let unreadable =
        || HarnessError::Unreadable { what: "an answer of clusterd", found: answer.text() };
    Ok(value.map_err(|_| unreadable())?)
}

fn fresh_of_ours(
    place: &Path,
    kubo: &Kubo,
    source: String,
    count: usize,
) -> Result<Sample, BenchError> {
    let start = Instant::now();
    let fresh = Ours::start(place, kubo, vec![source])?;
    let control = fresh.control();
    let mut first_head = None;
    wait::until("all pins at a fresh peer of ours", CATCH_UP_MAX, || {
        if first_head.is_none() {
            let history = ask(&control, "/composite/heads").ok()?;
            let heads = history["heads"].as_array().map_or(0, Vec::len);
            let hears = heads > 0 || history["fetching"].as_u64() > Some(0);
            first_head = hears.then(Instant::now);
        }
        let summary = ask(&control, "/composite/summary").ok()?;
        (summary["pins"].as_u64() == Some(count as u64)).then_some(())
    })?;
    Ok(Sample {
        from_start: start.elapsed().as_secs_f64(),
        from_first_head: first_head.map(|first| first.elapsed().as_secs_f64()),
        resident: fresh.resident()?,
    })
}

fn fresh_of_go(
    place: &Path,
    kubo: &Kubo,
    source: String,
    count: usize,
) -> Result<Sample, BenchError> {
    let home = GoHome::make(place, kubo, &kubo.api())?;
    home.join("fresh", &[source])?;
    let start = Instant::now();
    let go = home.start()?;
    let control = Client::tcp(go.rest_port());
    wait::until("all pins at a fresh peer of Go's", CATCH_UP_MAX, || {
        let pins = cluster::count(&control).ok()?;
        (pins == count).then_some(())
    })?;
    let resident = megabytes(go.program().memory()?.resident);
    Ok(Sample { from_start: start.elapsed().as_secs_f64(), from_first_head: None, resident })
}

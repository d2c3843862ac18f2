//! What a level of clusters costs: the same calls at a cluster, at one whose IPFS daemon is that cluster,
//! and at one above that. All end at one Kubo.

use std::path::Path;
use std::time::{Duration, Instant};

use harness::daemon::{
    ClusterdSetup, Daemon, PeersSetup, ProxydSetup, Sockets, control_socket, proxy_socket,
};
use harness::error::HarnessError;
use harness::kubo::Kubo;
use harness::ports::Port;
use harness::random::Random;
use harness::wait;

use super::Run;
use super::pin_add::{pin_in_turn, put_blocks, quantile};
use crate::content::Form;
use crate::figure::{Better, Figure, Side};
use crate::rounds::interleave;
use crate::{BenchError, rpc};

const SIDES: [Side; 4] = [Side::Ours, Side::Kubo, Side::OneLevel, Side::TwoLevels];

/// As the `ipfs` program sends it, without progress.
const ADD: &str = "/api/v0/add?progress=false";

/// A daemon asks the one below it what it is before it takes pins to it.
const READY_MAX: Duration = Duration::from_secs(60);

/// A clusterd with its proxyd.
struct Level {
    proxyd: (Daemon, Port),
    _clusterd: Daemon,
}

/// `pin add` of local content, and `add` of a large file, through each number of levels.
pub(crate) fn measure(run: &mut Run<'_>) -> Result<Vec<Figure>, BenchError> {
    let kubo = Kubo::start_in(run.directory)?;
    let mut levels = Vec::new();
    let mut below = kubo.api();
    for number in 0..3 {
        let level = Level::over(&below, &run.directory.join(format!("level-{number}")))?;
        below = format!("/ip4/127.0.0.1/tcp/{}", level.proxyd.1.number());
        levels.push(level);
    }
    let port = |side| match side {
        Side::OneLevel => levels[1].proxyd.1.number(),
        Side::TwoLevels => levels[2].proxyd.1.number(),
        Side::Kubo => kubo.port(),
        _ => levels[0].proxyd.1.number(),
    };
    let mut content = Random::from_clock();
    let (pins, bytes) = (run.sizes.pins_in_turn, run.sizes.file_bytes);
    let pinned = interleave(&SIDES, run.sizes.long_rounds, run.random, |side| {
        let cids = put_blocks(&kubo, pins, &mut content)?;
        let mut times = pin_in_turn(port(side), &cids)?;
        times.sort_by(f64::total_cmp);
        Ok([quantile(&times, 50), quantile(&times, 99)])
    })?;
    let added = interleave(&SIDES, run.sizes.long_rounds, run.random, |side| {
        let form = Form::file(bytes, &mut content);
        nix::unistd::sync();
        let start = Instant::now();
        rpc::post_form(port(side), ADD, &form)?;
        Ok([start.elapsed().as_secs_f64()])
    })?;
    let pin_add = "`pin add` through levels of clusters, 1 client";
    let file = bytes >> 20;
    Ok(vec![
        Figure::new(format!("{pin_add}: p50"), "ms", Better::Lower, pinned.column(0)),
        Figure::new(format!("{pin_add}: p99"), "ms", Better::Lower, pinned.column(1)),
        Figure::new(
            format!("`add` of {file} MiB through levels of clusters"),
            "s",
            Better::Lower,
            added.column(0),
        ),
    ])
}

impl Level {
    /// Starts both with their shipped settings over the daemon at `below`.
    fn over(below: &str, directory: &Path) -> Result<Self, BenchError> {
        std::fs::create_dir_all(directory).map_err(HarnessError::io("make a directory"))?;
        // A cluster of the same secret and name would be taken for this one, below itself.
        let cluster = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let peers = PeersSetup { cluster, ..PeersSetup::default() };
        let clusterd =
            ClusterdSetup { peers, ..ClusterdSetup::new(below.to_owned(), Sockets::Own) };
        let clusterd = Daemon::clusterd(directory, &clusterd)?;
        wait::until("clusterd's control socket", wait::START_MAX, || {
            control_socket(directory).exists().then_some(())
        })?;
        let port = Port::reserve()?;
        let setup = ProxydSetup {
            port: port.number(),
            ipfs: below.to_owned(),
            cluster: proxy_socket(directory),
            sockets: Sockets::Own,
            more: String::new(),
        };
        let proxyd = Daemon::proxyd(directory, &setup)?;
        wait::until("a level that answers", READY_MAX, || {
            rpc::post(port.number(), "/api/v0/pin/ls?type=recursive").ok()
        })?;
        Ok(Self { proxyd: (proxyd, port), _clusterd: clusterd })
    }
}

//! Three peers that all write, one pin at a time: until each has all. And what they say when idle.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use harness::cluster;
use harness::error::HarnessError;
use harness::go_cluster::{GoCluster, GoHome};
use harness::http::Client;
use harness::kubo::Kubo;
use harness::random::Random;
use harness::wait;

use super::Run;
use super::catch_up::Ours;
use crate::BenchError;
use crate::figure::{Better, Figure, Side};

const PEERS: usize = 3;

/// Go takes minutes.
const CONVERGE_MAX: Duration = Duration::from_secs(900);

/// Ours and Go's in turn, once: each takes long.
pub(super) fn measure(run: &mut Run<'_>) -> Result<Vec<Figure>, BenchError> {
    let kubo = Kubo::start_in(run.directory)?;
    let writes = run.sizes.single_writes;
    let (ours, idle) = ours(run, &kubo, writes)?;
    let go = go(run, &kubo, writes)?;
    let samples = vec![(Side::Ours, vec![ours]), (Side::Go, vec![go])];
    let what = format!("{writes} single writes over {PEERS} peers, until all have them");
    let mut figures = vec![Figure::new(what, "s", Better::Lower, samples)];
    figures.extend(idle.map(|bytes| {
        let what = format!("traffic of an idle peer among {PEERS}, both ways");
        Figure::new(what, "B/s", Better::Lower, vec![(Side::Ours, vec![bytes])])
    }));
    Ok(figures)
}

fn ours(run: &mut Run<'_>, kubo: &Kubo, writes: usize) -> Result<(f64, Option<f64>), BenchError> {
    let mut peers: Vec<Ours> = Vec::new();
    for number in 0..PEERS {
        let place = run.directory.join(format!("ours-{number}"));
        fs::create_dir_all(&place).map_err(HarnessError::io("make a directory"))?;
        let known = peers.iter().map(Ours::address).collect::<Result<_, _>>()?;
        peers.push(Ours::start(&place, kubo, known)?);
    }
    let controls: Vec<Client> = peers.iter().map(Ours::control).collect();
    let seconds = write_and_converge(&controls, writes, run.random)?;
    let idle = peers[0].process().and_then(|process| idle_traffic(process, run.sizes.idle_time));
    Ok((seconds, idle))
}

fn go(run: &mut Run<'_>, kubo: &Kubo, writes: usize) -> Result<f64, BenchError> {
    let mut peers: Vec<GoCluster> = Vec::new();
    for number in 0..PEERS {
        let place = run.directory.join(format!("go-{number}"));
        fs::create_dir_all(&place).map_err(HarnessError::io("make a directory"))?;
        let known: Vec<String> =
            peers.iter().map(GoCluster::peer_address).collect::<Result<_, _>>()?;
        let home = GoHome::make(&place, kubo, &kubo.api())?;
        home.join(&format!("go-{number}"), &known)?;
        peers.push(home.start()?);
    }
    let controls: Vec<Client> = peers.iter().map(|peer| Client::tcp(peer.rest_port())).collect();
    write_and_converge(&controls, writes, run.random)
}

/// Each peer gets its share, one after the other; seconds until all have all.
fn write_and_converge(
    controls: &[Client],
    writes: usize,
    random: &mut Random,
) -> Result<f64, BenchError> {
    let share = writes / controls.len();
    let mut shares = Vec::new();
    for control in controls {
        let cids: Vec<String> = (0..share).map(|_| random.cid_of_nothing()).collect();
        shares.push((control, cids));
    }
    let start = Instant::now();
    thread::scope(|scope| {
        let writers: Vec<_> = shares
            .into_iter()
            .map(|(control, cids)| {
                scope.spawn(move || cids.iter().try_for_each(|cid| cluster::pin(control, cid, "")))
            })
            .collect();
        writers.into_iter().try_for_each(|writer| match writer.join() {
            Ok(written) => written.map_err(BenchError::from),
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    let all = share * controls.len();
    wait::until("all pins at all peers", CONVERGE_MAX, || {
        let has_all = |control| cluster::count(control).is_ok_and(|count| count == all);
        controls.iter().all(has_all).then_some(())
    })?;
    Ok(start.elapsed().as_secs_f64())
}

/// Bytes a second over all TCP connections of a process; `None` where `ss` is not installed.
fn idle_traffic(process: u32, span: Duration) -> Option<f64> {
    let before = bytes_moved(process)?;
    thread::sleep(span);
    let after = bytes_moved(process)?;
    Some(after.saturating_sub(before) as f64 / span.as_secs_f64())
}

fn bytes_moved(process: u32) -> Option<u64> {
    let output = Command::new("ss").args(["-tinpHO"]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let of_process = format!("pid={process},");
    let count = |line: &str, name: &str| -> u64 {
        let words = line.split_whitespace();
        let mut counts = words.filter_map(|word| word.strip_prefix(name)?.parse::<u64>().ok());
        counts.next().unwrap_or(0)
    };
    let lines = text.lines().filter(|line| line.contains(&of_process));
    Some(lines.map(|line| count(line, "bytes_sent:") + count(line, "bytes_received:")).sum())
}

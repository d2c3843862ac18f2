//! `pin/add` of content that Kubo has: how long one takes, and how many a second 16 clients get.

use std::thread;
use std::time::{Duration, Instant};

use harness::error::HarnessError;
use harness::http::{Client, Connection};
use harness::kubo::Kubo;

use super::Run;
use crate::content::{Blocks, Form};
use crate::figure::{Better, Figure, Side};
use crate::rounds::{Rounds, interleave};
use crate::stage::Stage;
use crate::{BenchError, rpc};
use harness::random::Random;

const SIDES: [Side; 4] = [Side::Ours, Side::OursAccepted, Side::Kubo, Side::Go];

/// As the list of figures has it.
const CLIENTS: usize = 16;

/// Kubo pins some hundred a second; more time means that something hangs.
const SETTLE_MAX: Duration = Duration::from_secs(120);

/// One client, then 16; every pin is a new one, and content is put first.
pub(crate) fn measure(run: &mut Run<'_>) -> Result<Vec<Figure>, BenchError> {
    let stage = Stage::start(run.directory)?;
    let mut content = Random::from_clock();
    let (in_turn, at_once) = (run.sizes.pins_in_turn, run.sizes.pins_at_once);
    let rounds = run.sizes.long_rounds;
    let one = interleave(&SIDES, rounds, run.random, |side| {
        let cids = put_blocks(&stage.kubo, in_turn, &mut content)?;
        let mut times = pin_in_turn(stage.port(side), &cids)?;
        stage.settle(&cids, SETTLE_MAX)?;
        times.sort_by(f64::total_cmp);
        Ok([quantile(&times, 50), quantile(&times, 99)])
    })?;
    let many = interleave(&SIDES, rounds, run.random, |side| {
        let cids = put_blocks(&stage.kubo, at_once, &mut content)?;
        let start = Instant::now();
        pin_at_once(stage.port(side), &cids)?;
        let seconds = start.elapsed().as_secs_f64();
        stage.settle(&cids, SETTLE_MAX)?;
        Ok([at_once as f64 / seconds])
    })?;
    let p50 = "`pin add`, 1 client: p50";
    let rate = "`pin add`, 16 clients";
    let accepted = |what: &str| format!("the same with `wait = \"accepted\"`: {what}");
    Ok(vec![
        Figure::new(p50, "ms", Better::Lower, pinned(&one, 0)),
        Figure::new("`pin add`, 1 client: p99", "ms", Better::Lower, pinned(&one, 1)),
        Figure::new(rate, "pins/s", Better::Higher, pinned(&many, 0))
            .with_ratio_goal(Side::Kubo, 0.95),
        Figure::new(accepted(p50), "ms", Better::Lower, at_commit(&one, 0)),
        Figure::new(accepted(rate), "pins/s", Better::Higher, at_commit(&many, 0))
            .with_ratio_goal(Side::Go, 5.0),
    ])
}

/// The sides that a client may choose from with the shipped settings.
fn pinned<const N: usize>(rounds: &Rounds<N>, column: usize) -> Vec<(Side, Vec<f64>)> {
    rounds.column_of(column, &[Side::Ours, Side::Kubo, Side::Go])
}

/// Ours with `wait = "accepted"`, as our side, against Go, which always answers so.
fn at_commit<const N: usize>(rounds: &Rounds<N>, column: usize) -> Vec<(Side, Vec<f64>)> {
    let sides = rounds.column_of(column, &[Side::OursAccepted, Side::Go]).into_iter();
    let ours = |side| if side == Side::OursAccepted { Side::Ours } else { side };
    sides.map(|(side, samples)| (ours(side), samples)).collect()
}

/// Gives Kubo fresh blocks, none of them pinned.
pub(super) fn put_blocks(
    kubo: &Kubo,
    count: usize,
    random: &mut Random,
) -> Result<Vec<String>, BenchError> {
    let blocks = Blocks::fresh(count, random);
    let form = Form::car(&blocks.car);
    rpc::post_form(kubo.port(), "/api/v0/dag/import?pin-roots=false", &form)?;
    nix::unistd::sync();
    Ok(blocks.cids)
}

/// One after the other on one connection; milliseconds each.
pub(super) fn pin_in_turn(port: u16, cids: &[String]) -> Result<Vec<f64>, BenchError> {
    let mut connection = Client::tcp(port).connect()?;
    let mut times = Vec::with_capacity(cids.len());
    for cid in cids {
        let start = Instant::now();
        pin(&mut connection, cid)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}

fn pin_at_once(port: u16, cids: &[String]) -> Result<(), BenchError> {
    thread::scope(|scope| {
        let shares = cids.chunks(cids.len().div_ceil(CLIENTS));
        let clients: Vec<_> =
            shares.map(|share| scope.spawn(move || pin_in_turn(port, share))).collect();
        for client in clients {
            match client.join() {
                Ok(times) => drop(times?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(())
    })
}

fn pin(connection: &mut Connection, cid: &str) -> Result<(), BenchError> {
    let target = format!("/api/v0/pin/add?arg={cid}");
    let request = format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    connection.send(request.as_bytes())?;
    let answer = rpc::checked(&target, connection.answer(false)?)?;
    if answer.text().contains(cid) {
        return Ok(());
    }
    Err(HarnessError::Unreadable { what: "the answer to pin/add", found: answer.text() }.into())
}

/// The sample that so many of 100 do not exceed.
pub(super) fn quantile(sorted: &[f64], percent: usize) -> f64 {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}

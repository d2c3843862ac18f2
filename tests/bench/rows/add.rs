//! `add` of one large file and of a directory of small ones, against the time that Kubo needs alone.

use std::time::Instant;

use super::Run;
use crate::content::Form;
use crate::figure::{Better, Figure, Side};
use crate::rounds::interleave;
use crate::stage::Stage;
use crate::{BenchError, rpc};
use harness::random::Random;

const SIDES: [Side; 3] = [Side::Ours, Side::Kubo, Side::Go];

/// How much longer than Kubo's own an `add` may take, as the list of figures has it.
const GOAL: f64 = 1.03;

/// As the `ipfs` program sends it, without progress.
const TARGET: &str = "/api/v0/add?progress=false";

/// Both kinds, with fresh content of the same size for every side and round.
pub(crate) fn measure(run: &mut Run<'_>) -> Result<Vec<Figure>, BenchError> {
    let stage = Stage::start(run.directory)?;
    let (bytes, files) = (run.sizes.file_bytes, run.sizes.files);
    let large = time(run, &stage, |random| Form::file(bytes, random))?;
    let small = time(run, &stage, |random| Form::directory(files, random))?;
    let figure = |what: String, samples| {
        Figure::new(what, "s", Better::Lower, samples).with_ratio_goal(Side::Kubo, GOAL)
    };
    Ok(vec![
        figure(format!("`add` of {} MiB", bytes >> 20), large),
        figure(format!("`add` of {files} small files"), small),
    ])
}

fn time(
    run: &mut Run<'_>,
    stage: &Stage,
    mut form: impl FnMut(&mut Random) -> Form,
) -> Result<Vec<(Side, Vec<f64>)>, BenchError> {
    let mut content = Random::from_clock();
    let rounds = interleave(&SIDES, run.sizes.long_rounds, run.random, |side| {
        let form = form(&mut content);
        // What the side before left to be written must not be written in this one's time.
        nix::unistd::sync();
        let start = Instant::now();
        rpc::post_form(stage.port(side), TARGET, &form)?;
        Ok([start.elapsed().as_secs_f64()])
    })?;
    Ok(rounds.column(0))
}

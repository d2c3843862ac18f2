//! `cargo demo`: does the main job once, for real, and stays up to be tried.

#![forbid(unsafe_code)]

mod composite;
mod interrupt;
mod levels;
mod screen;
mod tour;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::interrupt::Interrupt;
use crate::screen::Screen;

/// Starts a Kubo, clusterd and proxyd on this machine, adds and pins a file through them, and
/// stays up until Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "cargo demo --")]
pub(crate) struct Args {
    /// Port of 127.0.0.1 that the proxy listens on.
    #[arg(long, default_value_t = 9095, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Directory for all files, kept afterwards; without this option a temporary one.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// A main cluster of three peers over three sub-clusters of two peers, with six Kubos.
    #[arg(long)]
    composite: bool,
    /// End after the tour.
    #[arg(long)]
    once: bool,
}

fn main() -> ExitCode {
    // The alias ends with `--` already; whoever types `cargo demo -- --once` is understood too.
    let words = std::env::args_os();
    let args =
        Args::parse_from(words.enumerate().filter(|(at, w)| *at != 1 || w != "--").map(|(_, w)| w));
    let interrupt = match Interrupt::listen() {
        Ok(interrupt) => interrupt,
        Err(error) => return Screen.fail(&error),
    };
    let run = if args.composite { levels::run } else { tour::run };
    match run(&args, &interrupt, &Screen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => Screen.fail(&error),
    }
}

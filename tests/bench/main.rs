//! Measures ours beside Kubo, Go ipfs-cluster, haproxy and nginx, in one run on one machine.

#![forbid(unsafe_code)]

mod content;
mod cpu;
mod disk;
mod error;
mod figure;
mod listing;
mod message;
mod pinset;
mod proxies;
mod report;
mod rounds;

mod rows;
mod rpc;
mod sides;
mod sizes;
mod source_and_sink;
mod stage;
mod table;
mod wrk;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use harness::{build, peers, stack};

use crate::error::BenchError;
use crate::report::{Report, RowReport, Setting, first_line};
use crate::rows::{Row, Run};
use crate::sizes::Sizes;
use harness::random::Random;

/// The work tree.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The figures that README shows.
const NEWEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/newest.json");

/// Measures ours beside Kubo, Go ipfs-cluster, haproxy and nginx.
///
/// All sides of a row run at once on this machine and are measured in turn, in another order each
/// round. Only the ratios within a row mean something.
#[derive(Debug, Parser)]
struct Arguments {
    /// Small sizes, under two minutes: shows that all works, not how fast.
    #[arg(long)]
    quick: bool,
    /// Only these rows.
    #[arg(long, value_enum)]
    only: Vec<Row>,
    /// Where the figures go, in place of those of the same rows [default: tests/bench/newest.json,
    /// or nowhere with --quick].
    #[arg(long)]
    json: Option<PathBuf>,
    /// Builds nothing: measures the daemons that lie beside this program.
    #[arg(long)]
    built: bool,
    /// Measures nothing: puts the newest figures into README's table.
    #[arg(long)]
    readme: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-peers: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
fn run(arguments: &Arguments) -> Result<(), BenchError> {
    if arguments.readme {
        let report = Report::read(Path::new(NEWEST))?;
        return table::write_into(&Path::new(ROOT).join("README.md"), &report);
    }
    if !arguments.built {
        build::build_all()?;
    }
    let file = match &arguments.json {
        Some(file) => Some(file.as_path()),
        None if arguments.quick => None,
        None => Some(Path::new(NEWEST)),
    };
    let all = arguments.only.is_empty();
    let rows = if all { Row::value_variants() } else { &arguments.only };
    let setting = Setting::of_this_machine(versions(rows)?, arguments.quick);
    let mut report = Report::begin(setting, file)?;
    let sizes = if arguments.quick { Sizes::quick() } else { Sizes::full() };
    let mut random = Random::from_clock();
    for row in rows.iter().copied() {
        eprintln!("measuring {row:?} …");
        let directory = stack::temporary_directory()?;
        let mut run = Run { directory: directory.path(), sizes: &sizes, random: &mut random };
        let measured = RowReport::now(row, |load| {
            eprintln!("load {load} before it");
            row.measure(&mut run)
        })?;
        print!("{}", table::lines(&measured.figures));
        report.replace(measured);
        // A later row may fail, and a run is long.
        if let Some(file) = file {
            report.write(file)?;
        }
    }
    Ok(())
}

/// The names and versions of the peers in these rows.
fn versions(rows: &[Row]) -> Result<Vec<String>, BenchError> {
    let kubo = peers::kubo()?;
    let go = peers::cluster_service()?;
    let line = |path: &Path, args: &[&str]| first_line(&path.to_string_lossy(), args);
    let mut versions = vec![
        format!("Kubo {}", line(&kubo, &["version", "--number"])),
        line(&go, &["--version"]).replace("ipfs-cluster-service version", "ipfs-cluster"),
    ];
    if rows.iter().any(|row| row.has_other_proxies()) {
        for tool in ["haproxy", "nginx", "wrk"] {
            versions.push(short_version(tool)?);
        }
    }
    Ok(versions)
}

/// As `nginx 1.22.1`, from what `-v` says.
fn short_version(tool: &str) -> Result<String, BenchError> {
    let said = first_line(tool, &["-v"]);
    let version =
        said.split([' ', '/']).find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let version = version.ok_or_else(|| BenchError::tool(tool))?;
    Ok(format!("{tool} {}", version.split(['-', '+']).next().unwrap_or(version)))
}

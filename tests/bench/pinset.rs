//! Large pinsets: their export in Go's format, and how ours takes it in.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use harness::build;
use harness::daemon::control_socket;
use harness::error::HarnessError;

use crate::BenchError;

/// Writes a state as Go's `state export` does: pins for everywhere, each named
/// `name` with its number, or not at all when that is empty.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_export(
    file: &Path,
    cids: impl Iterator<Item = String>,
    name: &str,
) -> Result<(), BenchError> {
    let write = || {
        let mut out = BufWriter::new(File::create(file)?);
        for (number, cid) in cids.enumerate() {
            let name = if name.is_empty() { String::new() } else { format!("{name}{number}") };
            writeln!(
                out,
                "{{\"replication_factor_min\":-1,\"replication_factor_max\":-1,\"name\":\"{name}\",\
                 \"mode\":\"recursive\",\"shard_size\":0,\"user_allocations\":null,\
                 \"expire_at\":\"0001-01-01T00:00:00Z\",\"metadata\":null,\"pin_update\":null,\
                 \"origins\":[],\"cid\":\"{cid}\",\"type\":\"pin\",\"allocations\":[],\"max_depth\":-1,\
                 \"reference\":null,\"timestamp\":\"2026-11-22T16:25:15Z\"}}"
            )?;
        }
        out.flush()
    };
    write().map_err(HarnessError::io("write a state"))?;
    Ok(())
}

/// Imports into the clusterd whose sockets are in `directory`, as an operator does: while it runs.
/// Gives the seconds that it took.
///
/// # Errors
/// When it refuses a record.
pub(crate) fn import(directory: &Path, state: &Path) -> Result<f64, BenchError> {
    let start = Instant::now();
    let output = Command::new(build::find("clusterdctl")?)
        .arg("--socket")
        .arg(control_socket(directory))
        .args(["state", "import"])
        .arg(state)
        .output()
        .map_err(HarnessError::io("run clusterdctl"))?;
    if output.status.success() {
        return Ok(start.elapsed().as_secs_f64());
    }
    Err(HarnessError::Failed {
        command: "clusterdctl state import".to_owned(),
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
    .into())
}

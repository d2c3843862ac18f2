//! Finds our own programs, and builds them where `cargo test` has not.

use std::path::PathBuf;
use std::process::Command;

use crate::error::HarnessError;
use crate::program::run_to_end;

/// A program of ours, beside the one that runs: `target/<profile>/<name>`. `cargo test` of the whole
/// workspace has built it, as the integration tests of both daemons need it.
///
/// # Errors
/// When it is not there.
pub fn find(name: &str) -> Result<PathBuf, HarnessError> {
    let binary = profile_directory()?.join(name);
    if binary.is_file() {
        return Ok(binary);
    }
    Err(HarnessError::Missing {
        what: format!("{} is not built", binary.display()),
        fix: "run `cargo test` for the whole workspace, or `cargo build` first".to_owned(),
    })
}

/// Builds both daemons and clusterdctl where they are missing or stale, in the profile of the
/// program that runs. Cargo reports on standard error.
///
/// # Errors
/// When Cargo is missing or the build fails; Cargo has said why.
pub fn build_all() -> Result<(), HarnessError> {
    let directory = profile_directory()?;
    let profile = match directory.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(named) => named,
    };
    // Cargo names itself to what `cargo run` starts.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--package", "proxyd", "--package", "clusterd", "--profile", profile]);
    command.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")]);
    if let Some(target) = directory.parent() {
        command.arg("--target-dir").arg(target);
    }
    let status = run_to_end("cargo build", command)?;
    if status.success() {
        return Ok(());
    }
    Err(HarnessError::Failed {
        command: "cargo build --package proxyd --package clusterd".to_owned(),
        status: status.to_string(),
        output: "see above".to_owned(),
    })
}

/// Where Cargo put the running program: tests lie in `deps` below it.
fn profile_directory() -> Result<PathBuf, HarnessError> {
    let own = std::env::current_exe().map_err(HarnessError::io("find the running program"))?;
    let beside = own.ancestors().skip(1).find(|directory| !directory.ends_with("deps"));
    beside.map(PathBuf::from).ok_or_else(|| HarnessError::Unreadable {
        what: "the path of the running program",
        found: own.display().to_string(),
    })
}

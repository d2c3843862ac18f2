//! Finds our own programs, and builds them where `cargo test` has not.

use std::path::PathBuf;
use std::process::{Command, Stdio};

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
    if !has_make() {
        eprintln!(
            "`make` is missing: clusterd is built with the C library's allocator and takes more memory"
        );
        command.arg("--no-default-features");
    }
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

/// Whether clusterd's default allocator can be built.
fn has_make() -> bool {
    let make =
        Command::new("make").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    make.is_ok_and(|status| status.success())
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

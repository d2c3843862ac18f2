//! Runs the real `ipfs` command line, as a user would, against an address.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::HarnessError;
use crate::program::tail;

/// The `ipfs` command line, pointed at one Kubo RPC address.
#[derive(Debug, Clone)]
pub struct Ipfs {
    binary: PathBuf,
    api: String,
    directory: PathBuf,
}

/// What a command said and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Its output.
    pub stdout: String,
    /// Its errors.
    pub stderr: String,
}

impl Ipfs {
    /// Commands go to 127.0.0.1 at `port` and run in `directory`.
    #[must_use]
    pub fn new(binary: &Path, port: u16, directory: &Path) -> Self {
        let api = format!("/ip4/127.0.0.1/tcp/{port}");
        Self { binary: binary.to_owned(), api, directory: directory.to_owned() }
    }

    /// The address that commands go to.
    #[must_use]
    pub fn api(&self) -> &str {
        &self.api
    }

    /// The command `ipfs --api … args`, not yet started.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(["--api", &self.api]).args(args);
        // No repository of the user's may be read or written.
        command.env("IPFS_PATH", self.directory.join("no-repository"));
        command.env_remove("IPFS_API").current_dir(&self.directory).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end, whatever it is.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, args: &[&str]) -> Result<Said, HarnessError> {
        let output = self.command(args).output().map_err(HarnessError::io("run ipfs"))?;
        Ok(Said {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs a command that must succeed; its output without the last line feed.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub fn ok(&self, args: &[&str]) -> Result<String, HarnessError> {
        let said = self.run(args)?;
        if said.code == Some(0) {
            return Ok(said.stdout.trim_end_matches('\n').to_owned());
        }
        Err(HarnessError::Failed {
            command: format!("ipfs {}", args.join(" ")),
            status: format!("{:?}", said.code),
            output: tail(&said.stderr),
        })
    }
}

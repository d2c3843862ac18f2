//! What the demo shows; a closed output is no failure.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use harness::error::HarnessError;

/// The terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen;

impl Screen {
    /// A line, at once.
    pub(crate) fn say(&self, line: impl Display) {
        let mut out = io::stdout().lock();
        // Somebody who reads only the beginning (`| head`) has seen enough.
        drop(writeln!(out, "{line}").and_then(|()| out.flush()));
    }

    /// A command as a user types it.
    pub(crate) fn typed(&self, command: impl Display) {
        self.say(format_args!("\n$ {command}"));
    }

    /// Why the demo failed.
    pub(crate) fn fail(&self, error: &HarnessError) -> ExitCode {
        eprintln!("\nThe demo cannot go on: {error}");
        ExitCode::FAILURE
    }
}

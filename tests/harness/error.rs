//! What can go wrong while programs are found, built, started and watched.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// A failure of the harness or of a program that it runs.
#[derive(Debug, Error)]
pub enum HarnessError {
    /// The operating system refused.
    #[error("cannot {attempt}: {source}")]
    Io {
        /// What was tried, as in "cannot …".
        attempt: String,
        /// Its reason.
        source: io::Error,
    },
    /// Something that people must provide is not there.
    #[error("{what}: {fix}")]
    Missing {
        /// What is missing, as a clause.
        what: String,
        /// What to do about it.
        fix: String,
    },
    /// A command ended with a failure.
    #[error("`{command}` failed ({status}): {output}")]
    Failed {
        /// The command line.
        command: String,
        /// How it ended.
        status: String,
        /// The end of what it said.
        output: String,
    },
    /// A program ended although it should run.
    #[error("{program} ended ({status}); the end of {}:\n{tail}", log.display())]
    Ended {
        /// Its name.
        program: String,
        /// How it ended.
        status: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// Something awaited did not come.
    #[error("waited {limit:?} in vain for {what}")]
    TimedOut {
        /// What was awaited.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// An answer has another form than its protocol says.
    #[error("cannot read {what}: {found}")]
    Unreadable {
        /// What was read.
        what: &'static str,
        /// What was found instead.
        found: String,
    },
}

impl HarnessError {
    /// Wraps an I/O error with what was tried; for `map_err`.
    pub fn io(attempt: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let attempt = attempt.into();
        move |source| Self::Io { attempt, source }
    }
}

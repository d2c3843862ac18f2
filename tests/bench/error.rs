//! Why a measurement ends without a figure.

use harness::error::HarnessError;
use thiserror::Error;

/// A measurement that failed. A side that cannot be measured ends the run: it is never left out.
#[derive(Debug, Error)]
pub(crate) enum BenchError {
    /// A program could not be had, started, or understood.
    #[error(transparent)]
    Harness(#[from] HarnessError),
    /// Requests failed while they were counted.
    #[error("{count} requests failed: {what}")]
    Failed {
        /// Which requests.
        what: String,
        /// How many.
        count: f64,
    },
    /// The file of figures is not what this program writes.
    #[error("cannot read the figures in {path}")]
    Figures {
        /// The file.
        path: String,
        /// Its fault.
        source: serde_json::Error,
    },
    /// README has no place for the table.
    #[error("README.md lacks the lines `{begin}` and `{end}`")]
    NoPlace {
        /// The line before the table.
        begin: &'static str,
        /// The line behind it.
        end: &'static str,
    },
}

impl BenchError {
    /// A tool of the distribution is not installed.
    pub(crate) fn tool(name: &str) -> Self {
        let fix = "install it (Debian: apt-get install wrk haproxy nginx)".to_owned();
        Self::Harness(HarnessError::Missing { what: name.to_owned(), fix })
    }
}

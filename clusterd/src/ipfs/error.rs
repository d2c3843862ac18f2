//! Why a call to Kubo failed.

use thiserror::Error;

/// Why a call to Kubo failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConnectorError {
    /// No connection, or it broke.
    #[error("cannot reach ipfs at {address} to {attempt}: {reason}")]
    Unreachable {
        /// Kubo's address.
        address: String,
        /// What was tried.
        attempt: &'static str,
        /// What happened.
        reason: String,
    },
    /// Kubo answered with an error; these are its words alone, as clients compare them.
    #[error("{message}")]
    Refused {
        /// What was tried.
        attempt: &'static str,
        /// Kubo's words.
        message: String,
    },
    /// Nothing moved for too long.
    #[error("ipfs at {address} did not {attempt} within {seconds} s")]
    Stalled {
        /// Kubo's address.
        address: String,
        /// What was waited for.
        attempt: &'static str,
        /// How long.
        seconds: u64,
    },
    /// The answer is none of Kubo's.
    #[error("cannot understand what ipfs answered to {attempt}: {reason}")]
    Unintelligible {
        /// What was tried.
        attempt: &'static str,
        /// What was found.
        reason: String,
    },
}

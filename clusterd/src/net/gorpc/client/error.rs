//! Why a call of ours to another peer failed.

use std::time::Duration;

use thiserror::Error;

use super::super::heads::{Answered, Fault};
use super::super::methods::Method;
use super::super::values::ValueError;

/// Why a call of ours to another peer failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RpcError {
    /// The method itself failed; these are the peer's words alone.
    #[error("{message}")]
    Refused {
        /// What was called.
        method: Method,
        /// The peer's words.
        message: String,
    },
    /// The peer has no such method, or cannot read what we sent.
    #[error("the peer cannot serve {method}: {message}")]
    Unserved {
        /// What was called.
        method: Method,
        /// The peer's words.
        message: String,
    },
    /// The peer calls it a fault of ours.
    #[error("the peer takes our {method} for faulty: {message}")]
    Faulty {
        /// What was called.
        method: Method,
        /// The peer's words.
        message: String,
    },
    /// The peer does not let us.
    #[error("the peer does not trust us to call {method}: check its trusted_peers")]
    Denied {
        /// What was called.
        method: Method,
    },
    /// The stream ended or broke before the answer was whole.
    #[error("the connection broke during {method}: {reason}")]
    Broken {
        /// What was called.
        method: Method,
        /// How.
        reason: String,
    },
    /// The caller's deadline passed.
    #[error("the peer did not answer {method} within {limit:?}")]
    TimedOut {
        /// What was called.
        method: Method,
        /// The deadline.
        limit: Duration,
    },
    /// The peer's answer cannot be understood, or is longer than it may be.
    #[error("cannot understand the peer's answer to {method}: {reason}")]
    Malformed {
        /// What was called.
        method: Method,
        /// What is wrong with it.
        reason: String,
    },
}

impl RpcError {
    /// Whether the peer lacks the method or the service: Go peers lack those that are ours.
    #[must_use]
    pub fn is_missing_method(&self) -> bool {
        matches!(self, Self::Unserved { message, .. } if message.starts_with("rpc: can't find "))
    }

    pub(super) fn told(method: Method, head: Answered) -> Self {
        let message = head.error;
        match head.fault {
            Fault::Application => Self::Refused { method, message },
            Fault::Server => Self::Unserved { method, message },
            Fault::Client => Self::Faulty { method, message },
            Fault::Authorization => Self::Denied { method },
        }
    }

    pub(super) fn unread(method: Method, error: ValueError) -> Self {
        match error {
            ValueError::Broken(error) => Self::broken(method, &error),
            ValueError::Truncated => Self::broken(method, &ValueError::Truncated),
            ValueError::Unreadable(error) => Self::malformed(method, &error),
        }
    }

    pub(super) fn unanswered(method: Method) -> Self {
        Self::broken(method, &"the stream ended without an answer")
    }

    pub(super) fn broken(method: Method, reason: &dyn std::fmt::Display) -> Self {
        Self::Broken { method, reason: reason.to_string() }
    }

    pub(super) fn malformed(method: Method, reason: &dyn std::fmt::Display) -> Self {
        Self::Malformed { method, reason: reason.to_string() }
    }
}

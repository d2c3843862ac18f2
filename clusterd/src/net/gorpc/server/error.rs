//! Why a call of another peer was not answered.

use thiserror::Error;

/// Why a call of another peer was not answered. `called` is `Service.Method`, or empty before that is known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ServeError {
    /// What the caller sent makes no sense; it was told.
    #[error("cannot serve {called}: {reason}")]
    Unserved {
        /// What was called.
        called: String,
        /// What is wrong.
        reason: String,
    },
    /// The caller may not call this; it was told.
    #[error("the peer is not trusted to call {called}")]
    Denied {
        /// What was called.
        called: String,
    },
    /// The caller did not do its part in time.
    #[error("gave up {called}: the peer did not {awaited} within {seconds} s")]
    Stalled {
        /// What was called.
        called: String,
        /// What it was to do.
        awaited: &'static str,
        /// How long that was waited for.
        seconds: u64,
    },
    /// The caller went away before the answer.
    #[error("the peer gave up {called}: {reason}")]
    Gone {
        /// What was called.
        called: String,
        /// How that showed.
        reason: String,
    },
    /// Our own code fell over; the caller was told that something went wrong.
    #[error("serving {called} failed unexpectedly; this is a bug")]
    Panicked {
        /// What was called.
        called: String,
    },
    /// We are stopping; the caller was told.
    #[error("stopped before {called} was answered")]
    Stopped {
        /// What was called.
        called: String,
    },
}

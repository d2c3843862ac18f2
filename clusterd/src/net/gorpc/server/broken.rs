//! How a call ends without an answer: the words for its caller, and the error for the log.

use std::time::Duration;

use super::super::heads::Fault;
use super::super::items::Refusal;
use super::super::values::ValueError;
use super::ServeError;

/// Why a call ended before it was answered.
#[derive(Debug)]
pub(super) enum Broken {
    /// The caller's fault, or none: told to it with these words.
    Told(Fault, String),
    /// The caller did not do its part in time.
    Stalled(&'static str, Duration),
    /// The caller is gone.
    Gone(String),
    /// The caller may not call the method.
    Denied,
    /// Our own code fell over.
    Panicked,
    /// We are stopping.
    Stopped,
}

impl Broken {
    /// What the caller gets to read.
    pub(super) fn words(&self, called: &str) -> Option<(Fault, String)> {
        let server = |words: String| Some((Fault::Server, words));
        match self {
            Self::Told(fault, words) => Some((*fault, words.clone())),
            Self::Stalled(awaited, limit) => {
                server(format!("the peer did not {awaited} within {} s", limit.as_secs()))
            }
            // Go's words for it, as far as they can be read at all.
            Self::Gone(_) => Some((Fault::Application, "context canceled".to_owned())),
            Self::Denied => {
                let words = format!("client does not have permissions to call {called}");
                Some((Fault::Authorization, words))
            }
            Self::Panicked => server("something went wrong; the peer's log says more".to_owned()),
            Self::Stopped => server("the peer is stopping".to_owned()),
        }
    }

    /// What the log gets; a method that refused has been answered.
    pub(super) fn into_error(self, called: String) -> Result<(), ServeError> {
        Err(match self {
            Self::Told(Fault::Application, _) => return Ok(()),
            Self::Told(_, reason) => ServeError::Unserved { called, reason },
            Self::Stalled(awaited, limit) => {
                ServeError::Stalled { called, awaited, seconds: limit.as_secs() }
            }
            Self::Gone(reason) => ServeError::Gone { called, reason },
            Self::Denied => ServeError::Denied { called },
            Self::Panicked => ServeError::Panicked { called },
            Self::Stopped => ServeError::Stopped { called },
        })
    }

    /// That the method itself refused.
    pub(super) fn refused(refusal: Refusal) -> Self {
        // Go takes an answer without words for a success.
        let words = if refusal.0.is_empty() { "failed".to_owned() } else { refusal.0 };
        Self::Told(Fault::Application, words)
    }

    /// That what came is not what should come.
    pub(super) fn undecodable(error: &impl std::fmt::Display) -> Self {
        Self::Told(Fault::Server, format!("msgpack decode error: {error}"))
    }

    /// That the next value cannot be had.
    pub(super) fn unreadable(error: ValueError) -> Self {
        match error {
            ValueError::Broken(error) => Self::Gone(error.to_string()),
            ValueError::Truncated => Self::Gone(ValueError::Truncated.to_string()),
            ValueError::Unreadable(error) => Self::undecodable(&error),
        }
    }
}

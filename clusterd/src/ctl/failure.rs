//! What can go wrong for an operator, in words that say what to do, and the exit codes.

use std::io;
use std::path::PathBuf;

use common::api::client::ClientError;
use common::api::composite::ImportCounts;
use common::api::error::{ApiError, ErrorCode};
use common::status::StatusFilter;
use thiserror::Error;

use super::render::{printable, say};

/// Exit codes, for scripts. Numbers from 64 on are those of sysexits.h. The man page lists them.
pub(super) mod code {
    /// Done.
    pub(crate) const OK: u8 = 0;
    /// Not done, for a reason that has no code of its own.
    pub(crate) const FAILED: u8 = 1;
    /// clusterd answered, but a pin asked for is not there or not held by enough peers.
    pub(crate) const NOT_PINNED: u8 = 2;
    /// The command line is wrong.
    pub(crate) const USAGE: u8 = 64;
    /// The records to take in, or an invitation, have a fault.
    pub(crate) const BAD_DATA: u8 = 65;
    /// clusterd cannot be reached, or broke off.
    pub(crate) const UNREACHABLE: u8 = 69;
    /// This user may not use the socket.
    pub(crate) const DENIED: u8 = 77;
    /// Broken off with Ctrl-C; 128 and the number of SIGINT, as shells count.
    pub(crate) const INTERRUPTED: u8 = 130;
}

/// Why a command was not done.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// The program that reads our output has gone.
    #[error("nobody reads the output")]
    ReaderGone,
    /// The operating system refused something.
    #[error("cannot {attempt}: {source}")]
    System {
        /// What was tried.
        attempt: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// A file cannot be used.
    #[error("cannot {attempt} {}: {source}", path.display())]
    File {
        /// What was tried.
        attempt: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An argument means nothing; clap could not know.
    #[error("{0}")]
    Usage(String),
    /// clusterd, or the way to it, failed.
    #[error(transparent)]
    Call(#[from] ClientError),
    /// clusterd did not answer within its time.
    #[error("clusterd did not answer within {seconds} s (--timeout sets another limit)")]
    Silent {
        /// The limit.
        seconds: u64,
    },
    /// The answer ended before its end mark.
    #[error("clusterd broke off its answer to {0}; what was shown is not all")]
    CutOff(&'static str),
    /// A pin did not come to be what was waited for.
    #[error("{0}")]
    NotPinned(String),
    /// A record could not be taken in.
    #[error(
        "line {line} cannot be taken in: {message}\n\
         All lines before it are taken in ({} written, {} were there already). \
         Mend or remove the line and import the whole file again: records that are there already cost nothing.",
        counts.written, counts.unchanged
    )]
    BadRecord {
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        message: String,
        /// What is durable.
        counts: ImportCounts,
    },
    /// A text that is no invitation.
    #[error("this is no invitation to a cluster: {0}")]
    Invitation(String),
    /// A peer cannot be set up like this.
    #[error("{0}")]
    Setup(String),
    /// Ctrl-C; what goes on without us.
    #[error("{0}")]
    Interrupted(String),
}

impl Failure {
    /// A wrong word in a filter, with those that are right.
    pub(super) fn filter(word: &str) -> Self {
        Self::Usage(format!(
            "unknown status {word:?} in --filter; known are {}",
            StatusFilter::WORDS
        ))
    }

    /// A failed write to standard output.
    pub(super) fn output(source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::BrokenPipe {
            return Self::ReaderGone;
        }
        Self::System { attempt: "write the output", source }
    }

    /// The exit code.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::ReaderGone => code::OK,
            Self::System { .. } | Self::File { .. } | Self::Setup(_) => code::FAILED,
            Self::Usage(_) => code::USAGE,
            // A Go peer gives no reason, but a status.
            Self::Call(ClientError::Refused(error)) if error.status == 404 => code::NOT_PINNED,
            Self::Call(ClientError::Refused(error)) => match error.reason {
                ErrorCode::NotFound | ErrorCode::NotPinned | ErrorCode::PinFailed => {
                    code::NOT_PINNED
                }
                ErrorCode::BadRequest
                | ErrorCode::Forbidden
                | ErrorCode::Follower
                | ErrorCode::Ring
                | ErrorCode::Conflict
                | ErrorCode::IpfsRefused
                | ErrorCode::IpfsUnreachable
                | ErrorCode::PeerRefused
                | ErrorCode::PeerUnreachable
                | ErrorCode::DeadlineExceeded
                | ErrorCode::Busy
                | ErrorCode::StorageFull
                | ErrorCode::Internal => code::FAILED,
            },
            Self::Call(ClientError::Denied { .. }) => code::DENIED,
            Self::Call(
                ClientError::Unreachable { .. }
                | ClientError::Broken { .. }
                | ClientError::Unintelligible { .. }
                | ClientError::Unsendable { .. },
            )
            | Self::Silent { .. }
            | Self::CutOff(_) => code::UNREACHABLE,
            Self::NotPinned(_) => code::NOT_PINNED,
            Self::BadRecord { .. } | Self::Invitation(_) => code::BAD_DATA,
            Self::Interrupted(_) => code::INTERRUPTED,
        }
    }

    /// Writes it to standard error: a line for people, an object for programs.
    pub(super) fn report(&self, json: bool) {
        let advice = self.advice();
        let text = if json {
            serde_json::json!({ "error": self.to_string(), "exit": self.code() }).to_string()
        } else if advice.is_empty() {
            format!("clusterdctl: {self}")
        } else {
            format!("clusterdctl: {self}\n{advice}")
        };
        // Words of others may be among ours.
        let lines: Vec<String> = text.lines().map(printable).collect();
        say(&lines.join("\n"));
    }

    /// What to do about it, where the message does not say so itself.
    fn advice(&self) -> &'static str {
        let Self::Call(error) = self else { return "" };
        match error {
            ClientError::Denied { .. } => {
                "Join the group: usermod -aG clusterd USER, then log in again. Or use sudo."
            }
            ClientError::Refused(ApiError { reason, .. }) => match reason {
                ErrorCode::StorageFull => {
                    "Free space on the volume of the state directory, then try again."
                }
                ErrorCode::IpfsUnreachable => {
                    "Is Kubo running? `clusterdctl summary` shows what clusterd sees."
                }
                ErrorCode::PeerUnreachable => {
                    "Does the peer run? `clusterdctl peers ls` shows which answer."
                }
                ErrorCode::Forbidden => {
                    "This is the proxy socket; use the control socket (control.sock)."
                }
                ErrorCode::Follower => {
                    "Change pins at a peer that is no follower, or take follower out of [peers]."
                }
                ErrorCode::Ring => "`clusterdctl tree` shows the ring.",
                ErrorCode::BadRequest
                | ErrorCode::NotFound
                | ErrorCode::NotPinned
                | ErrorCode::Conflict
                | ErrorCode::IpfsRefused
                | ErrorCode::PeerRefused
                | ErrorCode::PinFailed
                | ErrorCode::DeadlineExceeded
                | ErrorCode::Busy
                | ErrorCode::Internal => "",
            },
            ClientError::Unreachable { .. }
            | ClientError::Broken { .. }
            | ClientError::Unintelligible { .. }
            | ClientError::Unsendable { .. } => "",
        }
    }
}

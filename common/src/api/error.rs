//! Errors of the control API, and the one place where they become HTTP status codes.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What kind of failure it is, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// The request itself is wrong.
    BadRequest,
    /// This socket does not admit the verb.
    Forbidden,
    /// No such pin or peer.
    NotFound,
    /// The CID is not pinned as the request needs it.
    NotPinned,
    /// The pinset holds something that forbids it.
    Conflict,
    /// This peer follows others and changes nothing itself.
    Follower,
    /// This cluster is its own sub-cluster.
    Ring,
    /// Kubo answered with an error.
    IpfsRefused,
    /// Kubo cannot be reached.
    IpfsUnreachable,
    /// Another peer answered with an error.
    PeerRefused,
    /// Another peer cannot be reached.
    PeerUnreachable,
    /// The pin failed; it stays accepted and is tried again.
    PinFailed,
    /// The time that the client gave is over.
    DeadlineExceeded,
    /// Too much waits already.
    Busy,
    /// The volume of the state directory is full; nothing was written.
    StorageFull,
    /// A fault of ours.
    Internal,
}

impl ErrorCode {
    /// The HTTP status that carries it.
    #[must_use]
    pub fn http_status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Forbidden | Self::Follower => 403,
            Self::NotFound | Self::NotPinned => 404,
            Self::Conflict => 409,
            Self::Ring => 508,
            Self::DeadlineExceeded => 504,
            Self::IpfsRefused | Self::PeerRefused | Self::PinFailed | Self::Internal => 500,
            Self::IpfsUnreachable | Self::PeerUnreachable => 502,
            Self::Busy => 503,
            Self::StorageFull => 507,
        }
    }
}

/// An error as it goes over the socket. `code` and `message` are what `ipfs-cluster-ctl` reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Error)]
#[error("{message}")]
pub struct ApiError {
    /// The HTTP status.
    #[serde(rename = "code")]
    pub status: u16,
    /// What happened, for people; Kubo's words where it has some.
    pub message: String,
    /// The kind, for programs.
    #[serde(default = "internal")]
    pub reason: ErrorCode,
}

fn internal() -> ErrorCode {
    ErrorCode::Internal
}

impl ApiError {
    /// An error of a kind, with its words.
    #[must_use]
    pub fn new(reason: ErrorCode, message: impl Into<String>) -> Self {
        Self { status: reason.http_status(), message: message.into(), reason }
    }
}

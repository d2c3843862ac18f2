//! Typed client of clusterd over its Unix socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyperlocal::UnixConnector;
use thiserror::Error;
use tokio::time::Instant;

pub use crate::api::call::Call;
use crate::api::error::ApiError;
pub use crate::api::reply::{Chunks, Lines, Reply};

/// How long a socket that is missing or refuses is tried again: long enough for a restart of clusterd.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two tries.
const RETRY_EVERY: Duration = Duration::from_millis(100);
/// A try that lasted this long was under way; when it breaks off, a new outage has begun.
const UNDER_WAY_AFTER: Duration = Duration::from_secs(1);
/// Connections kept open between calls; clients beyond that pay for a new one.
const IDLE_CONNECTIONS_MAX: usize = 64;
/// How long an unused connection is kept.
const IDLE_FOR: Duration = Duration::from_secs(30);

/// A body sent along with a call.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Why a call did not get its answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nobody listens on the socket.
    #[error("cannot reach clusterd at {}: {source} (is it running? systemctl status clusterd)", socket.display())]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The socket's mode keeps this user out.
    #[error("no permission to use {} (its group may: clusterd's control socket is for group clusterd)", socket.display())]
    Denied {
        /// The socket.
        socket: PathBuf,
    },
    /// The connection broke while the call was under way; whether it took effect is not known.
    #[error("clusterd broke off the call: {reason}")]
    Broken {
        /// What happened.
        reason: String,
    },
    /// clusterd answered with an error.
    #[error(transparent)]
    Refused(#[from] ApiError),
    /// The answer has another form than this program knows.
    #[error("cannot understand clusterd's answer: {reason}")]
    Unintelligible {
        /// What was found.
        reason: String,
    },
    /// The request cannot be put in words of HTTP.
    #[error("cannot send the request: {reason}")]
    Unsendable {
        /// What is wrong.
        reason: String,
    },
}

/// Talks to one clusterd. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
    authority: String,
    patience: Duration,
    http: legacy::Client<UnixConnector, Body>,
}

impl Client {
    /// A client of the clusterd behind `socket`; nothing is connected yet. A missing or refusing
    /// socket is tried again for `patience`, counted from the first failure of an outage.
    #[must_use]
    pub fn new(socket: &Path, patience: Duration) -> Self {
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .pool_idle_timeout(IDLE_FOR)
            .pool_timer(TokioTimer::new())
            .build(UnixConnector);
        // The connector reads the socket's path out of the authority, in hex.
        let authority = socket.to_string_lossy().bytes().map(|b| format!("{b:02x}")).collect();
        Self { socket: socket.to_owned(), authority, patience, http }
    }

    /// Sends a call and waits for the head of its answer; there is no limit on that wait, so the
    /// caller sets one. Dropping the future gives the call up.
    ///
    /// # Errors
    /// [`ClientError::Refused`] for an error answer, the others when there is none.
    pub async fn send(&self, call: &Call) -> Result<Reply, ClientError> {
        let mut outage = Outage { patience: self.patience, until: None };
        loop {
            let began = Instant::now();
            let body = Full::new(call.body.clone()).map_err(|never| match never {}).boxed_unsync();
            let error = match self.send_once(call, body).await {
                Err(error) => error,
                answer => return answer,
            };
            let again = match &error {
                ClientError::Unreachable { .. } => true,
                ClientError::Broken { .. } => call.repeat,
                ClientError::Denied { .. }
                | ClientError::Refused(_)
                | ClientError::Unintelligible { .. }
                | ClientError::Unsendable { .. } => false,
            };
            if !again || !outage.is_borne(began, Instant::now()) {
                return Err(error);
            }
            tokio::time::sleep(RETRY_EVERY).await;
        }
    }

    /// Sends a call once, with a body that streams. Nothing is repeated.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_once(&self, call: &Call, body: Body) -> Result<Reply, ClientError> {
        let request = hyper::Request::builder()
            .method(call.route.method)
            .uri(format!("unix://{}:0{}", self.authority, call.target))
            .header(HOST, "clusterd")
            .header(CONTENT_TYPE, &call.content_type)
            .body(body)
            .map_err(|e| ClientError::Unsendable { reason: e.to_string() })?;
        let answer = self.http.request(request).await.map_err(|error| self.lost(&error))?;
        let reply = Reply { status: answer.status().as_u16(), body: answer.into_body() };
        if (200..300).contains(&reply.status) {
            return Ok(reply);
        }
        let status = reply.status;
        Err(match reply.json::<ApiError>().await {
            Ok(error) => ClientError::Refused(error),
            Err(_) => ClientError::Unintelligible { reason: format!("HTTP status {status}") },
        })
    }

    fn lost(&self, error: &legacy::Error) -> ClientError {
        if !error.is_connect() {
            return ClientError::Broken { reason: causes(error) };
        }
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            if let Some(io) = inner.downcast_ref::<io::Error>() {
                if io.kind() == io::ErrorKind::PermissionDenied {
                    return ClientError::Denied { socket: self.socket.clone() };
                }
                let source = io::Error::new(io.kind(), io.to_string());
                return ClientError::Unreachable { socket: self.socket.clone(), source };
            }
            cause = inner.source();
        }
        let source = io::Error::other(causes(error));
        ClientError::Unreachable { socket: self.socket.clone(), source }
    }
}

/// While clusterd cannot be asked, as in a restart.
struct Outage {
    patience: Duration,
    /// When it has lasted too long; nothing before the first failure.
    until: Option<Instant>,
}

impl Outage {
    /// Whether a try that began at `began` and has failed `now` is followed by another.
    fn is_borne(&mut self, began: Instant, now: Instant) -> bool {
        if now.saturating_duration_since(began) >= UNDER_WAY_AFTER {
            self.until = None;
        }
        now + RETRY_EVERY <= *self.until.get_or_insert(now + self.patience)
    }
}

/// An error's words with those of its causes.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words = format!("{words}: {inner}");
        cause = inner.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api;

    #[test]
    fn patience_counts_from_the_break_of_a_call_that_was_under_way() {
        let mut outage = Outage { patience: PATIENCE, until: None };
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(outage.is_borne(at(0), at(60)), "it waited a minute before it broke");
        assert!(outage.is_borne(at(69), at(69)));
        assert!(!outage.is_borne(at(70), at(70)), "the socket was missing for ten seconds");
        assert!(outage.is_borne(at(65), at(90)), "it came back and broke once more");
    }

    #[tokio::test]
    async fn a_missing_socket_is_named_after_the_patience_is_over() {
        let client = Client::new(Path::new("/nonexistent/a.sock"), Duration::ZERO);
        let error = client.send(&Call::new(api::ID, &[])).await.unwrap_err();
        assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains("/nonexistent/a.sock"));
    }
}

//! Connections to Kubo: made, kept for reuse, and dropped when they have gone stale.

pub mod address;
pub mod call;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::h1::head::HeadError;
use crate::h1::reader::{NoHead, Reader};
use crate::stream::WriteHalf;

use address::Address;

/// Idle connections kept a thread: as many as requests usually run at once.
const IDLE_MAX: usize = 128;
/// An idle connection is closed after this time; Kubo itself would keep it for ever.
const IDLE_TIME_MAX: Duration = Duration::from_secs(60);

/// Kubo could not be asked, or did not answer. The text is for the client.
#[derive(Debug, Error)]
pub enum UpstreamError {
    /// No connection.
    #[error(
        "cannot reach Kubo at {address}: {source}; check that the IPFS daemon runs there and that `ipfs` in proxyd.toml is its API address"
    )]
    Unreachable {
        /// Where it was looked for.
        address: Address,
        /// Why not.
        source: io::Error,
    },
    /// No connection, or no answer, in time.
    #[error(
        "Kubo at {address} did not {attempt} within {limit:?}; check that the IPFS daemon there is not stopped or overloaded"
    )]
    TooSlow {
        /// Where it was asked.
        address: Address,
        /// What it did not do.
        attempt: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The connection ended before an answer.
    #[error(
        "Kubo at {address} closed the connection without an answer: {source}; check the log of the IPFS daemon"
    )]
    Lost {
        /// Where it was asked.
        address: Address,
        /// How the connection ended.
        source: io::Error,
    },
    /// The answer is no proper HTTP.
    #[error("Kubo at {address} sent an answer that cannot be passed on: {source}")]
    Garbled {
        /// Where it was asked.
        address: Address,
        /// What is wrong with it.
        source: HeadError,
    },
}

impl UpstreamError {
    /// The status that tells a client: 502 or 504.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::TooSlow { .. } => 504,
            Self::Unreachable { .. } | Self::Lost { .. } | Self::Garbled { .. } => 502,
        }
    }
}

/// One connection to Kubo, free for one request at a time.
#[derive(Debug)]
pub struct Connection {
    /// The answers.
    pub reader: Reader,
    /// The requests.
    pub write: WriteHalf,
    /// It has served a request before, so Kubo may be closing it at this moment.
    pub reused: bool,
}

/// The Kubo beside us, and the idle connections to it. One a thread.
#[derive(Debug)]
pub struct Upstream {
    address: Address,
    connect_time_max: Duration,
    /// The last attempt to connect failed.
    is_away: AtomicBool,
    /// The one used last is taken first, so that a burst's surplus grows old together.
    idle: Mutex<Vec<(Instant, Connection)>>,
}

impl Upstream {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(address: Address, connect_time_max: Duration) -> Arc<Self> {
        Arc::new(Self {
            address,
            connect_time_max,
            is_away: AtomicBool::new(false),
            idle: Mutex::default(),
        })
    }

    /// Where Kubo is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// An idle connection that is still good, else a new one.
    ///
    /// # Errors
    /// [`UpstreamError::Unreachable`] and [`UpstreamError::TooSlow`].
    pub async fn take(&self) -> Result<Connection, UpstreamError> {
        match self.take_idle() {
            Some(connection) => Ok(connection),
            None => self.connect().await,
        }
    }

    /// A new connection. Every address of a host name is tried, the name looked up anew each time.
    ///
    /// # Errors
    /// [`UpstreamError::Unreachable`] and [`UpstreamError::TooSlow`].
    pub async fn connect(&self) -> Result<Connection, UpstreamError> {
        let limit = self.connect_time_max;
        let made = match tokio::time::timeout(limit, self.address.connect()).await {
            Ok(Ok((read, write))) => {
                Ok(Connection { reader: Reader::new(read), write, reused: false })
            }
            Ok(Err(source)) => {
                Err(UpstreamError::Unreachable { address: self.address.clone(), source })
            }
            Err(_) => Err(self.too_slow("accept a connection", limit)),
        };
        self.note(made.as_ref().err());
        made
    }

    /// Logs when Kubo goes and when it comes back, not each request in between.
    fn note(&self, error: Option<&UpstreamError>) {
        let was_away = self.is_away.swap(error.is_some(), Ordering::Relaxed);
        match error {
            Some(error) if !was_away => {
                tracing::warn!(
                    name: common::messages::KUBO_AWAY, %error,
                    "requests cannot be passed on"
                );
            }
            None if was_away => tracing::info!(address = %self.address, "Kubo is back"),
            Some(_) | None => {}
        }
    }

    /// Keeps a connection whose last answer was read to its end.
    pub fn put_back(&self, mut connection: Connection) {
        let mut idle = self.idle();
        // Bytes that nobody asked for: the next answer could not be trusted.
        if idle.len() < IDLE_MAX && connection.reader.buffer.is_empty() {
            connection.reader.buffer.release();
            connection.reused = true;
            idle.push((Instant::now(), connection));
        }
    }

    /// Closes connections that have been idle too long.
    pub fn close_old(&self) {
        let now = Instant::now();
        self.idle().retain(|(since, _)| now.duration_since(*since) < IDLE_TIME_MAX);
    }

    pub(crate) fn no_answer(&self, cause: NoHead) -> UpstreamError {
        let address = self.address.clone();
        match cause {
            NoHead::Ended => {
                UpstreamError::Lost { address, source: io::ErrorKind::UnexpectedEof.into() }
            }
            NoHead::Cut(source) => UpstreamError::Lost { address, source },
            NoHead::Refused(source) => UpstreamError::Garbled { address, source },
        }
    }

    fn too_slow(&self, attempt: &'static str, limit: Duration) -> UpstreamError {
        UpstreamError::TooSlow { address: self.address.clone(), attempt, limit }
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle();
        loop {
            let (_, connection) = idle.pop()?;
            if connection.reader.is_quiet() {
                return Some(connection);
            }
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(Instant, Connection)>> {
        // A panic elsewhere leaves the list whole.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

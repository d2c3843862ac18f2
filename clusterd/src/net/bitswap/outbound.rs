//! One of our streams to a peer: opened when there is something to send, and kept.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::{fmt, io};

use libp2p::Stream;
use libp2p::futures::FutureExt;
use libp2p::futures::future::BoxFuture;
use tokio::time::{Sleep, sleep};

use super::frames::{WRITE_TIMEOUT, write};

/// Wait before a stream is opened again after it failed; doubles up to the longest.
const REST: Duration = Duration::from_millis(500);
const REST_MAX: Duration = Duration::from_secs(60);

/// A stream of ours.
pub(super) struct Outbound {
    state: State,
    failures: u32,
}

enum State {
    Closed,
    Opening,
    Idle(Stream),
    Writing(BoxFuture<'static, io::Result<Stream>>),
    Resting(Pin<Box<Sleep>>),
    Refused,
}

/// What became of a stream, or what it is ready for.
#[derive(Debug)]
pub(super) enum Step {
    /// There is none; see [`Outbound::open`].
    Closed,
    /// It takes a frame; see [`Outbound::write`].
    Idle,
    /// The frame is sent. Told once.
    Sent,
    /// The stream broke, and what was written may not have arrived. Told once.
    Broken(io::Error),
}

impl Outbound {
    /// No stream yet.
    pub(super) fn new() -> Self {
        Self { state: State::Closed, failures: 0 }
    }

    /// Pending: the stream is busy, or to be left alone for now or for ever.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        match &mut self.state {
            State::Closed => Poll::Ready(Step::Closed),
            State::Opening | State::Refused => Poll::Pending,
            State::Idle(_) => Poll::Ready(Step::Idle),
            State::Writing(writing) => Poll::Ready(match ready!(writing.poll_unpin(cx)) {
                Ok(stream) => {
                    (self.state, self.failures) = (State::Idle(stream), 0);
                    Step::Sent
                }
                Err(error) => {
                    self.fail();
                    Step::Broken(error)
                }
            }),
            State::Resting(rest) => {
                ready!(rest.poll_unpin(cx));
                self.state = State::Closed;
                Poll::Ready(Step::Closed)
            }
        }
    }

    /// A stream was asked for; ends with `opened`, `fail` or `refuse`.
    pub(super) fn open(&mut self) {
        self.state = State::Opening;
    }

    /// The stream that was asked for.
    pub(super) fn opened(&mut self, stream: Stream) {
        self.state = State::Idle(stream);
    }

    /// The stream could not be opened: rests before the next attempt.
    pub(super) fn fail(&mut self) {
        let rest = REST.saturating_mul(1 << self.failures.min(16)).min(REST_MAX);
        self.failures += 1;
        self.state = State::Resting(Box::pin(sleep(rest)));
    }

    /// The peer does not speak bitswap: no stream is opened any more.
    pub(super) fn refuse(&mut self) {
        self.state = State::Refused;
    }

    /// Sends a frame; only after [`Step::Idle`].
    pub(super) fn write(&mut self, frame: Vec<u8>) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Idle(stream) => {
                let writing = async move { write(stream, &frame, WRITE_TIMEOUT).await };
                self.state = State::Writing(writing.boxed());
            }
            other @ (State::Closed
            | State::Opening
            | State::Writing(_)
            | State::Resting(_)
            | State::Refused) => self.state = other,
        }
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("failures", &self.failures).finish_non_exhaustive()
    }
}

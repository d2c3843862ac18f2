//! A stream whose bytes are counted for its protocol.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::{AsyncRead, AsyncWrite};

use super::negotiation::{Negotiation, Verdict};
use super::{Count, Meter, UNDECIDED};

/// Which side of the agreement we are: the answering one has the last word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// We opened the stream.
    Asking,
    /// The peer opened it.
    Answering,
}

/// A stream around another one.
#[derive(Debug)]
pub(in crate::net) struct Counted<S> {
    inner: S,
    side: Side,
    meter: Meter,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Bytes before the protocol is known count for it, once it is.
    Undecided {
        negotiation: Negotiation,
        received: u64,
        sent: u64,
    },
    Decided(Arc<Count>),
}

impl<S> Counted<S> {
    pub(super) fn new(inner: S, side: Side, meter: Meter) -> Self {
        let negotiation = Negotiation::default();
        Self { inner, side, meter, state: State::Undecided { negotiation, received: 0, sent: 0 } }
    }

    fn receive(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Decided(count) => count.receive(bytes.len() as u64),
            State::Undecided { received, .. } => {
                *received += bytes.len() as u64;
                self.look(Side::Asking, bytes);
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Decided(count) => count.send(bytes.len() as u64),
            State::Undecided { sent, .. } => {
                *sent += bytes.len() as u64;
                self.look(Side::Answering, bytes);
            }
        }
    }

    /// Looks at bytes of the answering side, which are those of this direction if we are `side`.
    fn look(&mut self, side: Side, bytes: &[u8]) {
        let State::Undecided { negotiation, .. } = &mut self.state else { return };
        if self.side != side {
            return;
        }
        match negotiation.take(bytes) {
            Verdict::Open => {}
            Verdict::Agreed(protocol) => self.decide(&protocol),
            Verdict::Senseless => self.decide(UNDECIDED),
        }
    }

    fn decide(&mut self, protocol: &str) {
        let State::Undecided { received, sent, .. } = &self.state else { return };
        let count = self.meter.of(protocol);
        count.receive(*received);
        count.send(*sent);
        self.state = State::Decided(count);
    }
}

impl<S> Drop for Counted<S> {
    fn drop(&mut self) {
        if !matches!(self.state, State::Undecided { received: 0, sent: 0, .. }) {
            self.decide(UNDECIDED);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        self.receive(&buffer[..read]);
        Poll::Ready(Ok(read))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes))?;
        self.send(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, slices))?;
        let mut rest = written;
        for slice in slices {
            let taken = rest.min(slice.len());
            self.send(&slice[..taken]);
            rest -= taken;
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

//! One stream to or from a peer, with its place in that peer's count.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::{AsyncRead as _, AsyncWrite as _};
use libp2p::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Slot;

/// A stream of bytes to a peer, both ways.
///
/// - Each side ends by itself: after [`shutdown`](tokio::io::AsyncWriteExt::shutdown) the peer reads
///   the end and can still write. Nothing is shut down behind the caller's back: to keep the write
///   side open while the answer is read (a unary call of the cluster's RPC needs that), flush and
///   read.
/// - Dropped before both sides ended, the stream is reset.
/// - A reset by the peer, or a lost connection, reads as [`io::ErrorKind::ConnectionReset`] as long as
///   our own side is open. After our `shutdown` the muxer tells a reset from an end no longer: then
///   what was read must show by itself whether it is complete.
/// - Written bytes may wait in memory until `flush`.
#[derive(Debug)]
pub struct PeerStream {
    stream: Stream,
    shut: bool,
    _slot: Slot,
}

impl PeerStream {
    pub(super) fn new(stream: Stream, slot: Slot) -> Self {
        Self { stream, shut: false, _slot: slot }
    }
}

impl AsyncRead for PeerStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let unfilled = buffer.initialize_unfilled();
        let room = !unfilled.is_empty();
        let bytes = ready!(Pin::new(&mut self.stream).poll_read(cx, unfilled))?;
        buffer.advance(bytes);
        if bytes == 0 && room && self.is_reset(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl PeerStream {
    /// At an end: whether it was none. The muxer reads a reset as an end, but it lets nobody write
    /// after one, while after an end it does, even if nothing.
    fn is_reset(&mut self, cx: &mut Context<'_>) -> bool {
        let written = (!self.shut).then(|| Pin::new(&mut self.stream).poll_write(cx, &[]));
        matches!(written, Some(Poll::Ready(Err(_))))
    }
}

impl AsyncWrite for PeerStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut = true;
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

//! A pair of connected ends that behave as streams of libp2p do.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use futures_util::io::{AsyncRead, AsyncWrite};
use tokio::io::{AsyncRead as _, AsyncWrite as _, DuplexStream, ReadBuf, duplex};

/// One end. Dropped before it was closed, it breaks the stream for the other.
#[derive(Debug)]
pub(super) struct End {
    stream: DuplexStream,
    is_closed: bool,
    /// Whether the other end broke the stream.
    broken: Arc<AtomicBool>,
    breaks: Arc<AtomicBool>,
    /// Whether a broken stream looks like one that ended, as over yamux.
    is_quiet: bool,
}

/// Two ends; `capacity` bytes fit between them each way.
pub(super) fn pair(capacity: usize) -> (End, End) {
    let (left, right) = duplex(capacity);
    let (left_broke, right_broke) = (Arc::default(), Arc::default());
    let end = |stream, broken: &Arc<_>, breaks: &Arc<_>| End {
        stream,
        is_closed: false,
        broken: Arc::clone(broken),
        breaks: Arc::clone(breaks),
        is_quiet: false,
    };
    (end(left, &right_broke, &left_broke), end(right, &left_broke, &right_broke))
}

impl End {
    /// Makes a broken stream look like one that ended, to this end.
    pub(super) fn quiet(self) -> Self {
        // The fields cannot be moved out of what has a destructor.
        let mut end = self;
        end.is_quiet = true;
        end
    }

    fn check(&self) -> io::Result<()> {
        if self.broken.load(Ordering::SeqCst) && !self.is_quiet {
            return Err(io::Error::new(io::ErrorKind::ConnectionReset, "stream reset"));
        }
        Ok(())
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if !self.is_closed {
            self.breaks.store(true, Ordering::SeqCst);
        }
    }
}

impl AsyncRead for End {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut into = ReadBuf::new(buf);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut into))?;
        if into.filled().is_empty() {
            self.check()?;
        }
        Poll::Ready(Ok(into.filled().len()))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_closed = true;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

//! A byte stream to a client or to Kubo, as two owned halves: TCP, Unix socket or TLS over TCP.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream, tcp, unix};
use tokio_rustls::TlsStream;

/// TLS over TCP, boxed: it is some kilobytes and rare.
type Tls = Box<TlsStream<TcpStream>>;

/// The half that reads.
#[derive(Debug)]
pub enum ReadHalf {
    /// Plain TCP.
    Tcp(tcp::OwnedReadHalf),
    /// A Unix socket.
    Unix(unix::OwnedReadHalf),
    /// TLS over TCP.
    Tls(tokio::io::ReadHalf<Tls>),
}

/// The half that writes. Dropping it sends nothing: the connection ends when both halves are gone.
#[derive(Debug)]
pub struct WriteHalf(Option<Writing>);

#[derive(Debug)]
enum Writing {
    Tcp(tcp::OwnedWriteHalf),
    Unix(unix::OwnedWriteHalf),
    Tls(tokio::io::WriteHalf<Tls>),
}

/// Splits a TCP stream.
#[must_use]
pub fn tcp(stream: TcpStream) -> (ReadHalf, WriteHalf) {
    let (read, write) = stream.into_split();
    (ReadHalf::Tcp(read), WriteHalf(Some(Writing::Tcp(write))))
}

/// Splits a Unix stream.
#[must_use]
pub fn unix(stream: UnixStream) -> (ReadHalf, WriteHalf) {
    let (read, write) = stream.into_split();
    (ReadHalf::Unix(read), WriteHalf(Some(Writing::Unix(write))))
}

/// Splits a TLS stream.
#[must_use]
pub fn tls(stream: TlsStream<TcpStream>) -> (ReadHalf, WriteHalf) {
    let (read, write) = tokio::io::split(Box::new(stream));
    (ReadHalf::Tls(read), WriteHalf(Some(Writing::Tls(write))))
}

impl ReadHalf {
    /// Whether an idle connection is still good: no end and no stray byte has been seen on it.
    ///
    /// Costs no system call unless the kernel has reported something.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let mut byte = [0];
        let seen = match self {
            Self::Tcp(half) => half.try_read(&mut byte),
            Self::Unix(half) => half.try_read(&mut byte),
            // TLS is spoken with clients only, and only upstream connections are kept idle by us.
            Self::Tls(_) => return false,
        };
        seen.is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock)
    }

    /// Makes the coming close a reset, so that the peer cannot take a cut message for a whole one.
    ///
    /// A Unix socket knows no reset; there the missing last chunk or length tells.
    pub fn reset_on_close(&self) {
        let done = match self {
            Self::Tcp(half) => half.as_ref().set_zero_linger(),
            Self::Unix(_) | Self::Tls(_) => Ok(()),
        };
        if let Err(error) = done {
            tracing::debug!(%error, "connection could not be set to reset");
        }
    }
}

impl AsyncRead for ReadHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(half) => Pin::new(half).poll_read(cx, buf),
            Self::Unix(half) => Pin::new(half).poll_read(cx, buf),
            Self::Tls(half) => Pin::new(half).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Some(Writing::Tcp(half)) => Pin::new(half).poll_write(cx, buf),
            Some(Writing::Unix(half)) => Pin::new(half).poll_write(cx, buf),
            Some(Writing::Tls(half)) => Pin::new(half).poll_write(cx, buf),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Some(Writing::Tls(half)) => Pin::new(half).poll_flush(cx),
            // Sockets hold nothing back.
            Some(Writing::Tcp(_) | Writing::Unix(_)) | None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Some(Writing::Tcp(half)) => Pin::new(half).poll_shutdown(cx),
            Some(Writing::Unix(half)) => Pin::new(half).poll_shutdown(cx),
            Some(Writing::Tls(half)) => Pin::new(half).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        // Dropping a half of tokio's would send FIN: a system call too many, and before a reset a
        // clean end that must not be seen.
        match self.0.take() {
            Some(Writing::Tcp(half)) => half.forget(),
            Some(Writing::Unix(half)) => half.forget(),
            Some(Writing::Tls(_)) | None => {}
        }
    }
}

//! The trailer that tells of a late failure, put into an answer as it leaves.
//!
//! hyper writes trailers only to clients that send `TE: trailers`. Those of Go do not, and read them
//! all the same, as Go's servers write them to everybody.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What ends a body in chunks that has no trailers.
const END: &[u8] = b"0\r\n\r\n";

/// Longest text; what is longer is cut.
const WORDS_BYTES_MAX: usize = 16 << 10;

/// The trailer of the answer under way on one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Trailer(Arc<Mutex<Option<String>>>);

impl Trailer {
    /// Lets the answer end with `X-Stream-Error` and these words. To be called when all of its lines
    /// are handed on, before its end is; the answer must come in chunks.
    pub(super) fn fail(&self, words: &str) {
        let mut end = words.len().min(WORDS_BYTES_MAX);
        while !words.is_char_boundary(end) {
            end -= 1;
        }
        let words = words[..end].replace(char::is_control, " ");
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
    }

    fn is_set(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A connection whose answers may end with a [`Trailer`].
#[derive(Debug)]
pub(super) struct Trailing<S> {
    inner: S,
    trailer: Trailer,
    /// The end of an answer, with its trailer, that is not written yet.
    ending: Vec<u8>,
}

impl<S: AsyncWrite + Unpin> Trailing<S> {
    pub(super) fn new(inner: S, trailer: Trailer) -> Self {
        Self { inner, trailer, ending: Vec::new() }
    }

    fn poll_ending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.ending.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.ending))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.ending.drain(..written);
        }
        Poll::Ready(Ok(()))
    }

    /// Takes what ends an answer, and puts the trailer in; gives how many bytes were taken.
    fn take_end(&mut self, bufs: &[IoSlice<'_>]) -> Option<usize> {
        if !self.trailer.is_set() {
            return None;
        }
        let mut bytes: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        // No line of ours, and no chunk of them, ends like this.
        if !bytes.ends_with(END) {
            return None;
        }
        let (words, taken) = (self.trailer.take()?, bytes.len());
        bytes.truncate(taken - b"\r\n".len());
        bytes.extend_from_slice(format!("X-Stream-Error: {words}\r\n\r\n").as_bytes());
        self.ending = bytes;
        Some(taken)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Trailing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Trailing<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_ending(cx))?;
        match self.take_end(bufs) {
            None => Pin::new(&mut self.inner).poll_write_vectored(cx, bufs),
            // What cannot be written now is written with the flush that follows.
            Some(taken) => match self.poll_ending(cx) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(taken)),
            },
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_ending(cx))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_ending(cx))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// What arrives of pieces that are written one by one; the trailer is set before the last.
    async fn written(pieces: &[&[u8]], words: &str) -> String {
        // So small that the end does not fit at once.
        let (near, mut far) = tokio::io::duplex(7);
        let trailer = Trailer::default();
        let mut trailing = Trailing::new(near, trailer.clone());
        let writing = async move {
            let (last, first) = pieces.split_last().unwrap();
            for piece in first {
                trailing.write_all(piece).await.unwrap();
            }
            trailer.fail(words);
            trailing.write_all(last).await.unwrap();
            trailing.shutdown().await.unwrap();
        };
        let mut text = String::new();
        let (_, read) = tokio::join!(writing, far.read_to_string(&mut text));
        read.unwrap();
        text
    }

    #[tokio::test]
    async fn the_end_gets_the_words_and_what_came_before_stays() {
        let pieces: [&[u8]; 3] = [b"0\r\n\r\n", b"3\r\n{}\n\r\n", b"3\r\n[]\n\r\n0\r\n\r\n"];
        let text = written(&pieces, "no space\r\nleft").await;
        let end = "0\r\nX-Stream-Error: no space  left\r\n\r\n";
        assert_eq!(text, format!("0\r\n\r\n3\r\n{{}}\n\r\n3\r\n[]\n\r\n{end}"));
    }

    #[tokio::test]
    async fn an_answer_that_does_not_fail_ends_as_it_is() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut trailing = Trailing::new(near, Trailer::default());
        trailing.write_all(b"0\r\n\r\n").await.unwrap();
        drop(trailing);
        let mut text = String::new();
        far.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "0\r\n\r\n");
    }
}

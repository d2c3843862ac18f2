//! The reading side of a connection: heads out of a bounded buffer, and the watch for its end.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use super::head::{HEAD_BYTES_MAX, HeadError, RequestHead, ResponseHead};
use crate::buffer::Buffer;
use crate::stream::ReadHalf;

/// A half that reads, with what has been read and not used.
#[derive(Debug)]
pub struct Reader {
    half: ReadHalf,
    /// Bytes read and not used.
    pub buffer: Buffer,
    ended: bool,
}

/// No head came.
#[derive(Debug)]
pub enum NoHead {
    /// The connection ended before the first byte.
    Ended,
    /// It ended, or failed, in the middle.
    Cut(io::Error),
    /// What came is no head.
    Refused(HeadError),
}

impl Reader {
    /// Starts to read.
    #[must_use]
    pub fn new(half: ReadHalf) -> Self {
        Self { half, buffer: Buffer::default(), ended: false }
    }

    /// Reads what is there into free space; zero at the end of the stream. Cancel-safe.
    ///
    /// # Errors
    /// The stream's.
    pub async fn fill(&mut self) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(cx)).await
    }

    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.ended {
            return Poll::Ready(Ok(0));
        }
        let polled = self.buffer.poll_fill(cx, &mut self.half);
        if matches!(polled, Poll::Ready(Ok(0))) && !self.buffer.is_full() {
            self.ended = true;
        }
        polled
    }

    /// Waits until the other side has ended or broken the connection; what it sends meanwhile is
    /// kept for later. Waits for ever once the buffer is full. Cancel-safe.
    pub async fn gone(&mut self) {
        poll_fn(|cx| {
            loop {
                if self.buffer.is_full() && !self.ended {
                    return Poll::Pending;
                }
                match self.poll_fill(cx) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                    Poll::Ready(Ok(_)) => {}
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await;
    }

    /// Reads a request's head. Cancel-safe.
    ///
    /// # Errors
    /// [`NoHead`]; after it the connection cannot go on.
    pub async fn request_head(&mut self) -> Result<RequestHead, NoHead> {
        self.head(RequestHead::parse).await
    }

    /// Reads the head of an answer to a request with this method. Cancel-safe.
    ///
    /// # Errors
    /// [`NoHead`]; after it the connection cannot go on.
    pub async fn response_head(&mut self, method: &[u8]) -> Result<ResponseHead, NoHead> {
        self.head(|bytes| ResponseHead::parse(bytes, method)).await
    }

    async fn head<H>(
        &mut self,
        parse: impl Fn(&[u8]) -> Result<Option<(H, usize)>, HeadError>,
    ) -> Result<H, NoHead> {
        // Bytes in which the end of the head was looked for in vain; parsing anew with each byte
        // of a slow head would cost its square.
        let mut searched = 0;
        loop {
            let bytes = self.buffer.bytes();
            let may_be_whole = !bytes.is_empty() && (searched == 0 || has_end(bytes, searched));
            if may_be_whole && let Some((head, length)) = parse(bytes).map_err(NoHead::Refused)? {
                self.buffer.consume(length);
                return Ok(head);
            }
            searched = bytes.len();
            if self.buffer.is_full() && self.buffer.grow(HEAD_BYTES_MAX).is_err() {
                return Err(NoHead::Refused(HeadError::TooLarge));
            }
            match self.fill().await {
                Ok(0) if searched == 0 => return Err(NoHead::Ended),
                Ok(0) => return Err(NoHead::Cut(io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(error) => return Err(NoHead::Cut(error)),
            }
        }
    }

    /// Whether the other side has closed its half.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether nothing is left over and the connection is still good for another message.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        !self.ended && self.buffer.is_empty() && self.half.is_quiet()
    }

    /// Makes the coming close a reset; see [`ReadHalf::reset_on_close`].
    pub fn reset_on_close(&self) {
        self.half.reset_on_close();
    }
}

/// Whether a head may end in `bytes` past the first `searched`: an empty line, with or without CR.
fn has_end(bytes: &[u8], searched: usize) -> bool {
    let tail = &bytes[searched.saturating_sub(3)..];
    tail.windows(2).any(|w| w == b"\n\n") || tail.windows(3).any(|w| w == b"\n\r\n")
}

//! Values that come in over a stream, one after another, each held whole before it is read.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::io::AsyncRead;
use thiserror::Error;

use super::msgpack::{ScanError, Scanner};

/// Bytes asked of the stream at a time.
const CHUNK_BYTES: usize = 16 << 10;

/// Why the next value cannot be had.
#[derive(Debug, Error)]
pub(super) enum ValueError {
    /// The stream broke.
    #[error("the stream broke: {0}")]
    Broken(#[from] io::Error),
    /// The stream ended inside of a value.
    #[error("the stream ended inside of a value")]
    Truncated,
    /// What came is no value, or too long.
    #[error(transparent)]
    Unreadable(#[from] ScanError),
}

/// The incoming side of a stream. Holds one value and what was read with it.
#[derive(Debug)]
pub(super) struct Values<R> {
    from: R,
    buffer: BytesMut,
    scanner: Option<Scanner>,
}

impl<R: AsyncRead + Unpin> Values<R> {
    /// Reads values from a stream.
    pub(super) fn new(from: R) -> Self {
        Self { from, buffer: BytesMut::new(), scanner: None }
    }

    /// Waits for the next value, of at most `max` bytes; `None` where the stream ends before it.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped: the next call goes on, with the limit of the first.
    ///
    /// # Errors
    /// [`ValueError`]; after one, the stream is of no more use.
    pub(super) async fn next(&mut self, max: usize) -> Result<Option<Bytes>, ValueError> {
        loop {
            if !self.buffer.is_empty() {
                let scanner = self.scanner.get_or_insert_with(|| Scanner::new(max));
                if let Some(end) = scanner.advance(&self.buffer)? {
                    self.scanner = None;
                    return Ok(Some(self.buffer.split_to(end).freeze()));
                }
            }
            if poll_fn(|cx| self.poll_fill(cx)).await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(ValueError::Truncated) };
            }
        }
    }

    /// Waits until the other side ends or breaks the stream, and passes over at most `max` bytes that
    /// it still sends.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    ///
    /// # Errors
    /// [`ValueError`] when the stream breaks, or too much comes.
    pub(super) async fn end(&mut self, max: usize) -> Result<(), ValueError> {
        let mut passed = 0_usize;
        loop {
            passed += self.buffer.len();
            self.buffer.clear();
            if passed > max {
                return Err(ScanError::TooLong { max }.into());
            }
            if poll_fn(|cx| self.poll_fill(cx)).await? == 0 {
                return Ok(());
            }
        }
    }

    /// Appends what the stream has; 0 at its end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let before = self.buffer.len();
        self.buffer.resize(before + CHUNK_BYTES, 0);
        let read = Pin::new(&mut self.from).poll_read(cx, &mut self.buffer[before..]);
        let count = match &read {
            Poll::Ready(Ok(count)) => *count,
            Poll::Ready(Err(_)) | Poll::Pending => 0,
        };
        self.buffer.truncate(before + count);
        Poll::Ready(ready!(read))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::io::Cursor;

    use super::*;

    fn next(
        values: &mut Values<impl AsyncRead + Unpin>,
        max: usize,
    ) -> Result<Option<Bytes>, ValueError> {
        values.next(max).now_or_never().unwrap()
    }

    #[test]
    fn values_are_told_apart() {
        let mut values =
            Values::new(Cursor::new(vec![0x81, 0xa1, b'a', 1, 0x90, 0xa2, b'h', b'i']));
        assert_eq!(next(&mut values, 100).unwrap().unwrap(), [0x81, 0xa1, b'a', 1][..]);
        assert_eq!(next(&mut values, 100).unwrap().unwrap(), [0x90][..]);
        assert_eq!(next(&mut values, 100).unwrap().unwrap(), [0xa2, b'h', b'i'][..]);
        assert!(next(&mut values, 100).unwrap().is_none());
    }

    #[test]
    fn a_stream_that_ends_inside_of_a_value_is_no_clean_end() {
        let mut values = Values::new(Cursor::new(vec![0x82, 0xa1, b'a']));
        assert!(matches!(next(&mut values, 100), Err(ValueError::Truncated)));
    }

    #[test]
    fn a_value_above_the_limit_is_refused_by_its_head() {
        let mut values = Values::new(Cursor::new(vec![0xdb, 0, 1, 0, 0, 1]));
        let error = next(&mut values, 65_536).unwrap_err();
        assert_eq!(error.to_string(), "the value is longer than 65536 bytes");
    }

    #[test]
    fn what_comes_behind_the_last_value_is_passed_over_up_to_a_limit() {
        let ended = |bytes: usize| {
            Values::new(Cursor::new(vec![0xc1; bytes])).end(50_000).now_or_never().unwrap()
        };
        assert!(ended(0).is_ok() && ended(50_000).is_ok());
        assert!(ended(50_001).is_err());
    }
}

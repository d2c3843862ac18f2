//! The body of one message while it is read: where in it the reader stands.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use thiserror::Error;

use super::chunked::{ChunkError, Chunks};
use super::framing::Framing;
use super::reader::Reader;

/// A body that could not be read to its end.
#[derive(Debug, Error)]
pub enum BodyError {
    /// The sender ended the connection in the middle.
    #[error("unexpected EOF")]
    Cut,
    /// The connection failed.
    #[error("connection failed while a body was read: {0}")]
    Connection(#[from] io::Error),
    /// The chunks break the grammar.
    #[error("{0}")]
    Malformed(#[from] ChunkError),
    /// It is longer than the reader is willing to hold.
    #[error("body is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
}

/// What is left of a body.
#[derive(Debug)]
pub enum Rest {
    /// Nothing.
    Done,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Chunks),
    /// All until the end of the connection.
    UntilClose,
}

impl From<Framing> for Rest {
    fn from(framing: Framing) -> Self {
        match framing {
            Framing::None | Framing::Length(0) => Self::Done,
            Framing::Length(bytes) => Self::Length(bytes),
            Framing::Chunked => Self::Chunked(Chunks::default()),
            Framing::UntilClose => Self::UntilClose,
        }
    }
}

impl Rest {
    /// Whether the end has been read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match self {
            Self::Done => true,
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.is_done(),
            Self::UntilClose => false,
        }
    }

    /// How many of these bytes belong to the body, framing included; they count as read.
    ///
    /// # Errors
    /// [`ChunkError`] when the chunks break the grammar.
    pub fn skip(&mut self, bytes: &[u8]) -> Result<usize, ChunkError> {
        match self.skip_good(bytes) {
            (count, None) => Ok(count),
            (_, Some(error)) => Err(error),
        }
    }

    /// As [`Self::skip`], but what is good before a fault counts; see [`Chunks::skip_good`].
    pub(crate) fn skip_good(&mut self, bytes: &[u8]) -> (usize, Option<ChunkError>) {
        match self {
            Self::Done => (0, None),
            Self::UntilClose => (bytes.len(), None),
            Self::Length(left) => (take_of(left, bytes.len()), None),
            Self::Chunked(chunks) => chunks.skip_good(bytes),
        }
    }

    /// As [`Self::skip`], but stops after one run of data: bytes used, and where the data stands.
    pub(crate) fn step(&mut self, bytes: &[u8]) -> Result<(usize, Range<usize>), ChunkError> {
        if let Self::Chunked(chunks) = self {
            let step = chunks.step(bytes)?;
            return Ok((step.taken, step.data));
        }
        let taken = self.skip(bytes)?;
        Ok((taken, 0..taken))
    }

    /// Next run of data of the body, at most what one read gives; `None` at its end. Cancel-safe.
    ///
    /// # Errors
    /// [`BodyError`] when the body cannot be read to its end.
    pub async fn chunk(&mut self, reader: &mut Reader) -> Result<Option<Bytes>, BodyError> {
        loop {
            let (taken, data) = self.step(reader.buffer.bytes())?;
            let data = Bytes::copy_from_slice(&reader.buffer.bytes()[data]);
            reader.buffer.consume(taken);
            if !data.is_empty() {
                return Ok(Some(data));
            }
            if self.is_done() {
                return Ok(None);
            }
            if taken == 0 && reader.fill().await? == 0 {
                return match self {
                    Self::UntilClose => {
                        *self = Self::Done;
                        Ok(None)
                    }
                    Self::Done | Self::Length(_) | Self::Chunked(_) => Err(BodyError::Cut),
                };
            }
        }
    }

    /// Trailers, once the end has been read.
    #[must_use]
    pub fn trailers(&self) -> Vec<(String, Vec<u8>)> {
        match self {
            Self::Chunked(chunks) => chunks.trailers(),
            Self::Done | Self::Length(_) | Self::UntilClose => Vec::new(),
        }
    }
}

fn take_of(left: &mut u64, available: usize) -> usize {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(available);
    *left -= taken as u64;
    taken
}

//! Frames of a stream: a length as uvarint, then that many bytes, read under the limits.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use libp2p::futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::decode::{DecodeError, decode};
use super::limits::permits;
use super::message::{MESSAGE_BYTES_MAX, Message};

/// A message that was begun is here in this time.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(2 * 60);

/// A message is taken by the peer in this time.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(2 * 60);

/// Bytes of the largest length, which is a message's at most.
const LENGTH_BYTES_MAX: u32 = 4;

/// Why a stream gave no message.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("the message of a peer is longer than {MESSAGE_BYTES_MAX} bytes")]
    TooLong,
    #[error("the message of a peer was not complete in {} s", .0.as_secs())]
    Slow(Duration),
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    #[error("cannot read from a peer: {0}")]
    Read(#[from] io::Error),
}

/// A message, and the share of memory that it takes until it is dropped.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) message: Message,
    pub(super) share: OwnedSemaphorePermit,
}

/// Reads messages from one stream.
pub(super) struct Reader<S> {
    stream: S,
    memory: Arc<Semaphore>,
    limit: Duration,
}

impl<S: AsyncRead + Unpin> Reader<S> {
    /// Reads from `stream`; its messages take their memory from `memory`, of 1 KiB each permit. One
    /// that was begun is complete in `limit`, which is [`READ_TIMEOUT`] outside tests.
    pub(super) fn new(stream: S, memory: Arc<Semaphore>, limit: Duration) -> Self {
        Self { stream, memory, limit }
    }

    /// The next message; `None` at the end of the stream. Waits for as long as the peer is silent
    /// between messages. Not cancel-safe: what was read of a message is lost.
    ///
    /// # Errors
    /// [`FrameError`]; the stream is of no use after it.
    pub(super) async fn next(&mut self) -> Result<Option<Received>, FrameError> {
        let mut first = [0];
        if self.stream.read(&mut first).await? == 0 {
            return Ok(None);
        }
        let limit = self.limit;
        let rest = timeout(limit, self.rest(first[0])).await;
        rest.map_err(|_| FrameError::Slow(limit))?.map(Some)
    }

    async fn rest(&mut self, first: u8) -> Result<Received, FrameError> {
        let length = self.length(first).await?;
        // Closed never: the semaphore lives as long as the behaviour.
        let share = Arc::clone(&self.memory).acquire_many_owned(permits(length)).await;
        let share = share.map_err(io::Error::other)?;
        // Grows with what comes, not with what is announced.
        let mut body = Vec::new();
        (&mut self.stream).take(length as u64).read_to_end(&mut body).await?;
        if body.len() < length {
            return Err(FrameError::Malformed(DecodeError::Short));
        }
        Ok(Received { message: decode(&body)?, share })
    }

    async fn length(&mut self, first: u8) -> Result<usize, FrameError> {
        let (mut byte, mut length) = (first, 0);
        for place in 0..LENGTH_BYTES_MAX {
            length |= usize::from(byte & 0x7f) << (7 * place);
            if length > MESSAGE_BYTES_MAX {
                return Err(FrameError::TooLong);
            }
            if byte & 0x80 == 0 {
                return Ok(length);
            }
            let mut next = [0];
            self.stream.read_exact(&mut next).await?;
            byte = next[0];
        }
        Err(FrameError::TooLong)
    }
}

/// Writes a frame and sees it off; gives the stream back. The peer takes it in `limit`, which is
/// [`WRITE_TIMEOUT`] outside tests. Not cancel-safe: a frame of which a part was written leaves the
/// stream of no use.
///
/// # Errors
/// When the stream fails, or takes the frame too slowly.
pub(super) async fn write<S: AsyncWrite + Unpin>(
    mut stream: S,
    frame: &[u8],
    limit: Duration,
) -> io::Result<S> {
    let written = async {
        stream.write_all(frame).await?;
        stream.flush().await
    };
    timeout(limit, written).await.map_err(|_| io::ErrorKind::TimedOut)??;
    Ok(stream)
}

#[cfg(test)]
mod tests;

//! The way of a request to Kubo; when all is sent, the watch for a client that leaves.

use tokio::io::AsyncWriteExt;

use super::pump::{Pumped, pump, send};
use crate::exchange::Body;
use crate::h1::chunked::ChunkError;
use crate::stream::WriteHalf;

/// What Kubo gets first.
#[derive(Debug)]
pub(crate) struct Opening {
    /// The head, and the body bytes that came along.
    pub(crate) bytes: Vec<u8>,
    /// See [`super::Edits::kubo_refuses`].
    pub(crate) kubo_refuses: bool,
}

/// How far it came; read it when the upload is over or dropped.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Kubo has the whole request.
    pub(crate) all_sent: bool,
    /// Kubo was told that no more comes.
    pub(crate) closed: bool,
}

/// Why an upload ended before the answer.
#[derive(Debug)]
pub(crate) enum UploadEnd {
    /// The client has gone, or has closed its side.
    ClientGone,
    /// Kubo takes no more; it may have answered.
    NotTaken,
    /// The client's chunks are garbled.
    Garbled(ChunkError),
}

/// Sends `opening` and the rest of the body, then waits for the client to leave. Meant to be
/// dropped when the answer is through; then `progress` tells whether the connections are still good.
pub(crate) async fn run(
    opening: &Opening,
    body: &mut Body,
    write: &mut WriteHalf,
    progress: &mut Progress,
) -> UploadEnd {
    if send(write, &opening.bytes).await.is_err() {
        return UploadEnd::NotTaken;
    }
    if !body.rest.is_done() {
        match pump(&mut body.reader, &mut body.rest, write).await {
            Pumped::Whole => {}
            Pumped::NotTaken => return UploadEnd::NotTaken,
            Pumped::Garbled(error) if opening.kubo_refuses => {
                // Kubo reads no further than this and closes.
                drop(send(write, error.example()).await);
                return UploadEnd::NotTaken;
            }
            Pumped::Garbled(error) => return UploadEnd::Garbled(error),
            Pumped::Cut => return leave(write, progress).await,
        }
    }
    progress.all_sent = true;
    body.reader.gone().await;
    leave(write, progress).await
}

/// Tells Kubo that the client has left: it stops its work, as it would without us.
async fn leave(write: &mut WriteHalf, progress: &mut Progress) -> UploadEnd {
    progress.closed = true;
    // Kubo may have closed first.
    drop(write.shutdown().await);
    UploadEnd::ClientGone
}

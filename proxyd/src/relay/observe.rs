//! Passes a request to Kubo while an intercept reads the answer and decides what the client sees.

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::answer::{final_head, is_reusable};
use super::upload::{self, Opening, Progress, UploadEnd};
use super::{Edits, opening};
use crate::exchange::{Body, Exchange};
use crate::h1::body::{BodyError, Rest};
use crate::h1::chunked::ChunkError;
use crate::h1::head::{RequestHead, ResponseHead};
use crate::h1::reader::Reader;
use crate::stream::WriteHalf;
use crate::upstream::{Connection, UpstreamError};

/// Why an observed answer broke off.
#[derive(Debug, Error)]
pub enum ObserveError {
    /// Kubo gave no answer.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// Kubo's answer broke off in the middle.
    #[error("Kubo broke off its answer: {0}")]
    Answer(#[from] BodyError),
    /// The client has gone; Kubo was told.
    #[error("the client has gone")]
    ClientGone,
    /// The client's chunks are garbled.
    #[error("the request body is garbled: {0}")]
    Garbled(#[from] ChunkError),
}

/// Kubo's answer, while the client's body is still on its way to Kubo.
///
/// The upload runs on its own, so the intercept may take its time. Give the connections back with
/// [`Self::finish`]; dropping it cuts both.
#[derive(Debug)]
pub struct Observed {
    /// The head of Kubo's answer.
    pub head: ResponseHead,
    reader: Reader,
    rest: Rest,
    upload: Uploading,
    reusable: bool,
}

/// The upload, in a task of its own.
#[derive(Debug)]
struct Uploading {
    /// Dropped when the answer is over: then the watch for the client ends.
    answer_open: Option<oneshot::Sender<()>>,
    task: JoinHandle<Uploaded>,
    /// What the task gave back; it can be asked once only.
    done: Option<Uploaded>,
}

#[derive(Debug)]
struct Uploaded {
    body: Body,
    write: WriteHalf,
    progress: Progress,
    end: Option<UploadEnd>,
}

/// Sends the request to Kubo and waits for the head of its answer; interim answers go to the client.
///
/// # Errors
/// [`ObserveError`] when there is no answer; the client has not been told. The exchange's connection
/// cannot go on then: answer, and it is closed.
pub async fn observe(exchange: &mut Exchange, edits: &Edits) -> Result<Observed, ObserveError> {
    let upstream = Arc::clone(&exchange.worker.upstream);
    let opening = opening(exchange, edits, RequestHead::copy_onward_in_11)?;
    let Connection { mut reader, write, .. } = upstream.take().await?;
    let Some(body) = exchange.body.take() else {
        return Err(ObserveError::ClientGone);
    };
    let mut upload = Uploading::start(opening, body, write);
    let head = tokio::select! {
        biased;
        head = final_head(&exchange.head, &mut reader, &mut exchange.reply) => head,
        error = upload.failed() => {
            upload.stop(exchange).await;
            return Err(error);
        }
    };
    let head = match head {
        Ok(head) => head,
        Err(Some(cause)) => {
            upload.stop(exchange).await;
            return Err(upstream.no_answer(cause).into());
        }
        Err(None) => return Err(ObserveError::ClientGone),
    };
    if head.wants_close() {
        exchange.reply.close_after();
        // Said by Kubo, not only meant by its version of HTTP.
        if head.header("Connection").is_some() {
            exchange.reply.close_by_command();
        }
    }
    let reusable = is_reusable(&exchange.head, &head);
    Ok(Observed { rest: head.framing().into(), head, reader, upload, reusable })
}

impl Observed {
    /// Next part of Kubo's answer, without its framing; `None` at its end. Cancel-safe.
    ///
    /// # Errors
    /// [`ObserveError`] when the answer breaks off or the client leaves.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ObserveError> {
        tokio::select! {
            biased;
            part = self.rest.chunk(&mut self.reader) => Ok(part?),
            error = self.upload.failed() => Err(error),
        }
    }

    /// Waits until the client leaves, or its body turns out garbled. Cancel-safe.
    pub async fn failed(&mut self) -> ObserveError {
        self.upload.failed().await
    }

    /// Trailers of Kubo's answer, once it has been read to its end.
    #[must_use]
    pub fn trailers(&self) -> Vec<(String, Vec<u8>)> {
        self.rest.trailers()
    }

    /// Ends it: the client's connection goes back to the exchange, Kubo's to the pool if it is good.
    /// Call it before the end of the reply, or the connection is closed after it.
    pub async fn finish(mut self, exchange: &mut Exchange) {
        let Some((write, progress)) = self.upload.stop(exchange).await else {
            return;
        };
        if self.reusable && self.rest.is_done() && progress.all_sent && !progress.closed {
            let connection = Connection { reader: self.reader, write, reused: true };
            exchange.worker.upstream.put_back(connection);
        }
    }
}

impl Uploading {
    fn start(opening: Opening, mut body: Body, mut write: WriteHalf) -> Self {
        let (answer_open, answer_over) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut progress = Progress::default();
            let end = tokio::select! {
                biased;
                end = upload::run(&opening, &mut body, &mut write, &mut progress) => Some(end),
                _ = answer_over => None,
            };
            Uploaded { body, write, progress, end }
        });
        Self { answer_open: Some(answer_open), task, done: None }
    }

    /// Waits until the client leaves or its body turns out garbled. Cancel-safe.
    async fn failed(&mut self) -> ObserveError {
        if self.done.is_none() {
            let Ok(done) = (&mut self.task).await else {
                return ObserveError::ClientGone;
            };
            self.done = Some(done);
        }
        match self.done.as_ref().and_then(|done| done.end.as_ref()) {
            Some(UploadEnd::Garbled(error)) => (*error).into(),
            Some(UploadEnd::ClientGone) => ObserveError::ClientGone,
            // Kubo takes no more, so its answer is on the way or the connection's end is.
            Some(UploadEnd::NotTaken) | None => std::future::pending().await,
        }
    }

    /// Ends the upload and gives the client's half back to the exchange.
    async fn stop(&mut self, exchange: &mut Exchange) -> Option<(WriteHalf, Progress)> {
        drop(self.answer_open.take());
        let done = match self.done.take() {
            Some(done) => done,
            None => (&mut self.task).await.ok()?,
        };
        if !done.progress.all_sent {
            exchange.reply.close_after();
        }
        exchange.body = Some(done.body);
        Some((done.write, done.progress))
    }
}

impl Drop for Uploading {
    fn drop(&mut self) {
        self.task.abort();
    }
}

//! Answers as HTTP: one JSON value, lines that stream, errors.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use common::api::error::ApiError;
use hyper::body::{Body as HttpBody, Frame};
use serde::Serialize;
use thiserror::Error;
use tokio::sync::mpsc;

/// What a handler gives.
pub(super) type Answered = Result<Response, Failure>;

/// An error on its way to the client.
pub(super) struct Failure(pub(super) ApiError);

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        (status, [(CONTENT_TYPE, "application/json")], body).into_response()
    }
}

/// One JSON value.
pub(super) fn json(value: &impl Serialize) -> Answered {
    let body = serde_json::to_vec(value).map_err(unwritable)?;
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

fn unwritable(error: serde_json::Error) -> Failure {
    let code = common::api::error::ErrorCode::Internal;
    Failure(ApiError::new(code, format!("cannot write the answer: {error}")))
}

/// An empty listing, as Go answers it.
pub(super) fn nothing() -> Response {
    (StatusCode::NO_CONTENT, [(CONTENT_TYPE, "application/json")]).into_response()
}

/// The answer is cut off: without its proper end a client knows that it is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the answer was cut off")]
pub(super) struct CutOff;

/// The client has gone.
#[derive(Debug)]
pub(super) struct Gone;

/// Chunks that wait for a slow client.
const CHUNKS_WAITING_MAX: usize = 2;

/// The writing end of a streamed body. Dropped without [`Lines::end`] it cuts the answer off.
pub(super) struct Lines {
    sender: mpsc::Sender<Bytes>,
    is_whole: Arc<AtomicBool>,
}

/// The body. Chunks and end go one way: in `http_body_util::channel` they go two, and a last chunk that
/// comes between the looks at both is lost, with a proper end.
struct Chunks {
    received: mpsc::Receiver<Bytes>,
    is_whole: Arc<AtomicBool>,
    is_over: bool,
}

impl HttpBody for Chunks {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        match self.received.poll_recv(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(chunk)) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            Poll::Ready(None) => {
                self.is_over = true;
                let is_whole = self.is_whole.load(Ordering::Acquire);
                Poll::Ready((!is_whole).then_some(Err(CutOff)))
            }
        }
    }
}

/// A streamed answer and its writing end.
pub(super) fn stream() -> (Lines, Response) {
    let (sender, received) = mpsc::channel(CHUNKS_WAITING_MAX);
    let is_whole = Arc::new(AtomicBool::new(false));
    let body = Chunks { received, is_whole: Arc::clone(&is_whole), is_over: false };
    let response = ([(CONTENT_TYPE, "application/json")], Body::new(body)).into_response();
    (Lines { sender, is_whole }, response)
}

impl Lines {
    /// Sends one value and a line feed.
    pub(super) async fn json(&mut self, value: &impl Serialize) -> Result<(), Gone> {
        let mut line = serde_json::to_vec(value).map_err(|_| Gone)?;
        line.push(b'\n');
        self.bytes(line).await
    }

    /// Sends whole lines. Waits for a slow client.
    pub(super) async fn bytes(&mut self, lines: Vec<u8>) -> Result<(), Gone> {
        self.sender.send(lines.into()).await.map_err(|_| Gone)
    }

    /// Ends the answer properly.
    pub(super) fn end(self) {
        // Seen by whoever sees that the sender is gone.
        self.is_whole.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;

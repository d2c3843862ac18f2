//! Answers as HTTP: one JSON value, lines that stream, errors.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use common::api::error::ApiError;
use http_body_util::channel::Channel;
use serde::Serialize;
use thiserror::Error;

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
    sender: Option<http_body_util::channel::Sender<Bytes, CutOff>>,
}

/// A streamed answer and its writing end.
pub(super) fn stream() -> (Lines, Response) {
    let (sender, body) = Channel::new(CHUNKS_WAITING_MAX);
    let response = ([(CONTENT_TYPE, "application/json")], Body::new(body)).into_response();
    (Lines { sender: Some(sender) }, response)
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
        let sender = self.sender.as_mut().ok_or(Gone)?;
        sender.send_data(lines.into()).await.map_err(|_| Gone)
    }

    /// Ends the answer properly.
    pub(super) fn end(mut self) {
        self.sender = None;
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take() {
            sender.abort(CutOff);
        }
    }
}

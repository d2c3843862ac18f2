//! The answer to an upload, as Go ipfs-cluster gives it: lines that stream with a trailer behind, or one
//! list. It begins with the first line, so that a failure before it has a status of its own.

use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONNECTION, TRAILER};
use axum::response::Response;
use common::api::add::AddedOutput;
use common::api::error::ApiError;
use tokio::sync::oneshot;

use super::super::super::refusal::bad;
use super::super::super::reply::{Answered, Failure, Lines, json, stream};
use super::super::super::trailer::Trailer;

/// Most lines that are held for one list.
const LISTED_MAX: usize = 100_000;

/// The answer under way. Whoever was to read it may have gone; then nothing is written.
pub(super) struct Out {
    /// Where the answer goes, until it has begun.
    head: Option<oneshot::Sender<Answered>>,
    lines: Option<Lines>,
    /// For those who want one list.
    list: Option<Vec<AddedOutput>>,
    /// `None` where no trailer can be sent.
    trailer: Option<Trailer>,
}

impl Out {
    /// An answer that goes to `head`; line by line, or as one list.
    pub(super) fn new(
        head: oneshot::Sender<Answered>,
        streams: bool,
        trailer: Option<Trailer>,
    ) -> Self {
        let list = (!streams).then(Vec::new);
        Self { head: Some(head), lines: None, list, trailer }
    }

    /// # Errors
    /// When one list would be too long with another line.
    pub(super) fn check_room(&self) -> Result<(), ApiError> {
        match &self.list {
            Some(list) if list.len() >= LISTED_MAX => Err(bad(format!(
                "there are more than {LISTED_MAX} lines: use stream-channels=true"
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// Shows a line; waits for a slow client.
    pub(super) async fn line(&mut self, line: AddedOutput) {
        if let Some(list) = &mut self.list {
            list.push(line);
            return;
        }
        self.begin();
        if let Some(lines) = &mut self.lines
            && lines.json(&line).await.is_err()
        {
            self.lines = None;
        }
    }

    fn begin(&mut self) {
        if let Some(head) = self.head.take() {
            let (lines, response) = stream();
            self.lines = head.send(Ok(as_gos(response))).is_ok().then_some(lines);
        }
    }

    /// Ends it properly.
    pub(super) fn finish(mut self) {
        if let (Some(list), Some(head)) = (&self.list, self.head.take()) {
            drop(head.send(json(list)));
            return;
        }
        self.begin();
        if let Some(lines) = self.lines {
            lines.end();
        }
    }

    /// Ends it with a failure.
    pub(super) fn fail(self, error: ApiError) {
        if let Some(head) = self.head {
            drop(head.send(Err(Failure(error))));
            return;
        }
        // Without a trailer, lines that are dropped cut the answer off.
        if let (Some(lines), Some(trailer)) = (self.lines, self.trailer) {
            trailer.fail(&error.message);
            lines.end();
        }
    }
}

/// Adds the headers of Go's answer: clients that add close the connection.
fn as_gos(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert("x-chunked-output", HeaderValue::from_static("1"));
    headers.insert(TRAILER, HeaderValue::from_static("X-Stream-Error"));
    response
}

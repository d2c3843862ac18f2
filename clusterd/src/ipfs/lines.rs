//! A streamed answer of Kubo, line by line, with the error that may stand in its trailer.

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use super::error::ConnectorError;
use super::http::innermost;

/// Longest line that is read, in bytes: a pin with a long name is far below it.
const LINE_BYTES_MAX: usize = 1 << 20;

/// A streamed answer.
pub struct Lines {
    body: Incoming,
    partial: BytesMut,
    searched: usize,
    attempt: &'static str,
    address: String,
}

impl Lines {
    pub(super) fn new(body: Incoming, attempt: &'static str, address: String) -> Self {
        Self { body, partial: BytesMut::new(), searched: 0, attempt, address }
    }

    /// The next line as JSON; `None` at a clean end. Cancel-safe: what was read of a line is kept.
    ///
    /// # Errors
    /// [`ConnectorError::Refused`] with the words of the trailer `X-Stream-Error`,
    /// [`ConnectorError::Unreachable`] when the body breaks off.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ConnectorError> {
        let Some(line) = self.next_line().await? else {
            return Ok(None);
        };
        serde_json::from_slice(&line)
            .map(Some)
            .map_err(|error| self.unintelligible(error.to_string()))
    }

    /// The next line as it is, without its line feed; `None` at a clean end. Cancel-safe.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn next_line(&mut self) -> Result<Option<Bytes>, ConnectorError> {
        loop {
            if let Some(line) = self.take_line() {
                return Ok(Some(line));
            }
            if self.partial.len() > LINE_BYTES_MAX {
                return Err(self.unintelligible("a line is too long".to_owned()));
            }
            let Some(frame) = self.body.frame().await else {
                // Kubo ends each line but may leave the last line feed out.
                self.searched = 0;
                let rest = self.partial.split().freeze();
                return Ok(Some(rest).filter(|rest| !rest.is_empty()));
            };
            let frame = frame.map_err(|error| ConnectorError::Unreachable {
                address: self.address.clone(),
                attempt: self.attempt,
                reason: innermost(&error),
            })?;
            if let Some(message) = frame.trailers_ref().and_then(|all| all.get("x-stream-error")) {
                let message = String::from_utf8_lossy(message.as_bytes()).into_owned();
                // An empty one stands for success.
                if !message.is_empty() {
                    return Err(ConnectorError::Refused { attempt: self.attempt, message });
                }
            }
            if let Ok(bytes) = frame.into_data() {
                self.partial.extend_from_slice(&bytes);
            }
        }
    }

    fn take_line(&mut self) -> Option<Bytes> {
        loop {
            let found = self.partial[self.searched..].iter().position(|byte| *byte == b'\n');
            let Some(at) = found else {
                self.searched = self.partial.len();
                return None;
            };
            let line = self.partial.split_to(self.searched + at).freeze();
            self.partial.advance(1);
            self.searched = 0;
            if !line.is_empty() {
                return Some(line);
            }
        }
    }

    fn unintelligible(&self, reason: String) -> ConnectorError {
        ConnectorError::Unintelligible { attempt: self.attempt, reason }
    }
}

//! An answer of clusterd's API: whole, in pieces, or line by line.

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use crate::api::client::{ClientError, causes};
use crate::api::error::{ApiError, ErrorCode};

/// Longest line or JSON answer that is read, in bytes. A record with all its options is far below it.
const LINE_BYTES_MAX: usize = 4 << 20;

/// The trailer that tells of a failure behind a head that said success, as Go and Kubo have it.
pub const LATE_ERROR: &str = "x-stream-error";

/// An answer whose head said success.
#[derive(Debug)]
pub struct Reply {
    pub(super) status: u16,
    pub(super) body: Incoming,
}

impl Reply {
    /// Reads the whole body as one JSON value, of at most 4 MiB.
    ///
    /// # Errors
    /// [`ClientError::Broken`] when it ends early, [`ClientError::Unintelligible`] when it has another form.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        let mut chunks = Chunks { body: self.body };
        let mut whole = BytesMut::new();
        while let Some(chunk) = chunks.next().await? {
            if whole.len() + chunk.len() > LINE_BYTES_MAX {
                return Err(ClientError::Unintelligible { reason: "it is too long".to_owned() });
            }
            whole.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&whole)
            .map_err(|e| ClientError::Unintelligible { reason: e.to_string() })
    }

    /// The body in the pieces in which it comes, for listings whose lines are only wrapped.
    #[must_use]
    pub fn chunks(self) -> Chunks {
        Chunks { body: self.body }
    }

    /// The body line by line.
    #[must_use]
    pub fn lines(self) -> Lines {
        Lines { chunks: self.chunks(), partial: BytesMut::new(), searched: 0, ended: false }
    }
}

/// A body in pieces.
#[derive(Debug)]
pub struct Chunks {
    body: Incoming,
}

impl Chunks {
    /// The next piece; `None` at a clean end. Cancel-safe.
    ///
    /// # Errors
    /// [`ClientError::Broken`] when the body ends early, [`ClientError::Refused`] when it ends with a
    /// failure that was met on the way.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|e| ClientError::Broken { reason: causes(&e) })?;
            if let Some(words) = frame.trailers_ref().and_then(|all| all.get(LATE_ERROR)) {
                let words = String::from_utf8_lossy(words.as_bytes()).into_owned();
                // An empty one stands for success.
                if !words.is_empty() {
                    return Err(ApiError::new(ErrorCode::Internal, words).into());
                }
            }
            if let Ok(bytes) = frame.into_data()
                && !bytes.is_empty()
            {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}

/// A body in lines.
#[derive(Debug)]
pub struct Lines {
    chunks: Chunks,
    partial: BytesMut,
    searched: usize,
    ended: bool,
}

impl Lines {
    /// The next line without its line feed; `None` at a clean end. Cancel-safe: what was read of a
    /// line is kept.
    ///
    /// # Errors
    /// [`ClientError::Broken`] when the body ends early, [`ClientError::Unintelligible`] for a line
    /// above 4 MiB.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            if let Some(at) = self.partial[self.searched..].iter().position(|b| *b == b'\n') {
                let line = self.partial.split_to(self.searched + at).freeze();
                self.partial.advance(1);
                self.searched = 0;
                return Ok(Some(line));
            }
            self.searched = self.partial.len();
            if self.searched > LINE_BYTES_MAX {
                return Err(ClientError::Unintelligible {
                    reason: "a line is too long".to_owned(),
                });
            }
            if self.ended {
                self.searched = 0;
                let rest = self.partial.split().freeze();
                return Ok((!rest.is_empty()).then_some(rest));
            }
            match self.chunks.next().await? {
                Some(chunk) => self.partial.extend_from_slice(&chunk),
                None => self.ended = true,
            }
        }
    }

    /// The next line as JSON; `None` at a clean end. Cancel-safe.
    ///
    /// # Errors
    /// As [`Lines::next`], and [`ClientError::Unintelligible`] when the line has another form.
    pub async fn next_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ClientError> {
        let Some(line) = self.next().await? else {
            return Ok(None);
        };
        serde_json::from_slice(&line)
            .map(Some)
            .map_err(|e| ClientError::Unintelligible { reason: e.to_string() })
    }
}

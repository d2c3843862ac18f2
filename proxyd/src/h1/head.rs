//! Heads of requests and answers: parsed strictly, kept as the bytes they came as.

use std::ops::{Deref, Range};

use thiserror::Error;

use super::fields::{Fields, Known, push_field, with_room};
use super::framing::{self, Framing};
use super::message::Message;

/// Longest head in bytes, as in Kubo: a command with thousands of arguments has them all in its target.
pub const HEAD_BYTES_MAX: usize = 1 << 20;

/// A head that is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeadError {
    /// It breaks the grammar, or can be read in two ways.
    #[error("{0}")]
    Malformed(&'static str),
    /// Neither HTTP/1.0 nor HTTP/1.1.
    #[error("unsupported protocol version")]
    Version,
    /// Past [`HEAD_BYTES_MAX`], or memory for such heads is used up.
    #[error("header is too large")]
    TooLarge,
    /// More fields, or names in `Connection`, than [`super::fields`] takes.
    #[error("too many header fields")]
    TooManyFields,
}

/// Head of a request.
#[derive(Debug)]
pub struct RequestHead {
    message: Message,
    method: Range<usize>,
    target: Range<usize>,
    is_http_10: bool,
}

/// Head of an answer.
#[derive(Debug)]
pub struct ResponseHead {
    message: Message,
    status: u16,
    reason: Range<usize>,
}

impl Deref for RequestHead {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.message
    }
}

impl Deref for ResponseHead {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.message
    }
}

impl RequestHead {
    /// Parses the head at the start of `bytes`: the head and its length, or `None` when more
    /// bytes are needed.
    ///
    /// # Errors
    /// [`HeadError`]; the connection cannot go on after it.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, HeadError> {
        // The parser would skip empty lines in front; Kubo refuses them.
        if matches!(bytes.first(), Some(b'\r' | b'\n')) {
            return Err(HeadError::Malformed("an empty line before the request"));
        }
        with_room(|room| {
            let mut parsed = httparse::Request::new(room);
            let length = match parsed.parse(bytes).map_err(refused)? {
                httparse::Status::Partial => return Ok(None),
                httparse::Status::Complete(length) => length,
            };
            let (method, target) = (parsed.method.unwrap_or(""), parsed.path.unwrap_or(""));
            let target = method.len() + 1..method.len() + 1 + target.len();
            // Exactly one blank on either side and no other, or positions would differ.
            let start_line = target.end + " HTTP/1.1\r\n".len();
            if bytes.get(start_line - 2..start_line) != Some(b"\r\n") {
                return Err(HeadError::Malformed("request line"));
            }
            let fields = Fields::new(&bytes[..length], start_line, parsed.headers)?;
            let is_http_10 = parsed.version == Some(0);
            Self::checked(fields, 0..method.len(), target, is_http_10).map(|h| Some((h, length)))
        })
    }

    fn checked(
        fields: Fields,
        method: Range<usize>,
        target: Range<usize>,
        is_http_10: bool,
    ) -> Result<Self, HeadError> {
        match fields.known(Known::Host).count() {
            0 if !is_http_10 => return Err(HeadError::Malformed("missing required Host header")),
            0 | 1 => {}
            _ => return Err(HeadError::Malformed("too many Host headers")),
        }
        let framing = framing::of_request(&fields, is_http_10)?;
        Ok(Self { message: Message::new(fields, framing, is_http_10), method, target, is_http_10 })
    }

    /// The method, as sent.
    #[must_use]
    pub fn method(&self) -> &[u8] {
        &self.fields().raw()[self.method.clone()]
    }

    /// The target as on the wire: path and query, or a whole URL, `*`, or `host:port`.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        &self.fields().raw()[self.target.clone()]
    }

    /// Whether the client speaks HTTP/1.0: no chunks, no 1xx, and closing is the rule.
    #[must_use]
    pub fn is_http_10(&self) -> bool {
        self.is_http_10
    }

    /// Whether the client waits for `100 Continue` before it sends the body. Source: Go's server.
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        !self.is_http_10
            && self.framing() != Framing::None
            && self
                .fields()
                .known(Known::Expect)
                .flat_map(|value| value.split(|b| matches!(b, b',' | b' ' | b'\t')))
                .any(|word| word.eq_ignore_ascii_case(b"100-continue"))
    }

    /// Writes the head for Kubo in HTTP/1.1, whatever the client speaks: there a stream that broke
    /// off says so in a trailer. Otherwise as [`Self::copy_onward`].
    pub(crate) fn copy_onward_in_11(
        &self,
        out: &mut Vec<u8>,
        target: Option<&[u8]>,
        replace: &[(&str, &[u8])],
    ) {
        self.push_start_line(out, target, b" HTTP/1.1\r\n");
        if self.fields().known(Known::Host).next().is_none() {
            // Kubo takes any, but HTTP/1.1 must have one.
            push_field(out, b"Host", b"localhost");
        }
        self.fields().copy_onward(out, replace, None);
        out.extend_from_slice(b"\r\n");
    }

    /// Writes the head for Kubo: as it came, but for fields that end here and what is replaced.
    pub(crate) fn copy_onward(
        &self,
        out: &mut Vec<u8>,
        target: Option<&[u8]>,
        replace: &[(&str, &[u8])],
    ) {
        let version: &[u8] = if self.is_http_10 { b" HTTP/1.0\r\n" } else { b" HTTP/1.1\r\n" };
        self.push_start_line(out, target, version);
        let keep_alive = (self.is_http_10 && !self.wants_close()).then_some(&b"keep-alive"[..]);
        self.fields().copy_onward(out, replace, keep_alive);
        out.extend_from_slice(b"\r\n");
    }

    fn push_start_line(&self, out: &mut Vec<u8>, target: Option<&[u8]>, version: &[u8]) {
        for part in [self.method(), b" ", target.unwrap_or(self.target()), version] {
            out.extend_from_slice(part);
        }
    }
}

impl ResponseHead {
    /// Parses the head at the start of `bytes`, an answer to a request with this method: the head
    /// and its length, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`HeadError`]; the connection cannot go on after it.
    pub fn parse(bytes: &[u8], method: &[u8]) -> Result<Option<(Self, usize)>, HeadError> {
        with_room(|room| {
            let mut parsed = httparse::Response::new(room);
            let length = match parsed.parse(bytes).map_err(refused)? {
                httparse::Status::Partial => return Ok(None),
                httparse::Status::Complete(length) => length,
            };
            let head = &bytes[..length];
            let start_line = head.iter().position(|b| *b == b'\n').map_or(length, |lf| lf + 1);
            let fields = Fields::new(head, start_line, parsed.headers)?;
            let (status, is_http_10) = (parsed.code.unwrap_or(0), parsed.version == Some(0));
            let reason = start_line.saturating_sub(2 + parsed.reason.unwrap_or("").len());
            let framing = framing::of_answer(&fields, status, method)?;
            let message = Message::new(fields, framing, is_http_10);
            let reason = reason..start_line.saturating_sub(2);
            Ok(Some((Self { message, status, reason }, length)))
        })
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The words after the status code; may be empty.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        &self.fields().raw()[self.reason.clone()]
    }

    /// Whether it is an interim answer, which a final one follows.
    #[must_use]
    pub fn is_interim(&self) -> bool {
        matches!(self.status, 100..200)
    }

    /// Writes the head for the client: as it came, but for fields that end here, and `connection`
    /// in their place.
    pub(crate) fn copy_onward(
        &self,
        out: &mut Vec<u8>,
        replace: &[(&str, &[u8])],
        connection: Option<&[u8]>,
    ) {
        let start_line = self.reason.end + 2;
        out.extend_from_slice(&self.fields().raw()[..start_line]);
        self.fields().copy_onward(out, replace, connection);
        out.extend_from_slice(b"\r\n");
    }
}

fn refused(error: httparse::Error) -> HeadError {
    match error {
        httparse::Error::TooManyHeaders => HeadError::TooManyFields,
        httparse::Error::Version => HeadError::Version,
        httparse::Error::HeaderName => HeadError::Malformed("header name"),
        httparse::Error::HeaderValue => HeadError::Malformed("header value"),
        httparse::Error::NewLine => HeadError::Malformed("line end"),
        httparse::Error::Status => HeadError::Malformed("status line"),
        httparse::Error::Token => HeadError::Malformed("request line"),
    }
}

#[cfg(test)]
mod tests;

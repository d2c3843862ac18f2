//! Writes one answer to a client: head, body in chunks, trailers; bounded by the client's own pace.

use std::cell::RefCell;
use std::io;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::io::AsyncWriteExt;

use super::fields::push_field;
use crate::stream::WriteHalf;

/// Name and value of a header field or trailer.
pub type Line<'a> = (&'a str, &'a [u8]);

/// How far an answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing has been written.
    Waiting,
    /// The head is written or about to be, the body is open.
    Open,
    /// Ended whole.
    Ended,
    /// Broken off, or the client is gone: the connection must be cut.
    Broken,
}

/// One answer. Every write waits while the client does not read, so that nothing piles up here.
#[derive(Debug)]
pub struct Reply {
    half: WriteHalf,
    /// Bytes to go out with the next write: a head waits for the first part of its body.
    pending: Vec<u8>,
    stage: Stage,
    is_http_10: bool,
    /// The request was `HEAD`: its answer is a head alone, whatever length that tells.
    is_head_only: bool,
    close: bool,
    /// The command ends the connection, not the client or we: Go writes that at another place.
    command_closes: bool,
}

impl Reply {
    /// `close`: the connection ends after this answer, and the head must say so.
    #[must_use]
    pub fn new(half: WriteHalf, is_http_10: bool, close: bool) -> Self {
        Self {
            half,
            pending: Vec::new(),
            stage: Stage::Waiting,
            is_http_10,
            is_head_only: false,
            close,
            command_closes: false,
        }
    }

    /// Fits it to the request's method: a body after the answer to `HEAD` would be taken for the
    /// next answer.
    #[must_use]
    pub fn to_method(mut self, method: &[u8]) -> Self {
        self.is_head_only = method == b"HEAD";
        self
    }

    /// How far it has come.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether the connection ends after this answer.
    #[must_use]
    pub fn closes(&self) -> bool {
        self.close
    }

    /// The connection shall end after this answer; call it before the head.
    pub fn close_after(&mut self) {
        self.close = true;
    }

    /// As [`Self::close_after`], where Kubo's command itself would say so.
    pub fn close_by_command(&mut self) {
        self.close = true;
        self.command_closes = true;
    }

    /// Starts an answer whose body comes in chunks, with trailers at its end if the client speaks
    /// HTTP/1.1. `fields`: all but `Connection`, `Date` and framing, sorted by name as Kubo has
    /// them, with `Trailer` where one may come. Nothing is sent before the first chunk or the end.
    pub fn head(&mut self, status: u16, fields: &[Line<'_>]) {
        // Without chunks the end of the connection is the end of the body.
        self.close |= self.is_http_10;
        self.push_head(status, fields, None);
        if !self.is_http_10 {
            self.pending.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        }
        self.pending.extend_from_slice(b"\r\n");
    }

    /// Sends the head now, where the body may be long in coming.
    ///
    /// # Errors
    /// The client is gone. Not cancel-safe.
    pub async fn flush(&mut self) -> io::Result<()> {
        let pending = std::mem::take(&mut self.pending);
        self.send(&pending).await
    }

    /// Sends a part of the body at once.
    ///
    /// # Errors
    /// The client is gone. Not cancel-safe: a part may have been written.
    pub async fn chunk(&mut self, data: &[u8]) -> io::Result<()> {
        self.push_chunk(data);
        self.flush().await
    }

    /// Sends the trailers and ends the body.
    ///
    /// # Errors
    /// The client is gone. Not cancel-safe.
    pub async fn end(&mut self, trailers: &[Line<'_>]) -> io::Result<()> {
        self.last(&[], trailers).await
    }

    /// Sends the last part of the body, the trailers and the end in one write.
    ///
    /// # Errors
    /// The client is gone. Not cancel-safe.
    pub async fn last(&mut self, data: &[u8], trailers: &[Line<'_>]) -> io::Result<()> {
        self.push_chunk(data);
        if !self.is_http_10 && !self.is_head_only {
            self.pending.extend_from_slice(b"0\r\n");
            for (name, value) in trailers {
                push_line(&mut self.pending, name, value);
            }
            self.pending.extend_from_slice(b"\r\n");
        }
        self.flush().await?;
        self.stage = Stage::Ended;
        Ok(())
    }

    /// Sends a whole answer with its length, in one write. `fields` as for [`Self::head`].
    ///
    /// # Errors
    /// The client is gone. Not cancel-safe.
    pub async fn whole(&mut self, status: u16, fields: &[Line<'_>], body: &[u8]) -> io::Result<()> {
        self.push_head(status, fields, (status != 204).then_some(body.len()));
        self.pending.extend_from_slice(b"\r\n");
        if !self.is_head_only {
            self.pending.extend_from_slice(body);
        }
        self.flush().await?;
        self.stage = Stage::Ended;
        Ok(())
    }

    /// Refuses what could not be read as a request, in the form of Go's server: without date and
    /// length; the end of the connection is the end of the body. `status` is code and words.
    ///
    /// # Errors
    /// The client is gone. Not cancel-safe.
    pub async fn refuse(&mut self, status: &str, body: &str) -> io::Result<()> {
        self.close = true;
        self.stage = Stage::Open;
        let fields = "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n";
        let body = if self.is_head_only { "" } else { body };
        let answer = format!("HTTP/1.1 {status}\r\n{fields}\r\n{body}");
        self.send(answer.as_bytes()).await?;
        self.stage = Stage::Ended;
        Ok(())
    }

    /// Sends `100 Continue` if nothing was sent yet.
    ///
    /// # Errors
    /// The client is gone.
    pub async fn go_on(&mut self) -> io::Result<()> {
        if self.stage == Stage::Waiting && !self.is_http_10 {
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        Ok(())
    }

    /// Breaks the answer off: the client sees a reset, never a clean end.
    pub fn abort(&mut self) {
        self.stage = Stage::Broken;
    }

    /// The half, for bytes that are passed on as they are; say when they end with
    /// [`Self::raw_started`] and [`Self::raw_ended`].
    pub(crate) fn raw(&mut self) -> &mut WriteHalf {
        &mut self.half
    }

    /// Bytes of a final answer went out through [`Self::raw`].
    pub(crate) fn raw_started(&mut self) {
        self.stage = Stage::Open;
    }

    /// The answer that went out through [`Self::raw`] is whole.
    pub(crate) fn raw_ended(&mut self) {
        self.stage = Stage::Ended;
    }

    /// The half, for the next answer.
    pub(crate) fn into_half(self) -> WriteHalf {
        self.half
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sent = async {
            self.half.write_all(bytes).await?;
            self.half.flush().await
        };
        let sent = sent.await;
        if sent.is_err() {
            self.stage = Stage::Broken;
        }
        sent
    }

    fn push_head(&mut self, status: u16, fields: &[Line<'_>], length: Option<usize>) {
        debug_assert_eq!(self.stage, Stage::Waiting, "an answer has one head");
        self.stage = Stage::Open;
        let version = if self.is_http_10 { "HTTP/1.0" } else { "HTTP/1.1" };
        let reason = hyper::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason());
        let start = format!("{version} {status} {}\r\n", reason.unwrap_or(""));
        self.pending.extend_from_slice(start.as_bytes());
        let by_command: Option<Line<'_>> =
            self.command_closes.then_some(("Connection", b"close".as_slice()));
        let split = fields.partition_point(|(name, _)| *name < "Connection");
        for (name, value) in fields[..split].iter().chain(by_command.iter()).chain(&fields[split..])
        {
            push_line(&mut self.pending, name, value);
        }
        push_date(&mut self.pending);
        if let Some(length) = length {
            push_field(&mut self.pending, b"Content-Length", length.to_string().as_bytes());
        }
        if let Some((name, value)) = self.connection().filter(|_| !self.command_closes) {
            push_field(&mut self.pending, name.as_bytes(), value);
        }
    }

    /// What the head says about the connection, if anything.
    pub(crate) fn connection(&self) -> Option<Line<'static>> {
        match (self.close, self.is_http_10) {
            (true, false) => Some(("Connection", b"close")),
            // Closing is the rule there; Go's server says nothing.
            (true, true) => None,
            (false, true) => Some(("Connection", b"keep-alive")),
            (false, false) => None,
        }
    }

    fn push_chunk(&mut self, data: &[u8]) {
        debug_assert_eq!(self.stage, Stage::Open, "a body follows a head");
        // An empty chunk would end the body.
        if data.is_empty() || self.is_head_only {
            return;
        }
        if self.is_http_10 {
            self.pending.extend_from_slice(data);
            return;
        }
        self.pending.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
        self.pending.extend_from_slice(data);
        self.pending.extend_from_slice(b"\r\n");
    }
}

/// Writes a field on one line, as Go does: line ends in the value become blanks, as they would
/// split the answer.
fn push_line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    let start = out.len();
    push_field(out, name.as_bytes(), value);
    let line = start..out.len() - b"\r\n".len();
    out[line].iter_mut().filter(|b| matches!(b, b'\r' | b'\n')).for_each(|b| *b = b' ');
}

thread_local! {
    /// The second that was last written out, and its text.
    static DATE: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
}

fn push_date(out: &mut Vec<u8>) {
    DATE.with_borrow_mut(|(second, text)| {
        let now = Timestamp::now();
        if *second != now.as_second() {
            *second = now.as_second();
            *text = DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap_or_default();
        }
        push_field(out, b"Date", text.as_bytes());
    });
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::UnixStream;

    use super::*;
    use crate::stream;

    #[tokio::test]
    async fn values_and_trailers_stay_on_their_line() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let (read, write) = stream::unix(ours);
        let mut reply = Reply::new(write, false, true);
        reply.head(200, &[("X-Cluster-Missing", b"a\r\nSet-Cookie: b")]);
        reply.end(&[("X-Stream-Error", b"c\nd")]).await.unwrap();
        drop((reply, read));
        let mut text = String::new();
        theirs.read_to_string(&mut text).await.unwrap();
        assert!(text.contains("\r\nX-Cluster-Missing: a  Set-Cookie: b\r\n"), "{text}");
        assert!(text.ends_with("\r\nX-Stream-Error: c d\r\n\r\n"), "{text}");
    }
}

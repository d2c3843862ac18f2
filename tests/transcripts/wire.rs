//! Sends a request as bytes on a connection of its own and describes the answer as it came.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::time::Duration;

use serde::Deserialize;

use crate::case::{Request, decode};

/// So long an answer may take, on the slowest machine.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);
/// A connection that Kubo closed after its answer is closed within this time.
const CLOSED_WITHIN: Duration = Duration::from_secs(20);
/// One that Kubo kept open is watched for so long, as in the recording.
const OPEN_FOR: Duration = Duration::from_millis(80);

/// An answer, recorded or seen.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Answer {
    pub(crate) error: Option<String>,
    pub(crate) status: u16,
    pub(crate) proto: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) framing: String,
    pub(crate) body: String,
    pub(crate) trailers: Vec<(String, String)>,
    pub(crate) truncated: bool,
    /// Whether the connection was closed after the answer; `None` does not count.
    pub(crate) closed: Option<bool>,
}

/// A listener on this machine.
#[derive(Debug)]
pub(crate) struct Target {
    port: u16,
}

impl Target {
    pub(crate) fn local(port: u16) -> Self {
        Self { port }
    }

    /// Sends the request and reads the answer; a failure is part of it. `closes` tells whether Kubo
    /// closed the connection afterwards; `None` when nobody wants to know.
    pub(crate) fn exchange(&self, request: &Request, closes: Option<bool>) -> Answer {
        let mut answer = Answer::default();
        if let Err(error) = self.try_exchange(request, closes, &mut answer) {
            answer.error = Some(error.to_string());
        }
        self.scrub(answer)
    }

    fn try_exchange(
        &self,
        request: &Request,
        closes: Option<bool>,
        answer: &mut Answer,
    ) -> io::Result<()> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        stream.set_write_timeout(Some(ANSWER_WITHIN))?;
        // Refused in the middle of an upload, the answer is read all the same.
        let _sent = (&stream).write_all(&self.bytes(request));
        if request.half_close {
            stream.shutdown(Shutdown::Write)?;
        }
        let mut reader = Reader { stream: &stream, buffer: Vec::new() };
        loop {
            let start = reader.line()?;
            answer.headers = reader.headers()?;
            let mut words = start.splitn(3, ' ');
            answer.proto = words.next().unwrap_or_default().to_owned();
            answer.status = words.next().and_then(|code| code.parse().ok()).unwrap_or(0);
            if !(100..200).contains(&answer.status) {
                break;
            }
        }
        let body = reader.body(request, answer);
        match body {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => answer.truncated = true,
            Err(error) => return Err(error),
        }
        let Some(closes) = closes else { return Ok(()) };
        stream.set_read_timeout(Some(if closes { CLOSED_WITHIN } else { OPEN_FOR }))?;
        answer.closed = Some(match (&stream).read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => {
                !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
            }
        });
        Ok(())
    }

    fn bytes(&self, request: &Request) -> Vec<u8> {
        if let Some(raw) = &request.raw_b64 {
            let raw: String = decode(raw).into_iter().map(char::from).collect();
            return self.filled(&raw).chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
        }
        let body = request.body();
        let has = |name: &str| request.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        let mut headers: Vec<(String, String)> = Vec::new();
        if !has("host") {
            headers.push(("Host".to_owned(), self.host()));
        }
        headers.extend(request.headers.iter().map(|(n, v)| (n.clone(), self.filled(v))));
        if !has("user-agent") {
            headers.push(("User-Agent".to_owned(), "contract-recorder/1".to_owned()));
        }
        headers.retain(|(_, value)| value != "\0omit");
        let carries = matches!(request.method.as_str(), "POST" | "PUT" | "PATCH");
        if (body.is_some() || carries) && !has("content-length") {
            let length = body.as_ref().map_or(0, Vec::len);
            headers.push(("Content-Length".to_owned(), length.to_string()));
        }
        let http = request.http.as_deref().unwrap_or("1.1");
        let mut out = format!("{} {} HTTP/{http}\r\n", request.method, self.filled(&request.path));
        for (name, value) in headers {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut out = (out + "\r\n").into_bytes();
        out.extend(body.unwrap_or_default());
        out
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn filled(&self, text: &str) -> String {
        text.replace("{host}", &self.host()).replace("{port}", &self.port.to_string())
    }

    /// Takes out what belongs to this target, as the recording does.
    fn scrub(&self, mut answer: Answer) -> Answer {
        let scrubbed = |text: &str| {
            let mut text = text.replace(&self.host(), "<HOST>");
            for name in ["localhost", "[::1]"] {
                text = text.replace(&format!("{name}:{}", self.port), &format!("{name}:<PORT>"));
            }
            text
        };
        answer.body = repository(&scrubbed(&answer.body));
        for (_, value) in &mut answer.headers {
            *value = scrubbed(value);
        }
        answer
    }
}

/// The body with the repository's path taken out.
fn repository(body: &str) -> String {
    for (mark, end) in [("\"RepoPath\":\"", '"'), ("RepoPath:   ", '\n')] {
        if let Some(at) = body.find(mark) {
            let start = at + mark.len();
            let length = body[start..].find(end).unwrap_or(body.len() - start);
            return format!("{}<REPO>{}", &body[..start], &body[start + length..]);
        }
    }
    body.to_owned()
}

struct Reader<'a> {
    stream: &'a TcpStream,
    buffer: Vec<u8>,
}

impl Reader<'_> {
    fn fill(&mut self) -> io::Result<()> {
        let mut part = [0; 65536];
        let count = self.stream.read(&mut part)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.buffer.extend_from_slice(&part[..count]);
        Ok(())
    }

    fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < count {
            self.fill()?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.take(end + 1)?;
                let line: String = line.into_iter().map(char::from).collect();
                return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
            }
            self.fill()?;
        }
    }

    fn headers(&mut self) -> io::Result<Vec<(String, String)>> {
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(headers);
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    fn body(&mut self, request: &Request, answer: &mut Answer) -> io::Result<()> {
        let header = |name: &str| {
            let found = answer.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone())
        };
        let (length, coding) = (header("content-length"), header("transfer-encoding"));
        let mut body = Vec::new();
        let read = if request.method == "HEAD" || matches!(answer.status, 204 | 304) {
            answer.framing = "none".to_owned();
            Ok(())
        } else if coding.as_deref() == Some("chunked") {
            answer.framing = "chunked".to_owned();
            self.chunks(&mut body).map(|trailers| answer.trailers = trailers)
        } else if let Some(length) = length.and_then(|length| length.parse().ok()) {
            answer.framing = "length".to_owned();
            self.take(length).map(|whole| body = whole)
        } else {
            answer.framing = "eof".to_owned();
            while self.fill().is_ok() {}
            body = std::mem::take(&mut self.buffer);
            Ok(())
        };
        answer.body = String::from_utf8_lossy(&body).into_owned();
        read
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> io::Result<Vec<(String, String)>> {
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
            if size == 0 {
                return self.headers();
            }
            body.extend(self.take(size)?);
            self.line()?;
        }
    }
}

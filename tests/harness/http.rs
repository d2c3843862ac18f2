//! A raw HTTP/1.1 client: it shows what is on the wire, and hides nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::HarnessError;
use crate::stream::Stream;

/// Where requests go.
#[derive(Debug, Clone)]
pub enum Client {
    /// A port on 127.0.0.1.
    Tcp(u16),
    /// A Unix socket.
    Unix(PathBuf),
}

/// A complete answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Header lines in their order, as they were written.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
    /// Trailer lines.
    pub trailers: Vec<(String, String)>,
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The first header of this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

fn find<'a>(lines: &'a [(String, String)], name: &str) -> Option<&'a str> {
    lines.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

impl Client {
    /// A client of a port on 127.0.0.1.
    #[must_use]
    pub fn tcp(port: u16) -> Self {
        Self::Tcp(port)
    }

    /// A client of a Unix socket.
    #[must_use]
    pub fn unix(path: &Path) -> Self {
        Self::Unix(path.to_owned())
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// When nobody accepts.
    pub fn connect(&self) -> Result<Connection, HarnessError> {
        let connected = match self {
            Self::Tcp(port) => Stream::tcp(*port),
            Self::Unix(path) => Stream::unix(path),
        };
        let attempt = || HarnessError::io(format!("connect to {self:?}"));
        let reader = connected.map_err(attempt())?;
        let writer = reader.try_clone().map_err(attempt())?;
        Ok(Connection { reader: BufReader::new(reader), writer: Upload { stream: writer } })
    }

    /// One POST without a body, on a connection of its own.
    ///
    /// # Errors
    /// When the connection fails or the answer makes no sense.
    pub fn post(&self, target: &str) -> Result<Answer, HarnessError> {
        self.call("POST", target, "")
    }

    /// One request without a body, on a connection of its own; `headers` are whole lines, each
    /// with its CR LF.
    ///
    /// # Errors
    /// When the connection fails or the answer makes no sense.
    pub fn call(&self, method: &str, target: &str, headers: &str) -> Result<Answer, HarnessError> {
        let mut connection = self.connect()?;
        connection.send(
            format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")
                .as_bytes(),
        )?;
        connection.answer(method == "HEAD")
    }
}

/// One connection; requests are written and answers read as the test pleases.
#[derive(Debug)]
pub struct Connection {
    reader: BufReader<Stream>,
    writer: Upload,
}

/// The way from us to the server, for writing while the answer is read.
#[derive(Debug)]
pub struct Upload {
    stream: Stream,
}

impl Upload {
    /// Writes bytes as they are.
    ///
    /// # Errors
    /// When the other side has gone, or takes nothing for long.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), HarnessError> {
        self.stream.write_all(bytes).map_err(HarnessError::io("send a request"))
    }
}

impl Connection {
    /// Writes bytes as they are.
    ///
    /// # Errors
    /// As [`Upload::send`].
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), HarnessError> {
        self.writer.send(bytes)
    }

    /// A second handle to write with.
    ///
    /// # Errors
    /// When the process has too many descriptors.
    pub fn uploader(&self) -> Result<Upload, HarnessError> {
        let stream = self.writer.stream.try_clone();
        Ok(Upload { stream: stream.map_err(HarnessError::io("share a connection"))? })
    }

    /// Reads one answer whole; `headless` when the request was HEAD.
    ///
    /// # Errors
    /// When it is cut off or malformed.
    pub fn answer(&mut self, headless: bool) -> Result<Answer, HarnessError> {
        let (status, headers) = self.head()?;
        let mut answer = Answer { status, headers, body: Vec::new(), trailers: Vec::new() };
        if headless || matches!(status, 100..=199 | 204 | 304) {
            return Ok(answer);
        }
        if find(&answer.headers, "Transfer-Encoding").is_some() {
            while let Some(mut chunk) = self.chunk()? {
                answer.body.append(&mut chunk);
            }
            answer.trailers = self.lines()?;
        } else if let Some(length) = find(&answer.headers, "Content-Length") {
            let length: usize = length.parse().map_err(|_| malformed("a length", length))?;
            answer.body = self.exactly(length)?;
        } else {
            self.reader.read_to_end(&mut answer.body).map_err(HarnessError::io("read a body"))?;
        }
        Ok(answer)
    }

    /// Reads the status line and the headers; the body stays on the wire.
    ///
    /// # Errors
    /// When they are cut off or malformed.
    pub fn head(&mut self) -> Result<(u16, Vec<(String, String)>), HarnessError> {
        let line = self.line()?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| malformed("a status line", &line))?;
        Ok((status, self.lines()?))
    }

    /// Reads one chunk of a chunked body; `None` at its end, before the trailers.
    ///
    /// # Errors
    /// When it is cut off or malformed.
    pub fn chunk(&mut self) -> Result<Option<Vec<u8>>, HarnessError> {
        let line = self.line()?;
        let size =
            usize::from_str_radix(&line, 16).map_err(|_| malformed("a chunk size", &line))?;
        if size == 0 {
            return Ok(None);
        }
        let chunk = self.exactly(size)?;
        match self.line()?.as_str() {
            "" => Ok(Some(chunk)),
            other => Err(malformed("the end of a chunk", other)),
        }
    }

    /// Reads the trailers, once [`Connection::chunk`] has given the end.
    ///
    /// # Errors
    /// When they are cut off or malformed.
    pub fn trailers(&mut self) -> Result<Vec<(String, String)>, HarnessError> {
        self.lines()
    }

    /// Header or trailer lines up to and with the empty one.
    fn lines(&mut self) -> Result<Vec<(String, String)>, HarnessError> {
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(lines);
            }
            let (name, value) = line.split_once(':').ok_or_else(|| malformed("a header", &line))?;
            lines.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    fn line(&mut self) -> Result<String, HarnessError> {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line).map_err(HarnessError::io("read a line"))?;
        match line.strip_suffix(b"\r\n") {
            Some(text) => Ok(String::from_utf8_lossy(text).into_owned()),
            None => Err(malformed("a line", &String::from_utf8_lossy(&line))),
        }
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>, HarnessError> {
        let mut bytes = vec![0; length];
        self.reader.read_exact(&mut bytes).map_err(HarnessError::io("read a body"))?;
        Ok(bytes)
    }
}

fn malformed(what: &'static str, found: &str) -> HarnessError {
    HarnessError::Unreadable { what, found: format!("{found:?}") }
}

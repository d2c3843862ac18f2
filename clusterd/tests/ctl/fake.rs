//! Plays clusterd on a socket of its own, and runs clusterdctl against it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Plays clusterd: `answer` gets the request line and writes what it likes, then the connection ends.
pub(crate) struct Fake {
    socket: PathBuf,
    _dir: tempfile::TempDir,
}

impl Fake {
    pub(crate) fn new(answer: impl Fn(&str, &mut UnixStream) + Send + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("control.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let head = head(&stream);
                answer(head.lines().next().unwrap_or_default(), &mut stream);
            }
        });
        Self { socket, _dir: dir }
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clusterdctl"));
        command.arg("--socket").arg(&self.socket).args(words).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        Ran::from(self.command(words).output().unwrap())
    }
}

/// Reads a request and gives its head. A streamed body is read to its end, as an answer that cuts a
/// client's writing short may never be read.
fn head(stream: &UnixStream) -> String {
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let head = lines.by_ref().take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    if head.to_lowercase().contains("transfer-encoding: chunked") {
        lines.by_ref().find(|line| line == "0");
    }
    head
}

/// How a run of clusterdctl ended.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Answers with a body of known length.
pub(crate) fn reply(stream: &mut UnixStream, status: u16, body: &str) {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all((head + body).as_bytes()).unwrap();
}

/// Writes a piece of an answer that began with [`CHUNKED`].
pub(crate) fn chunk(stream: &mut UnixStream, body: &str) -> std::io::Result<()> {
    write!(stream, "{:x}\r\n{body}\r\n", body.len())
}

/// The head of an answer in pieces.
pub(crate) const CHUNKED: &[u8] =
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";

//! A scripted clusterd behind proxyd.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc;

use crate::stage::DEADLINE;

/// Calls that no test has asked about yet.
const CALLS_MAX: usize = 64;

/// Plays clusterd on its proxy socket, to the test's end: one call a connection.
pub(crate) struct Clusterd {
    directory: tempfile::TempDir,
    calls: mpsc::Receiver<String>,
}

impl Clusterd {
    /// `answer` gives status and body for the first line of each call.
    pub(crate) fn answering(
        answer: impl Fn(&str) -> (&'static str, String) + Send + 'static,
    ) -> Self {
        Self::playing(move |line, stream| {
            let (status, body) = answer(line);
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
        })
    }

    /// `play` writes the answer to each call, of which it gets the first line.
    pub(crate) fn playing(
        play: impl Fn(&str, &mut UnixStream) -> std::io::Result<()> + Send + 'static,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("c.sock")).unwrap();
        let (told, calls) = mpsc::sync_channel(CALLS_MAX);
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let mut head = [0; 4096];
                let count = stream.read(&mut head).unwrap_or(0);
                let head = String::from_utf8_lossy(&head[..count]).into_owned();
                let line = head.lines().next().unwrap_or_default();
                // Whoever has left needs no answer.
                drop(play(line, &mut stream));
                if told.send(line.to_owned()).is_err() {
                    return;
                }
            }
        });
        Self { directory, calls }
    }

    /// The line of the configuration that leads to it.
    pub(crate) fn setting(&self) -> String {
        format!("cluster = \"{}\"", self.directory.path().join("c.sock").display())
    }

    /// The first line of the next call.
    pub(crate) fn asked(&self) -> String {
        self.calls.recv_timeout(DEADLINE).unwrap()
    }
}

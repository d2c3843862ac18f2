//! An upload as a multipart form that is read as it is sent, in the shape that Kubo's clients give it.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use common::api::client::Body;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use indicatif::ProgressBar;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::super::failure::Failure;
use super::files::{Content, Entry};

/// Bytes read from a file at a time.
const PIECE_BYTES: usize = 256 << 10;

/// Why an upload had to be broken off, for who waits for its answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Broken(Arc<Mutex<Option<Failure>>>);

impl Broken {
    /// The failure, if there was one.
    pub(super) fn take(&self) -> Option<Failure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, path: &Path, error: &io::Error) -> io::Error {
        let (kind, words) = (error.kind(), error.to_string());
        let source = io::Error::new(kind, words.clone());
        let failure = Failure::File { attempt: "read", path: path.to_owned(), source };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
        io::Error::new(kind, words)
    }
}

/// A form of these entries, and its `Content-Type`. `bar` is told the bytes of files as they go.
pub(super) fn form(entries: Vec<Entry>, bar: ProgressBar, broken: Broken) -> (String, Body) {
    // Drawn anew each time: who made a file cannot know what would end its part.
    let random = RandomState::new();
    let boundary = format!("clusterdctl-{:016x}{:016x}", random.hash_one(0), random.hash_one(1));
    let content_type = format!("multipart/form-data; boundary={boundary}");
    let sending = Sending {
        entries: entries.into_iter(),
        boundary,
        open: None,
        is_first: true,
        is_over: false,
        bar,
        broken,
    };
    let pieces = stream::unfold(sending, |mut sending| async {
        let piece = sending.next().await.transpose()?;
        Some((piece.map(Frame::data), sending))
    });
    (content_type, StreamBody::new(pieces).boxed_unsync())
}

type Open = (std::path::PathBuf, Box<dyn AsyncRead + Send + Unpin>);

struct Sending {
    entries: std::vec::IntoIter<Entry>,
    boundary: String,
    open: Option<Open>,
    is_first: bool,
    is_over: bool,
    bar: ProgressBar,
    broken: Broken,
}

impl Sending {
    /// The next piece of the form; a failing read breaks the call off, so that what came before it is
    /// never taken for all.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if let Some((path, file)) = &mut self.open {
            let mut piece = BytesMut::with_capacity(PIECE_BYTES);
            match file.read_buf(&mut piece).await {
                Ok(0) => self.open = None,
                Ok(bytes) => {
                    self.bar.inc(bytes as u64);
                    return Ok(Some(piece.freeze()));
                }
                Err(error) => return Err(self.broken.note(path, &error)),
            }
        }
        match self.entries.next() {
            Some(entry) => self.part(entry).await.map(Some),
            None if self.is_over => Ok(None),
            None => {
                self.is_over = true;
                Ok(Some(format!("\r\n--{}--\r\n", self.boundary).into()))
            }
        }
    }

    /// The head of an entry's part, and its content where that is short.
    async fn part(&mut self, entry: Entry) -> io::Result<Bytes> {
        let (kind, content) = match entry.content {
            Content::Directory => ("application/x-directory", Vec::new()),
            Content::Link(target) => ("application/symlink", target),
            Content::Stdin => {
                self.open = Some(("standard input".into(), Box::new(tokio::io::stdin())));
                ("application/octet-stream", Vec::new())
            }
            Content::File(path, _) => {
                let opened = tokio::fs::File::open(&path).await;
                let file = opened.map_err(|error| self.broken.note(&path, &error))?;
                self.open = Some((path, Box::new(file)));
                ("application/octet-stream", Vec::new())
            }
        };
        let before = if std::mem::take(&mut self.is_first) { "" } else { "\r\n" };
        let head = format!(
            "{before}--{}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\n\
             Content-Type: {kind}\r\n\r\n",
            self.boundary,
            percent_encode(&entry.name, NON_ALPHANUMERIC)
        );
        Ok([head.as_bytes(), &content].concat().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sent(entries: Vec<Entry>) -> (Result<String, String>, Option<Failure>) {
        let broken = Broken::default();
        let (kind, body) = form(entries, ProgressBar::hidden(), broken.clone());
        let (_, boundary) = kind.split_once("boundary=").unwrap();
        let text = match body.collect().await {
            Ok(body) => {
                Ok(String::from_utf8(body.to_bytes().to_vec()).unwrap().replace(boundary, "B"))
            }
            Err(error) => Err(error.to_string()),
        };
        (text, broken.take())
    }

    fn entry(name: &str, content: Content) -> Entry {
        Entry { name: name.as_bytes().to_vec(), content }
    }

    #[tokio::test]
    async fn entries_become_parts_as_kubo_reads_them() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "content").unwrap();
        let entries = vec![
            entry("a b", Content::Directory),
            entry("a b/f", Content::File(file.path().to_owned(), 7)),
            entry("a b/l", Content::Link(b"f".to_vec())),
        ];
        let part = |name: &str, kind: &str, content: &str| {
            format!(
                "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
                 Content-Type: application/{kind}\r\n\r\n{content}\r\n"
            )
        };
        let expected = part("a%20b", "x-directory", "")
            + &part("a%20b%2Ff", "octet-stream", "content")
            + &part("a%20b%2Fl", "symlink", "f")
            + "--B--\r\n";
        assert_eq!(sent(entries).await.0, Ok(expected));
    }

    #[tokio::test]
    async fn a_file_that_is_gone_breaks_the_upload_off_and_is_named() {
        let gone = Content::File("/nonexistent/file".into(), 1);
        let (sent, failure) = sent(vec![entry("f", gone)]).await;
        assert!(sent.is_err());
        assert!(failure.unwrap().to_string().contains("/nonexistent/file"));
    }
}

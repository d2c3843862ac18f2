//! The body of an upload on its way through: a bounded pipe from the client to Kubo.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use common::ids::Cid;
use common::kubo::car;
use common::kubo::multipart::FirstPart;
use futures_util::{StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Pieces that wait for a slow Kubo; each is as large as a read from the client's socket.
const PIECES_WAITING_MAX: usize = 2;

/// So long what Kubo does not take any more is read and dropped: a client whose writing is cut short may
/// never read why.
const DRAIN_MAX: Duration = Duration::from_secs(30);

/// Bytes of the beginning that are kept: name and roots of a CAR file are in them.
const START_BYTES: usize = 8 << 10;

/// An upload that is being passed on.
pub(super) struct Passing {
    pump: JoinHandle<()>,
    start: Start,
    boundary: String,
}

/// What goes through the pipe. Without its end said, a form counts as broken off.
enum Piece {
    Bytes(Bytes),
    Broken(io::Error),
    End,
}

fn form(pieces: mpsc::Receiver<Piece>) -> UnsyncBoxBody<Bytes, io::Error> {
    let frames = stream::unfold(Some(pieces), |pieces| async move {
        let mut pieces = pieces?;
        match pieces.recv().await {
            Some(Piece::Bytes(bytes)) => Some((Ok(Frame::data(bytes)), Some(pieces))),
            Some(Piece::End) => None,
            Some(Piece::Broken(error)) => Some((Err(error), None)),
            None => Some((Err(io::ErrorKind::UnexpectedEof.into()), None)),
        }
    });
    StreamBody::new(frames).boxed_unsync()
}

/// The beginning of what has passed.
type Start = Arc<Mutex<Vec<u8>>>;

impl Passing {
    /// Begins to pass a form on; what comes out goes to Kubo.
    pub(super) fn begin(body: Body, boundary: &str) -> (Self, UnsyncBoxBody<Bytes, io::Error>) {
        let (to, pieces) = mpsc::channel(PIECES_WAITING_MAX);
        let start = Start::default();
        let pump = tokio::spawn(pump(body.into_data_stream(), to, Arc::clone(&start)));
        (Self { pump, start, boundary: boundary.to_owned() }, form(pieces))
    }

    /// The name of its first file, and the roots of that where it is a CAR file.
    pub(super) fn first_file(&self) -> (String, Vec<Cid>) {
        let start = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        match FirstPart::read(&start, &self.boundary) {
            Some(part) => (part.name, car::roots(part.content).unwrap_or_default()),
            None => Default::default(),
        }
    }

    /// Waits until the client has sent all, or has left, or is too slow with what nobody wants.
    pub(super) async fn drained(self) {
        // A panic there has been reported; the answer is what matters here.
        drop(self.pump.await);
    }
}

/// Reads what is left of a body that is refused.
pub(super) async fn drain(body: Body) {
    drop(tokio::time::timeout(DRAIN_MAX, read_away(body.into_data_stream())).await);
}

async fn read_away(mut from: BodyDataStream) {
    while let Some(Ok(_)) = from.next().await {}
}

async fn pump(mut from: BodyDataStream, to: mpsc::Sender<Piece>, start: Start) {
    loop {
        match from.next().await {
            Some(Ok(piece)) => {
                keep(&start, &piece);
                if to.send(Piece::Bytes(piece)).await.is_err() {
                    drop(tokio::time::timeout(DRAIN_MAX, read_away(from)).await);
                    return;
                }
            }
            // A body that breaks off is not one that ends. Kubo may be gone before either.
            Some(Err(error)) => return drop(to.send(Piece::Broken(io::Error::other(error))).await),
            None => return drop(to.send(Piece::End).await),
        }
    }
}

fn keep(start: &Start, piece: &[u8]) {
    let mut start = start.lock().unwrap_or_else(PoisonError::into_inner);
    let room = START_BYTES.saturating_sub(start.len());
    start.extend_from_slice(&piece[..piece.len().min(room)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "--b\r\nContent-Disposition: form-data; filename=\"x.car\"\r\n\r\n";

    fn body(pieces: Vec<Result<&'static [u8], io::Error>>) -> Body {
        Body::from_stream(stream::iter(pieces))
    }

    #[tokio::test]
    async fn all_goes_through_and_the_first_name_is_seen() {
        let (first, rest) = HEAD.as_bytes().split_at(20);
        let (passing, out) = Passing::begin(body(vec![Ok(first), Ok(rest), Ok(b"content")]), "b");
        let bytes = out.collect().await.unwrap().to_bytes();
        assert_eq!(bytes, format!("{HEAD}content"));
        assert_eq!(passing.first_file(), ("x.car".to_owned(), Vec::new()));
        passing.drained().await;
    }

    #[tokio::test]
    async fn a_client_that_leaves_never_looks_like_an_end() {
        let gone = Err(io::ErrorKind::ConnectionReset.into());
        let (passing, out) = Passing::begin(body(vec![Ok(b"--b"), gone]), "b");
        assert!(out.collect().await.is_err());
        passing.drained().await;
    }

    #[tokio::test]
    async fn what_kubo_does_not_take_is_read_away() {
        let pieces = (0..100).map(|_| Ok(&b"more"[..])).collect();
        let (passing, out) = Passing::begin(body(pieces), "b");
        drop(out);
        passing.drained().await;
    }
}

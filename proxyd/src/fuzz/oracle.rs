//! The second reader of HTTP: hyper's server and client, driven by hand over bytes in memory.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::service::service_fn;
use hyper::{Request, Response};

/// A message as a reader understood it: what was asked, and the whole body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Method and target of a request, or the status of an answer.
    pub(super) start: String,
    /// The body without framing.
    pub(super) body: Vec<u8>,
}

/// A connection whose other side has sent `bytes` and closed, and takes whatever it gets.
struct Wire {
    bytes: Vec<u8>,
    at: usize,
    piece_max: usize,
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut room: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let end = (self.at + self.piece_max.min(room.remaining())).min(self.bytes.len());
        room.put_slice(&self.bytes[self.at..end]);
        self.at = end;
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Polls until it is ready; with all bytes at hand that is a matter of a few polls.
fn drive<F: Future + Unpin>(mut future: F, polls_max: usize) -> Option<F::Output> {
    let mut context = Context::from_waker(Waker::noop());
    (0..polls_max).find_map(|_| match Pin::new(&mut future).poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

/// The requests that hyper's server reads whole from a connection, up to the first that it refuses.
pub(super) fn requests(bytes: &[u8], piece_max: usize) -> Vec<Seen> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let service = service_fn(|request: Request<Incoming>| {
        let seen = Arc::clone(&seen);
        async move {
            let start = format!("{} {}", request.method(), request.uri());
            if let Ok(body) = request.into_body().collect().await {
                seen.lock().unwrap().push(Seen { start, body: body.to_bytes().to_vec() });
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let wire = Wire { bytes: bytes.to_vec(), at: 0, piece_max };
    let polls_max = 50 + bytes.len();
    let connection = hyper::server::conn::http1::Builder::new()
        .header_read_timeout(None)
        .pipeline_flush(true)
        .serve_connection(wire, service);
    // A refused request ends the connection with an error: what came before it counts.
    drop(drive(connection, polls_max).expect("hyper's server hangs"));
    seen.lock().unwrap().clone()
}

/// The answer that hyper's client reads whole from a connection after a request with `method`.
pub(super) fn answer(bytes: &[u8], method: &str, piece_max: usize) -> Option<Seen> {
    let wire = Wire { bytes: bytes.to_vec(), at: 0, piece_max };
    let exchange = async {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(wire).await.ok()?;
        let request = Request::builder().method(method).uri("/").header("Host", "h");
        let asked = async {
            let answer =
                sender.send_request(request.body(Empty::<Bytes>::new()).ok()?).await.ok()?;
            let start = answer.status().as_u16().to_string();
            let body = answer.into_body().collect().await.ok()?;
            Some(Seen { start, body: body.to_bytes().to_vec() })
        };
        let (_, seen) = futures_util::future::join(connection, asked).await;
        seen
    };
    drive(Box::pin(exchange), 50 + bytes.len()).flatten()
}

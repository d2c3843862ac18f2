//! One client connection: request after request, until one side ends it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::Worker;
use super::seat::Seated;
use crate::dispatch;
use crate::exchange::{Body, Door, Exchange};
use crate::h1::head::HeadError;
use crate::h1::reader::{NoHead, Reader};
use crate::h1::refusal;
use crate::h1::reply::{Reply, Stage};
use crate::stream::{ReadHalf, WriteHalf};

/// So long a client may go on sending after an answer that came before its request was read. To
/// close at once would reset the connection, and the reset would destroy the answer.
const LINGER_MAX: Duration = Duration::from_secs(1);

/// How a connection goes on after an exchange.
enum Next {
    Request(Reader, WriteHalf),
    Close(Reader, WriteHalf),
    Cut(Option<Reader>),
}

/// Serves a connection to its end.
pub(crate) async fn serve(
    (read, mut write): (ReadHalf, WriteHalf),
    (door, client): (Door, Option<SocketAddr>),
    worker: Arc<Worker>,
    seat: Seated,
) {
    let mut reader = Reader::new(read);
    while let Some(head) = seat.next_request(&mut reader).await {
        let head = match head {
            Ok(head) => head,
            Err(NoHead::Refused(error)) => return refuse(reader, write, error).await,
            Err(NoHead::Ended) => break,
            Err(NoHead::Cut(_)) => return,
        };
        let exchange = Box::new(Exchange {
            reply: Reply::new(write, head.is_http_10(), head.wants_close() || seat.must_leave())
                .to_method(head.method()),
            body: Some(Body::of(&head, reader)),
            id: worker.next_id(),
            worker: Arc::clone(&worker),
            head,
            door,
            client,
        });
        // Boxed, so that an idle connection does not hold the room of a busy one.
        match Box::pin(answer(exchange)).await {
            Next::Request(r, w) => (reader, write) = (r, w),
            Next::Close(r, w) => return close(r, w).await,
            Next::Cut(reader) => {
                if let Some(reader) = reader {
                    reader.reset_on_close();
                }
                return;
            }
        }
    }
    // The client's end, or ours at a drain; TLS says so, if the client still takes it.
    drop(tokio::time::timeout(LINGER_MAX, write.shutdown()).await);
}

async fn answer(mut exchange: Box<Exchange>) -> Next {
    dispatch::serve(&mut exchange).await;
    let (stage, closes) = (exchange.reply.stage(), exchange.reply.closes());
    debug_assert_ne!(stage, Stage::Waiting, "every request is answered");
    match (stage, exchange.into_halves()) {
        (Stage::Ended, Some((body, write))) if closes => Next::Close(body.reader, write),
        (Stage::Ended, Some((body, write))) => Next::Request(body.reader, write),
        (Stage::Waiting | Stage::Open | Stage::Broken | Stage::Ended, halves) => {
            Next::Cut(halves.map(|(body, _)| body.reader))
        }
    }
}

async fn refuse(reader: Reader, write: WriteHalf, error: HeadError) {
    tracing::debug!(%error, "request head refused");
    let mut reply = Reply::new(write, false, true);
    if refusal::refuse_head(&mut reply, error).await.is_ok() {
        close(reader, reply.into_half()).await;
    }
}

/// Ends the connection so that the last answer arrives.
async fn close(mut reader: Reader, mut write: WriteHalf) {
    let ended = async {
        if write.shutdown().await.is_err() {
            return;
        }
        while !reader.has_ended() {
            let count = reader.buffer.bytes().len();
            reader.buffer.consume(count);
            if reader.fill().await.is_err() {
                return;
            }
        }
    };
    // Past the limit the client is cut; it has had its answer for that long.
    drop(tokio::time::timeout(LINGER_MAX, ended).await);
}

//! Passes a request to Kubo and the answer back, untouched, both ways at once.

mod answer;
mod observe;
mod pump;
mod repeat;
mod upload;

use std::pin::pin;
use std::sync::Arc;

use crate::cluster::Unpinned;
use crate::exchange::Exchange;
use crate::h1::chunked::ChunkError;
use crate::h1::head::{HeadError, RequestHead};
use crate::h1::refusal;
use crate::h1::reply::Stage;
use crate::upstream::{Connection, Upstream, UpstreamError};

pub use observe::{ObserveError, Observed, observe};

use answer::AnswerEnd;
use upload::{Opening, Progress, UploadEnd};

/// What is changed on the way; nearly always nothing.
#[derive(Debug, Clone, Default)]
pub struct Edits {
    /// Another target.
    pub target: Option<Vec<u8>>,
    /// Other values for fields of the request.
    pub request: Vec<(&'static str, Vec<u8>)>,
    /// Where `Access-Control-Allow-Origin` of the answer is the first, it becomes the second.
    pub answer_origin: Option<(Vec<u8>, Vec<u8>)>,
    /// Where the client's chunks are garbled, Kubo gets chunks that are broken in the same way, of our
    /// own making, and answers in its own words. Else they are refused here, with 400.
    pub kubo_refuses: bool,
    /// Told of an answer of status 200 before the client sees it.
    pub unpinned: Option<Arc<Unpinned>>,
}

/// Passes the request on and the answer back. Whatever happens, the client gets an answer or a
/// reset. Not cancel-safe: dropping it cuts the exchange.
pub async fn forward(exchange: &mut Exchange, edits: &Edits) {
    let upstream = Arc::clone(&exchange.worker.upstream);
    let opening = match opening(exchange, edits, RequestHead::copy_onward) {
        Ok(opening) => opening,
        Err(error) => return refuse_chunks(exchange, error).await,
    };
    let mut connection = match upstream.take().await {
        Ok(connection) => connection,
        Err(error) => return fail(exchange, &error).await,
    };
    let harmless = exchange.body_is_read() && repeat::is_harmless(&exchange.head);
    let mut end = attempt(exchange, &upstream, &mut connection, &opening, edits).await;
    // Only a kept connection may have been stale; a new one that ends without an answer is news.
    if let End::Answer(AnswerEnd::None(UpstreamError::Lost { .. })) = &end
        && connection.reused
        && harmless
    {
        connection = match upstream.connect().await {
            Ok(connection) => connection,
            Err(error) => return fail(exchange, &error).await,
        };
        end = attempt(exchange, &upstream, &mut connection, &opening, edits).await;
    }
    match end {
        End::Answer(AnswerEnd::Whole { reusable }) => {
            if reusable {
                upstream.put_back(connection);
            }
        }
        End::Answer(AnswerEnd::None(error)) => fail(exchange, &error).await,
        End::Answer(AnswerEnd::Cut) => exchange.reply.abort(),
        End::Upload(error) => refuse_chunks(exchange, error).await,
    }
}

/// How an attempt ended: by the answer, or by garbled chunks of the client.
enum End {
    Answer(AnswerEnd),
    Upload(ChunkError),
}

/// Sends the request and passes the answer back, at the same time: Kubo may answer before it has
/// read everything, and a client may leave before the answer.
async fn attempt(
    exchange: &mut Exchange,
    upstream: &Upstream,
    connection: &mut Connection,
    opening: &Opening,
    edits: &Edits,
) -> End {
    let Some(body) = exchange.body.as_mut() else {
        return End::Answer(AnswerEnd::Cut);
    };
    let mut progress = Progress::default();
    let mut end = {
        let mut sending = true;
        let mut upload = pin!(upload::run(opening, body, &mut connection.write, &mut progress));
        let reading = &mut connection.reader;
        let mut answer = pin!(answer::run(
            &exchange.head,
            reading,
            &mut exchange.reply,
            edits,
            &exchange.worker
        ));
        loop {
            tokio::select! {
                biased;
                end = &mut answer => break End::Answer(end.named(upstream)),
                end = &mut upload, if sending => match end {
                    UploadEnd::Garbled(error) => break End::Upload(error),
                    // Kubo may have answered all the same.
                    UploadEnd::NotTaken | UploadEnd::ClientGone => sending = false,
                },
            }
        }
    };
    if !progress.all_sent {
        // The rest of the body stands between this request and a next one.
        exchange.reply.close_after();
    }
    if let End::Answer(AnswerEnd::Whole { reusable }) = &mut end {
        *reusable &= progress.all_sent && !progress.closed;
    }
    end
}

/// Writes a request's head for Kubo: with this target and these values in place of its own.
type CopyHead = fn(&RequestHead, &mut Vec<u8>, Option<&[u8]>, &[(&str, &[u8])]);

/// The request's head as Kubo gets it, with the body bytes that came along.
fn opening(exchange: &mut Exchange, edits: &Edits, copy: CopyHead) -> Result<Opening, ChunkError> {
    let at_hand = exchange.body.as_ref().map_or(0, |body| body.reader.buffer.bytes().len());
    let mut out = Vec::with_capacity(exchange.head.length() + at_hand);
    let replace: Vec<(&str, &[u8])> =
        edits.request.iter().map(|(name, value)| (*name, value.as_slice())).collect();
    copy(&exchange.head, &mut out, edits.target.as_deref(), &replace);
    if let Some(body) = &mut exchange.body {
        let (count, fault) = body.rest.skip_good(body.reader.buffer.bytes());
        if let Some(fault) = fault.filter(|_| !edits.kubo_refuses) {
            return Err(fault);
        }
        out.extend_from_slice(&body.reader.buffer.bytes()[..count]);
        body.reader.buffer.consume(count);
    }
    Ok(Opening { bytes: out, kubo_refuses: edits.kubo_refuses })
}

/// Tells the client that Kubo cannot be asked.
async fn fail(exchange: &mut Exchange, error: &UpstreamError) {
    tracing::debug!(request_id = %exchange.id, %error, "request could not be passed on");
    exchange.settle_connection();
    if refusal::fail(&mut exchange.reply, error.status(), &error.to_string()).await.is_err() {
        exchange.reply.abort();
    }
}

/// Tells the client that its chunks are garbled, if it has not seen another answer.
async fn refuse_chunks(exchange: &mut Exchange, error: ChunkError) {
    tracing::debug!(request_id = %exchange.id, %error, "request body refused");
    let words = HeadError::Malformed("chunked body");
    if exchange.reply.stage() != Stage::Waiting
        || refusal::refuse_head(&mut exchange.reply, words).await.is_err()
    {
        exchange.reply.abort();
    }
}

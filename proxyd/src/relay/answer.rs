//! The way of Kubo's answer to the client: interim answers, head, body, trailers.

use super::Edits;
use super::pump::{Pumped, pump, send};
use crate::h1::body::Rest;
use crate::h1::framing::Framing;
use crate::h1::head::{HeadError, RequestHead, ResponseHead};
use crate::h1::reader::{NoHead, Reader};
use crate::h1::reply::{Line, Reply};
use crate::server::Worker;
use crate::upstream::{Upstream, UpstreamError};

/// How the answer's way ended.
pub(crate) enum AnswerEnd<E = UpstreamError> {
    /// The client has all of it.
    Whole {
        /// The connection to Kubo is good for another request.
        reusable: bool,
    },
    /// There is no answer that can be passed on; the client has seen nothing.
    None(E),
    /// It broke off on either side.
    Cut,
}

impl AnswerEnd<NoHead> {
    /// With the address of the Kubo that gave no answer.
    pub(crate) fn named(self, upstream: &Upstream) -> AnswerEnd {
        match self {
            Self::Whole { reusable } => AnswerEnd::Whole { reusable },
            Self::None(cause) => AnswerEnd::None(upstream.no_answer(cause)),
            Self::Cut => AnswerEnd::Cut,
        }
    }
}

/// Passes the answer on as it comes.
pub(crate) async fn run(
    request: &RequestHead,
    reader: &mut Reader,
    reply: &mut Reply,
    edits: &Edits,
    worker: &Worker,
) -> AnswerEnd<NoHead> {
    let head = match final_head(request, reader, reply).await {
        Ok(head) => head,
        Err(Some(cause)) => return AnswerEnd::None(cause),
        Err(None) => return AnswerEnd::Cut,
    };
    // Kubo never does; a client of HTTP/1.0 could not read it.
    if request.is_http_10() && head.framing() == Framing::Chunked {
        return AnswerEnd::None(NoHead::Refused(HeadError::Malformed("chunks to HTTP/1.0")));
    }
    if let Some(unpinned) = edits.unpinned.as_ref().filter(|_| head.status() == 200) {
        unpinned.tell().await;
    }
    if worker.is_draining() || head.wants_close() || head.framing() == Framing::UntilClose {
        reply.close_after();
    }
    let mut out = Vec::with_capacity(head.length() + reader.buffer.bytes().len());
    let origin = origin_edit(&head, edits);
    head.copy_onward(&mut out, origin.as_slice(), reply.connection().map(|(_, value)| value));
    let mut rest = Rest::from(head.framing());
    let Ok(count) = rest.skip(reader.buffer.bytes()) else {
        return AnswerEnd::None(NoHead::Refused(HeadError::Malformed("chunked body")));
    };
    out.extend_from_slice(&reader.buffer.bytes()[..count]);
    reader.buffer.consume(count);
    reply.raw_started();
    if send(reply.raw(), &out).await.is_err() {
        return AnswerEnd::Cut;
    }
    drop(out);
    if !rest.is_done() {
        match pump(reader, &mut rest, reply.raw()).await {
            Pumped::Whole => {}
            Pumped::Cut | Pumped::NotTaken | Pumped::Garbled(_) => return AnswerEnd::Cut,
        }
    }
    reply.raw_ended();
    AnswerEnd::Whole { reusable: is_reusable(request, &head) }
}

/// Reads heads up to the final one; interim ones go to the client as they come. `None`: it is gone.
pub(crate) async fn final_head(
    request: &RequestHead,
    reader: &mut Reader,
    reply: &mut Reply,
) -> Result<ResponseHead, Option<NoHead>> {
    loop {
        let head = reader.response_head(request.method()).await.map_err(Some)?;
        if head.status() == 101 {
            // `Upgrade` does not go onward, so nobody asked for it.
            return Err(Some(NoHead::Refused(HeadError::Malformed("switching protocols"))));
        }
        if !head.is_interim() {
            return Ok(head);
        }
        // Clients of HTTP/1.0 do not know interim answers.
        if !request.is_http_10() {
            let mut out = Vec::with_capacity(head.length());
            head.copy_onward(&mut out, &[], None);
            send(reply.raw(), &out).await.map_err(|_| None)?;
        }
    }
}

/// Whether the connection to Kubo is good for another request after this answer.
pub(crate) fn is_reusable(request: &RequestHead, head: &ResponseHead) -> bool {
    !head.wants_close()
        && head.framing() != Framing::UntilClose
        // After it the connection might be a tunnel.
        && request.method() != b"CONNECT"
}

fn origin_edit<'a>(head: &ResponseHead, edits: &'a Edits) -> Option<Line<'a>> {
    const NAME: &str = "Access-Control-Allow-Origin";
    let (from, to) = edits.answer_origin.as_ref()?;
    (head.header(NAME) == Some(from)).then_some((NAME, to.as_slice()))
}

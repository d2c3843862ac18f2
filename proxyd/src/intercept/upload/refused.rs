//! Uploads that Kubo refused, or did not answer, or that are refused here.

use std::io;

use common::kubo::value::Encoding;
use serde::Deserialize;

use super::super::Context;
use super::fields;
use crate::exchange::Exchange;
use crate::guard::Verdict;
use crate::h1::reply::Line;
use crate::relay::{Edits, ObserveError, Observed};
use crate::reply::{self, Answer};

/// Kubo's error answers are a line.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// An error of Kubo's, as it puts it in JSON.
#[derive(Deserialize)]
struct KuboError {
    #[serde(rename = "Message")]
    message: String,
}

/// Shows an answer that is no success: as it is, but for the encoding that the client asked for.
pub(super) async fn show_error(
    exchange: &mut Exchange,
    edits: &Edits,
    encoding: Encoding,
    mut observed: Observed,
) -> io::Result<()> {
    let mut body = Vec::new();
    while let Some(part) = observed.chunk().await.map_err(io::Error::other)? {
        if body.len() + part.len() > ERROR_BYTES_MAX {
            return Err(io::Error::other("Kubo's error answer is too long"));
        }
        body.extend_from_slice(&part);
    }
    let in_json = observed.head.header("Content-Type") == Some(b"application/json");
    let mut content_type = None;
    if in_json
        && encoding != Encoding::Json
        && let Ok(error) = serde_json::from_slice::<KuboError>(&body)
    {
        body = reply::error_body(encoding, &error.message);
        content_type = Some(encoding.error_content_type());
    }
    let fields = fields(&observed, edits, content_type);
    let status = observed.head.status();
    let announced = observed.head.header("Trailer").is_some();
    observed.finish(exchange).await;
    let lines: Vec<Line<'_>> = fields.iter().map(|(n, v)| (n.as_str(), v.as_slice())).collect();
    if !announced {
        return exchange.reply.whole(status, &lines, &body).await;
    }
    exchange.reply.head(status, &lines);
    exchange.reply.last(&body, &[]).await
}

/// Refuses an upload that could not be pinned, before Kubo takes it in. Kubo's rules come first.
pub(super) async fn forbidden(
    exchange: &mut Exchange,
    context: &Context,
    encoding: Encoding,
    words: &str,
) -> io::Result<()> {
    let headers = match context.guard.admit(exchange).await {
        Ok(Verdict::Admitted(headers)) => headers,
        Ok(Verdict::Refused(refusal)) => return refusal.send(exchange).await,
        Err(error) => {
            return reply::unavailable(exchange, error.status(), &error.to_string()).await;
        }
    };
    reply::settle_body(exchange).await;
    Answer::new(exchange, headers, encoding).fail(words).await
}

/// Answers when Kubo did not.
pub(super) async fn unanswered(exchange: &mut Exchange, error: ObserveError) -> io::Result<()> {
    match error {
        ObserveError::Upstream(error) => {
            reply::unavailable(exchange, error.status(), &error.to_string()).await
        }
        ObserveError::Garbled(error) => reply::unavailable(exchange, 500, &error.to_string()).await,
        ObserveError::Answer(_) | ObserveError::ClientGone => {
            Err(io::ErrorKind::ConnectionAborted.into())
        }
    }
}

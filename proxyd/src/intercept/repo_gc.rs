//! `repo/gc`: garbage collection on every peer, streamed as it happens.

use std::io;

use common::api::proxy::RepoGcEvent;
use common::kubo::value::{Encoding, Record, Value, field, optional};

use super::Context;
use super::request::Request;
use super::request::limit::{DEADLINE_EXCEEDED, Stop};
use crate::reply::{Answer, Shape};

/// Error texts kept for the trailer of a run without `stream-errors`; a header holds no more.
const ERRORS_KEPT_MAX: usize = 32;
/// Kubo's words at the end of a run with `stream-errors` that met some.
const ERRORS_MET: &str = "encountered errors during gc run";

/// Answers the request.
///
/// # Errors
/// The client is gone; peers finish what they began.
pub(crate) async fn serve(
    request: &Request,
    mut answer: Answer<'_>,
    context: &Context,
) -> io::Result<()> {
    let streams_errors = request.options.is_set("stream-errors");
    let silent = request.options.is_set("silent");
    let quiet = request.options.is_set("quiet");
    let asked = context.cluster.repo_gc();
    let mut garbage = match request.in_time(answer.exchange, asked).await {
        Ok(garbage) => garbage,
        Err(Stop::Gone(error)) => return Err(error),
        Err(Stop::Words(words)) => return answer.fail(&words).await,
    };
    let mut errors: Vec<String> = Vec::new();
    loop {
        let object = match request.in_time(answer.exchange, garbage.next()).await {
            // Kubo itself is not silent with stream-errors, but in its text form.
            Ok(RepoGcEvent::Removed(_)) if silent && !streams_errors => continue,
            Ok(RepoGcEvent::Removed(cid)) => render(answer.encoding, Some(cid), "", quiet, silent),
            // A peer's Kubo says so at its end; here it is said once, at the end of all.
            Ok(RepoGcEvent::Error { message, .. }) if message == ERRORS_MET => continue,
            Ok(RepoGcEvent::Error { peer, message }) => {
                let words = format!("{peer}: {message}");
                let object = render(answer.encoding, None, &words, quiet, silent);
                if errors.len() < ERRORS_KEPT_MAX {
                    errors.push(words);
                }
                if !streams_errors {
                    continue;
                }
                object
            }
            Ok(RepoGcEvent::Done) => break,
            Err(Stop::Gone(error)) => return Err(error),
            Err(Stop::Words(words)) if words == DEADLINE_EXCEEDED => {
                return answer.fail_unmistakably(&words).await;
            }
            Err(Stop::Words(words)) => {
                if streams_errors {
                    let object = render(answer.encoding, None, &words, quiet, silent);
                    answer.emit(&object).await?;
                }
                errors.push(words);
                break;
            }
        };
        answer.emit(&object).await?;
    }
    match (errors.is_empty(), streams_errors) {
        (true, _) => {
            if !answer.has_begun() {
                answer.begin(Shape::Stream);
            }
            answer.end(b"").await
        }
        // Each has had its line, so that a client which does not look here knows as well.
        (false, true) => answer.fail(ERRORS_MET).await,
        (false, false) => answer.fail_unmistakably(&errors.join("; ")).await,
    }
}

fn render(
    encoding: Encoding,
    cid: Option<String>,
    error: &str,
    quiet: bool,
    silent: bool,
) -> Vec<u8> {
    if encoding == Encoding::Text {
        return match cid {
            _ if silent => Vec::new(),
            Some(cid) if quiet => format!("{cid}\n").into_bytes(),
            Some(cid) => format!("removed {cid}\n").into_bytes(),
            None => format!("Error: {error}\n").into_bytes(),
        };
    }
    let record = Record {
        name: "GcResult",
        fields: vec![
            field("Key", Value::Link(cid)),
            optional("Error", Value::Text(error.to_owned())),
        ],
    };
    let mut out = Vec::new();
    record.render(encoding, &mut out);
    out
}

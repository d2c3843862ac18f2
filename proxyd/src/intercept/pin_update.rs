//! `pin/update`: replaces a recursive pin by another in the cluster.

use std::io;

use common::api::proxy::PinUpdate;

use super::request::Request;
use super::request::limit::{DEADLINE_EXCEEDED, Stop};
use super::{Context, pin_rm};
use crate::reply::Answer;

/// Answers the request.
///
/// # Errors
/// The client is gone.
pub(crate) async fn serve(
    request: &Request,
    answer: Answer<'_>,
    context: &Context,
) -> io::Result<()> {
    let base = match request.cid_base() {
        Ok(base) => base,
        Err(words) => return answer.fail(&words).await,
    };
    // Kubo ignores a third argument; the first two are there, or it would not have come this far.
    let mut args = request.options.args.iter().cloned();
    let wanted = PinUpdate {
        from: args.next().unwrap_or_default(),
        to: args.next().unwrap_or_default(),
        unpin: request.options.flag("unpin") != Some(false),
        request_id: answer.exchange.id.to_string(),
        timeout_ms: request.timeout_ms(),
        fast_provide: request.fast_provide(),
    };
    let limit = request.limit_of_clusterd(DEADLINE_EXCEEDED);
    match limit.bound_for(answer.exchange, context.cluster.pin_update(&wanted)).await {
        Ok(pins) => {
            let object = pin_rm::render(answer.encoding, base, &pins, |pins| match pins {
                [from, to, ..] => format!("updated {from} to {to}\n"),
                _ => String::new(),
            });
            answer.single(&object).await
        }
        Err(Stop::Gone(error)) => Err(error),
        Err(Stop::Words(words)) => answer.fail(&words).await,
    }
}

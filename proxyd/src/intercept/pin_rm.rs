//! `pin/rm`: unpins every argument in the cluster.

use std::io;

use common::api::proxy::PinRm;
use common::kubo::cid_base::CidBase;
use common::kubo::value::{Encoding, Record, Value, field};

use super::Context;
use super::request::Request;
use super::request::limit::{DEADLINE_EXCEEDED, Stop};
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
    let (args, base) = match request.all_args().and_then(|args| Ok((args, request.cid_base()?))) {
        Ok(read) => read,
        Err(words) => return answer.fail(&words).await,
    };
    let wanted = PinRm {
        args,
        recursive: request.options.flag("recursive") != Some(false),
        request_id: answer.exchange.id.to_string(),
        timeout_ms: request.timeout_ms(),
    };
    let limit = request.limit_of_clusterd(DEADLINE_EXCEEDED);
    match limit.bound_for(answer.exchange, context.cluster.pin_rm(&wanted)).await {
        Ok(pins) => {
            let object = render(answer.encoding, base, &pins, |pins| {
                pins.iter().map(|pin| format!("unpinned {pin}\n")).collect()
            });
            answer.single(&object).await
        }
        Err(Stop::Gone(error)) => Err(error),
        Err(Stop::Words(words)) => answer.fail(&words).await,
    }
}

/// Kubo's `PinOutput`; `text` words the command's own text form.
pub(crate) fn render(
    encoding: Encoding,
    base: CidBase,
    pins: &[String],
    text: impl FnOnce(&[String]) -> String,
) -> Vec<u8> {
    let pins: Vec<String> = pins.iter().map(|pin| base.rewrite(pin)).collect();
    if encoding == Encoding::Text {
        return text(&pins).into_bytes();
    }
    let mut out = Vec::new();
    Record { name: "PinOutput", fields: vec![field("Pins", Value::Texts(pins))] }
        .render(encoding, &mut out);
    out
}

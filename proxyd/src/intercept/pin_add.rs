//! `pin/add`: pins every argument in the cluster and answers when they are pinned.

use std::io;
use std::time::Duration;

use common::api::proxy::{PinAdd, PinAddEvent};
use common::ids::PinName;
use common::kubo::cid_base::CidBase;
use common::kubo::value::{Encoding, Record, Value, optional};
use common::pin::PinMode;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::Context;
use super::request::Request;
use super::request::limit::{DEADLINE_EXCEEDED, Limit, PIN_DEADLINE_EXCEEDED, Stop};
use crate::cluster::PinWait;
use crate::reply::Answer;

/// Kubo tells the progress this often.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// Answers the request.
///
/// # Errors
/// The client is gone; its pins stay accepted.
pub(crate) async fn serve(
    request: &Request,
    answer: Answer<'_>,
    context: &Context,
) -> io::Result<()> {
    let (wanted, base) = match wanted(request, context) {
        Ok(wanted) => wanted,
        Err(words) => return answer.fail(&words).await,
    };
    let directly = wanted.mode == PinMode::Direct;
    let wait = context.cluster.pin_add(wanted, request.deadline);
    let limit = request.limit_of_clusterd(PIN_DEADLINE_EXCEEDED);
    let output = Output { encoding: answer.encoding, base, directly };
    if request.options.is_set("progress") {
        return with_progress(wait, limit, answer, &output).await;
    }
    match limit.bound_for(answer.exchange, wait.end()).await {
        Ok(pins) => answer.single(&output.render(&pins, 0, 0)).await,
        Err(Stop::Gone(error)) => Err(error),
        Err(Stop::Words(words)) => answer.fail(&words).await,
    }
}

/// Checks in Kubo's order: name, arguments in the body, base.
fn wanted(request: &Request, context: &Context) -> Result<(PinAdd, CidBase), String> {
    let options = &request.options;
    let name = PinName::new(options.text("name").unwrap_or_default().to_owned())
        .map_err(|error| error.to_string())?
        .into_string();
    let args = request.all_args()?;
    let base = request.cid_base()?;
    let mode = match options.flag("recursive") {
        Some(false) => PinMode::Direct,
        Some(true) | None => PinMode::Recursive,
    };
    let wanted = PinAdd {
        args,
        mode,
        name: (!name.is_empty()).then_some(name),
        accepted: context.accepted,
        timeout_ms: None,
        offline: request.is_offline(),
        local: false,
        if_held: false,
        fast_provide: request.fast_provide(),
        request_id: None,
        again: false,
        progress: options.is_set("progress"),
    };
    Ok((wanted, base))
}

/// Streams the progress, then the pins.
async fn with_progress(
    mut wait: PinWait,
    limit: Limit,
    mut answer: Answer<'_>,
    output: &Output,
) -> io::Result<()> {
    let mut ticks = interval_at(Instant::now() + PROGRESS_EVERY, PROGRESS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut nodes_now, mut bytes_now) = (0, 0);
    loop {
        // One wait for the next event lives through all ticks: it is not cancel-safe.
        let next = wait.next();
        tokio::pin!(next);
        let event = loop {
            tokio::select! {
                // What has come counts, also on a machine that is late with everything.
                biased;
                event = &mut next => break event,
                _ = ticks.tick() => {
                    answer.emit(&output.render(&[], nodes_now, bytes_now)).await?;
                }
                stop = limit.stop(answer.exchange) => match stop {
                    Stop::Gone(error) => return Err(error),
                    Stop::Words(words) => break Err(words),
                },
            }
        };
        match event {
            Ok(PinAddEvent::Accepted) => {}
            Ok(PinAddEvent::Progress { nodes, bytes }) => (nodes_now, bytes_now) = (nodes, bytes),
            Ok(PinAddEvent::Pinned(pins)) => {
                let mut last = Vec::new();
                if nodes_now > 0 {
                    last = output.render(&[], nodes_now, bytes_now);
                }
                last.extend_from_slice(&output.render(&pins, 0, 0));
                return answer.end(&last).await;
            }
            Ok(PinAddEvent::Error(error)) => return fail_late(answer, &error.message).await,
            Err(words) => return fail_late(answer, &words).await,
        }
    }
}

/// Says that it is not pinned, also to a peer of a Go cluster.
async fn fail_late(answer: Answer<'_>, words: &str) -> io::Result<()> {
    // With progress Kubo meets the end of its time before the pin does.
    let words = if words.ends_with(DEADLINE_EXCEEDED) { DEADLINE_EXCEEDED } else { words };
    answer.fail_unmistakably(words).await
}

/// How objects of this answer are written.
struct Output {
    encoding: Encoding,
    base: CidBase,
    directly: bool,
}

impl Output {
    fn render(&self, pins: &[String], nodes: u64, bytes: u64) -> Vec<u8> {
        let mut out = Vec::new();
        if self.encoding == Encoding::Text {
            let how = if self.directly { "directly" } else { "recursively" };
            for pin in pins {
                out.extend_from_slice(
                    format!("pinned {} {how}\n", self.base.rewrite(pin)).as_bytes(),
                );
            }
            return out;
        }
        let pins = pins.iter().map(|pin| self.base.rewrite(pin)).collect();
        let record = Record {
            name: "AddPinOutput",
            fields: vec![
                optional("Pins", Value::Texts(pins)),
                optional("Progress", Value::Number(nodes, "int")),
                optional("Bytes", Value::Number(bytes, "uint64")),
            ],
        };
        record.render(self.encoding, &mut out);
        out
    }
}

//! `clusterdctl tree`: this cluster with the clusters and Kubos below it, and how far a pin is at each level.

use std::time::Duration;

use common::api;
use common::api::client::Call;
use common::api::tree::Tree;
use common::tree::{Styled, lines, svg};

use super::connection::Connection;
use super::failure::{Failure, code};
use super::health_args::TreeArgs;
use super::render::Output;

/// Longest time for those below to answer. Who does not is shown as unknown.
const WITHIN_MAX: Duration = Duration::from_secs(10);

pub(super) async fn tree(
    connection: &Connection,
    args: &TreeArgs,
    out: &mut Output,
) -> Result<u8, Failure> {
    if out.json() && args.svg {
        return Err(Failure::Usage("--json is another form than --svg".to_owned()));
    }
    // The answer itself has to get here in time, too.
    let within = connection.timeout().mul_f64(0.75).min(WITHIN_MAX).as_millis().to_string();
    let mut call = Call::new(api::TREE, &[]).query([("within_ms", within.as_str())]);
    if let Some(cid) = &args.cid {
        call = call.query([("cid", cid.as_str())]);
    }
    let tree: Tree = connection.ask(&call).await?;
    if out.json() {
        out.object(&tree)?;
    } else if args.svg {
        out.bytes(svg(&tree, Styled::Inside).as_bytes())?;
    } else {
        for line in lines(&tree) {
            out.line(line.branch + &line.words)?;
        }
    }
    let is_held = |tree: &Tree| {
        tree.pin.as_ref().is_some_and(|pin| pin.is_recorded && pin.held >= pin.needed.max(1))
    };
    match args.cid.is_none() || is_held(&tree) {
        true => Ok(code::OK),
        false => Ok(code::NOT_PINNED),
    }
}

//! `clusterdctl state heads`: how far this peer is with the replicated history.

use common::api;
use common::api::client::Call;
use common::api::composite::History;

use super::connection::Connection;
use super::failure::{Failure, code};
use super::render::Output;

pub(super) async fn heads(connection: &Connection, out: &mut Output) -> Result<u8, Failure> {
    let history: History = connection.ask(&Call::new(api::HISTORY, &[])).await?;
    if out.json() {
        out.object(&history)?;
        return Ok(code::OK);
    }
    for head in &history.heads {
        out.line(format!("{}  height {}", head.cid, head.height))?;
    }
    let state = match (history.fetching, history.missing) {
        (0, 0) => "all blocks are here".to_owned(),
        (fetching, 0) => format!("{fetching} blocks are being fetched"),
        (fetching, missing) => {
            format!("{missing} blocks are missing, {fetching} are being fetched")
        }
    };
    out.line(format!("{} heads; {state}", history.heads.len()))?;
    Ok(code::OK)
}

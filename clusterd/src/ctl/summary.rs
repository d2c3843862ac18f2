//! `clusterdctl summary`: counts and health in a few lines.

use common::api;
use common::api::client::Call;
use common::api::composite::Summary;

use super::connection::Connection;
use super::failure::{Failure, code};
use super::render::{Output, printable};

pub(super) async fn summary(connection: &Connection, out: &mut Output) -> Result<u8, Failure> {
    let summary: Summary = connection.ask(&Call::new(api::SUMMARY, &[])).await?;
    if out.json() {
        out.object(&summary)?;
        return Ok(code::OK);
    }
    out.line(format!("Peer        {}", printable(&summary.peername)))?;
    out.line(format!("Version     {}", printable(&summary.version)))?;
    out.line(format!("Pins        {}", summary.pins))?;
    for (status, pins) in &summary.unsettled {
        out.line(format!("  {:<9} {pins}", status.as_str()))?;
    }
    out.line(format!("Operations  {} running, {} waiting", summary.running, summary.waiting))?;
    let ipfs = match (summary.ipfs_reachable, summary.ipfs_error.as_str()) {
        (true, _) => "answers".to_owned(),
        (false, "") => "does not answer".to_owned(),
        (false, error) => format!("does not answer: {}", printable(error)),
    };
    out.line(format!("Kubo        {ipfs}"))?;
    Ok(code::OK)
}

/// The same in one line.
pub(super) fn headline(summary: &Summary) -> String {
    let mut parts = vec![
        printable(&summary.peername),
        format!("{} pins", summary.pins),
        format!("{} running", summary.running),
        format!("{} waiting", summary.waiting),
    ];
    for (status, pins) in &summary.unsettled {
        parts.push(format!("{pins} {}", status.as_str()));
    }
    if !summary.ipfs_reachable {
        parts.push("Kubo does not answer".to_owned());
    }
    parts.join(" · ")
}

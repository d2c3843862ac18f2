//! `clusterdctl status --watch`: a picture every two seconds.

use std::time::Duration;

use common::api;
use common::api::client::Call;
use common::api::pins::GlobalPinInfo;
use common::status::StatusFilter;

use super::args::StatusArgs;
use super::connection::Connection;
use super::failure::{Failure, code};
use super::render::Output;
use super::status::{listing, parse, show};
use super::summary;

/// Pause between two pictures of `--watch`.
const WATCH_EVERY: Duration = Duration::from_secs(2);
/// What `--watch` shows when nothing else is asked for: all that moves or fails.
const UNSETTLED: &str = "error,queued,pinning,unpinning,unexpectedly_unpinned";
/// Lines of a picture that are not rows: summary, empty line, header, "and more", prompt.
const LINES_AROUND: usize = 5;
/// Rows of a picture where the height of the terminal is unknown.
const ROWS_DEFAULT: usize = 20;

/// Shows a picture every two seconds, for ever. A clusterd that is away is shown, not fatal.
pub(super) async fn watch(
    connection: &Connection,
    args: &StatusArgs,
    filter: StatusFilter,
    out: &mut Output,
) -> Result<u8, Failure> {
    loop {
        let picture = picture(connection, args).await;
        if !out.json() {
            out.clear()?;
        }
        match picture {
            Ok((headline, infos, more)) => {
                if !out.json() {
                    out.line(format!("{headline}\n"))?;
                }
                show(&infos, filter, out)?;
                if more && !out.json() {
                    out.line("… and more")?;
                }
            }
            Err(failure @ Failure::Call(_)) if failure.code() != code::UNREACHABLE => {
                return Err(failure);
            }
            Err(failure) => out.line(format!("{failure}\nTrying again."))?,
        }
        out.flush()?;
        tokio::time::sleep(WATCH_EVERY).await;
    }
}

/// A headline, the pins that fit on the terminal, and whether there are more.
async fn picture(
    connection: &Connection,
    args: &StatusArgs,
) -> Result<(String, Vec<GlobalPinInfo>, bool), Failure> {
    let headline = summary::headline(&connection.ask(&Call::new(api::SUMMARY, &[])).await?);
    let mut infos = Vec::new();
    if !args.cids.is_empty() {
        for cid in &args.cids {
            infos.push(connection.status(cid, args.local).await?);
        }
        return Ok((headline, infos, false));
    }
    let words = args.filter.as_deref().unwrap_or(UNSETTLED);
    let height = terminal_size::terminal_size().map(|(_, height)| usize::from(height.0));
    let rows_max = height.map_or(ROWS_DEFAULT, |height| height.saturating_sub(LINES_AROUND));
    let mut lines = connection.lines(&listing(args, words)).await?;
    let mut rows = 0;
    while let Some(line) = connection.within(lines.next()).await? {
        let info = parse(&line)?;
        rows += info.peer_map.len();
        if rows > rows_max {
            // Dropping the lines ends the listing.
            return Ok((headline, infos, true));
        }
        infos.push(info);
    }
    Ok((headline, infos, false))
}

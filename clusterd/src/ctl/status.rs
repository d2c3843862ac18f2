//! `clusterdctl status` and `recover`: how far pins are, peer by peer.

use common::api;
use common::api::client::{Call, ClientError};
use common::api::pins::{GlobalPinInfo, PinJson};
use common::status::StatusFilter;

use super::args::{RecoverArgs, StatusArgs};
use super::connection::{Connection, with_local};
use super::failure::{Failure, code};
use super::pins::least;
use super::render::{Output, Rows, or_dash, size, time};
use super::wait::{Goal, Verdict, judge};

const HEADER: &[&str] = &["CID", "NAME", "PEER", "STATUS", "SINCE", "NOTE"];

pub(super) async fn status(
    connection: &Connection,
    args: &StatusArgs,
    out: &mut Output,
) -> Result<u8, Failure> {
    let words = args.filter.as_deref().unwrap_or_default();
    let filter = StatusFilter::parse(words).map_err(|word| Failure::filter(&word))?;
    if args.watch {
        return super::watch::watch(connection, args, filter, out).await;
    }
    if !args.cids.is_empty() {
        return by_cid(connection, args, filter, out).await;
    }
    let call = listing(args, words);
    let mut lines = connection.lines(&call).await?;
    let mut rows = Rows::new(HEADER);
    while let Some(line) = connection.within(lines.next()).await? {
        if out.json() { out.line(&line)? } else { add(&mut rows, &parse(&line)?, filter, out)? }
    }
    rows.end(out)?;
    Ok(code::OK)
}

pub(super) fn listing(args: &StatusArgs, words: &str) -> Call {
    let call = with_local(Call::new(api::STATUS_ALL, &[]), args.local);
    if words.is_empty() { call } else { call.query([("filter", words)]) }
}

pub(super) fn parse(line: &[u8]) -> Result<GlobalPinInfo, Failure> {
    serde_json::from_slice(line)
        .map_err(|e| ClientError::Unintelligible { reason: e.to_string() }.into())
}

/// Shows the named pins; the code says whether each is held by enough peers.
async fn by_cid(
    connection: &Connection,
    args: &StatusArgs,
    filter: StatusFilter,
    out: &mut Output,
) -> Result<u8, Failure> {
    let mut infos = Vec::with_capacity(args.cids.len());
    let mut worst = code::OK;
    for cid in &args.cids {
        let info = connection.status(cid, args.local).await?;
        let goal = Goal::Pinned(needed(connection, cid).await?);
        if judge(goal, &info) != Verdict::Reached {
            worst = code::NOT_PINNED;
        }
        infos.push(info);
    }
    show(&infos, filter, out)?;
    Ok(worst)
}

/// How many holders a pin needs; `None` for every peer, and for what is not in the pinset.
async fn needed(connection: &Connection, cid: &str) -> Result<Option<usize>, Failure> {
    match connection.ask::<PinJson>(&Call::new(api::ALLOCATION, &[cid])).await {
        Ok(record) => Ok(least(&record)),
        Err(failure) if failure.code() == code::NOT_PINNED => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Writes the states of some pins, of each only those that the filter admits.
pub(super) fn show<'a>(
    infos: impl IntoIterator<Item = &'a GlobalPinInfo>,
    filter: StatusFilter,
    out: &mut Output,
) -> Result<(), Failure> {
    let mut rows = Rows::new(HEADER);
    for info in infos {
        if out.json() { out.object(info)? } else { add(&mut rows, info, filter, out)? }
    }
    rows.end(out)?;
    Ok(())
}

fn add(
    rows: &mut Rows,
    info: &GlobalPinInfo,
    filter: StatusFilter,
    out: &mut Output,
) -> Result<(), Failure> {
    for (id, peer) in &info.peer_map {
        if !filter.admits(peer.status) {
            continue;
        }
        let mut note = peer.error.clone();
        if let Some(progress) = peer.progress {
            note = format!("{} nodes, {}", progress.nodes, size(progress.bytes));
        } else if peer.attempt_count > 0 && !note.is_empty() {
            note = format!("{note} (attempt {})", peer.attempt_count);
        }
        let name = if peer.peername.is_empty() { id.to_string() } else { peer.peername.clone() };
        rows.add(
            out,
            [
                info.cid.to_string(),
                or_dash(&info.name),
                name,
                peer.status.as_str().to_owned(),
                time(peer.timestamp),
                or_dash(&note),
            ],
        )?;
    }
    Ok(())
}

pub(super) async fn recover(
    connection: &Connection,
    args: &RecoverArgs,
    out: &mut Output,
) -> Result<u8, Failure> {
    let filter = StatusFilter::default();
    if !args.all && !args.cids.is_empty() {
        let mut infos = Vec::with_capacity(args.cids.len());
        for cid in &args.cids {
            let call = with_local(Call::new(api::RECOVER, &[cid]), args.local);
            infos.push(connection.ask(&call).await?);
        }
        show(&infos, filter, out)?;
        return Ok(code::OK);
    }
    let call = with_local(Call::new(api::RECOVER_ALL, &[]), args.local);
    let mut lines = connection.lines(&call).await?;
    let mut rows = Rows::new(HEADER);
    while let Some(line) = connection.within(lines.next()).await? {
        if out.json() { out.line(&line)? } else { add(&mut rows, &parse(&line)?, filter, out)? }
    }
    if rows.end(out)? == 0 && !out.json() {
        out.line("nothing has failed")?;
    }
    Ok(code::OK)
}

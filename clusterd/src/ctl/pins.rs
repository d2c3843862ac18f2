//! `clusterdctl pin …`: adds, removes, replaces and lists records of the pinset.

use std::time::Duration;

use common::api;
use common::api::Route;
use common::api::client::{Call, ClientError};
use common::api::pins::PinJson;
use common::ids::Cid;

use super::connection::Connection;
use super::failure::{Failure, code};
use super::pin_args::{PinAddArgs, PinRmArgs, PinUpdateArgs, WaitArgs};
use super::render::Output;
use super::status;
use super::wait::{Awaited, Goal, Verdict, wait};

/// Without `--wait` the status is looked at for so long: local content is pinned within it, and the
/// command says so.
const GLANCE: Duration = Duration::from_secs(1);

pub(super) async fn add(
    connection: &Connection,
    args: &PinAddArgs,
    out: &mut Output,
) -> Result<u8, Failure> {
    let query = args.options.options(now())?.to_query();
    let query = || query.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let call = |target: &str| Ok(call(target, [api::PIN, api::PIN_PATH])?.query(query()));
    let (records, code) = each(connection, &args.targets, out, call).await?;
    let waited = finish(connection, records, None, &args.wait, out).await?;
    Ok(code.max(waited))
}

pub(super) async fn remove(
    connection: &Connection,
    args: &PinRmArgs,
    out: &mut Output,
) -> Result<u8, Failure> {
    let call = |target: &str| call(target, [api::UNPIN, api::UNPIN_PATH]);
    let (records, code) = each(connection, &args.targets, out, call).await?;
    let waited = finish(connection, records, Some(Goal::Unpinned), &args.wait, out).await?;
    Ok(code.max(waited))
}

pub(super) async fn update(
    connection: &Connection,
    args: &PinUpdateArgs,
    out: &mut Output,
) -> Result<u8, Failure> {
    let query = args.options(now()).to_query();
    let query = query.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let call = call(&args.to, [api::PIN, api::PIN_PATH])?.query(query);
    let record: PinJson = connection.ask(&call).await?;
    let waiting = WaitArgs { wait: args.wait.wait || args.unpin, ..args.wait.clone() };
    let code = finish(connection, vec![record], None, &waiting, out).await?;
    // The old pin goes only when its blocks are surely kept by the new one.
    if args.unpin && code == code::OK {
        let from = args.from.to_string();
        connection.ask::<PinJson>(&Call::new(api::UNPIN, &[&from])).await?;
    }
    Ok(code)
}

/// Makes one call a target. A target that is refused is reported and the others go on; everything
/// else ends the command. Gives the records, and the code of the first refusal.
pub(super) async fn each(
    connection: &Connection,
    targets: &[String],
    out: &Output,
    call: impl Fn(&str) -> Result<Call, Failure>,
) -> Result<(Vec<PinJson>, u8), Failure> {
    // All are looked at before the first is sent: a slip of the pen changes nothing.
    let calls = targets.iter().map(|target| call(target)).collect::<Result<Vec<_>, _>>()?;
    let (mut records, mut code) = (Vec::new(), code::OK);
    for (target, call) in targets.iter().zip(&calls) {
        match connection.ask(call).await {
            Ok(record) => records.push(record),
            Err(Failure::Call(ClientError::Refused(mut error))) => {
                error.message = format!("{target}: {}", error.message);
                let failure = Failure::Call(ClientError::Refused(error));
                failure.report(out.json());
                code = if code == code::OK { failure.code() } else { code };
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok((records, code))
}

/// Waits as asked for, and shows what came of it. `goal` is `None` for each record's own minimum.
async fn finish(
    connection: &Connection,
    records: Vec<PinJson>,
    goal: Option<Goal>,
    args: &WaitArgs,
    out: &mut Output,
) -> Result<u8, Failure> {
    let mut pins = Vec::with_capacity(records.len());
    for record in &records {
        let cid = record.cid.map(|cid| cid.to_string()).unwrap_or_default();
        let goal = goal.unwrap_or_else(|| Goal::Pinned(args.wait_limit.or(least(record))));
        pins.push(Awaited::new(cid, goal));
    }
    if args.wait {
        let show = !out.json();
        tokio::select! {
            ended = wait(connection, &mut pins, args.wait_timeout, show) => ended?,
            _ = tokio::signal::ctrl_c() => {
                let words = "no longer waiting; the cluster goes on (clusterdctl status shows how far)";
                return Err(Failure::Interrupted(words.to_owned()));
            }
        }
    } else if !args.no_status {
        wait(connection, &mut pins, Some(GLANCE), false).await?;
    }
    if args.no_status {
        for (pin, record) in pins.iter().zip(&records) {
            if out.json() { out.object(record)? } else { out.line(&pin.cid)? }
        }
    } else {
        let infos = pins.iter().filter_map(|pin| pin.info.as_ref());
        status::show(infos, common::status::StatusFilter::default(), out)?;
    }
    out.flush()?;
    let open = |pin: &&Awaited| pin.verdict != Verdict::Reached;
    match pins.iter().find(open).filter(|_| args.wait) {
        None => Ok(code::OK),
        Some(pin) => Err(Failure::NotPinned(complaint(pin))),
    }
}

pub(super) fn complaint(pin: &Awaited) -> String {
    let Awaited { cid, goal, verdict, .. } = pin;
    match (goal, verdict) {
        (Goal::Pinned(_), Verdict::Failed(words)) => format!(
            "{cid} is not pinned: {words}\n\
             It stays accepted and is tried again; `clusterdctl pin rm {cid}` withdraws it."
        ),
        (Goal::Unpinned, Verdict::Failed(words)) => {
            format!("{cid} is unpinned, but a peer has not let go of it: {words}")
        }
        (Goal::Pinned(_) | Goal::Unpinned, Verdict::Open | Verdict::Reached) => {
            format!("{cid}: the time to wait is over; the cluster goes on")
        }
    }
}

/// How many holders make a record pinned; `None` for every peer.
pub(super) fn least(record: &PinJson) -> Option<usize> {
    usize::try_from(record.replication_factor_min).ok().filter(|least| *least > 0)
}

/// The call for a CID, or for a path below `/ipfs` or `/ipns`, or for `CID/path`.
fn call(target: &str, [by_cid, by_path]: [Route; 2]) -> Result<Call, Failure> {
    let wrong = |why: String| Failure::Usage(format!("{target:?} is no CID and no path: {why}"));
    if !target.contains('/') {
        let cid: Cid = target.parse().map_err(|e: common::ids::IdError| wrong(e.to_string()))?;
        return Ok(Call::new(by_cid, &[&cid.to_string()]));
    }
    let (kind, rest) = match target.strip_prefix('/') {
        Some(path) => path.split_once('/').unwrap_or((path, "")),
        None => ("ipfs", target),
    };
    match kind {
        "ipfs" | "ipns" if !rest.is_empty() => Ok(Call::new(by_path, &[kind, rest])),
        _ => Err(wrong("a path begins with /ipfs/ or /ipns/".to_owned())),
    }
}

pub(super) fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_cids_or_paths() {
        let cid = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPBdX";
        let routes = [api::PIN, api::PIN_PATH];
        for (target, path) in [
            (cid.to_owned(), format!("/pins/{cid}")),
            (format!("/ipfs/{cid}/a b"), format!("/pins/ipfs/{cid}%2Fa%20b")),
            (format!("{cid}/a"), format!("/pins/ipfs/{cid}%2Fa")),
            ("/ipns/example.org".to_owned(), "/pins/ipns/example.org".to_owned()),
        ] {
            assert!(format!("{:?}", call(&target, routes).unwrap()).contains(&path), "{target}");
        }
        for wrong in ["", "x", "/", "/ipfs", "/ipfs/", "/files/a", "--all"] {
            assert!(matches!(call(wrong, routes), Err(Failure::Usage(_))), "{wrong}");
        }
    }
}

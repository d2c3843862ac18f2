//! `clusterdctl health` and `top`: the cluster from this peer, on one screen.

use std::time::Duration;

use common::api;
use common::api::client::Call;
use common::api::health::{AlertJson, Health, PeerHealth};
use common::api::time::WireTime;
use jiff::Timestamp;

use super::connection::Connection;
use super::failure::{Failure, code};
use super::render::{Output, Rows, or_dash, since, size, time};
use super::summary::headline;

/// Alerts that are shown; all of them are in the JSON.
const ALERTS_SHOWN: usize = 10;

/// Pause between two pictures of `top`.
const TOP_EVERY: Duration = Duration::from_secs(2);

pub(super) async fn health(connection: &Connection, out: &mut Output) -> Result<u8, Failure> {
    let health = ask(connection).await?;
    if out.json() {
        out.object(&health)?
    } else {
        show(&health, out)?
    }
    Ok(code::OK)
}

/// Shows a picture every two seconds, for ever. A clusterd that is away is shown, not fatal.
pub(super) async fn top(connection: &Connection, out: &mut Output) -> Result<u8, Failure> {
    loop {
        let health = ask(connection).await;
        if !out.json() {
            out.clear()?;
        }
        match health {
            Ok(health) if out.json() => out.object(&health)?,
            Ok(health) => show(&health, out)?,
            Err(failure @ Failure::Call(_)) if failure.code() != code::UNREACHABLE => {
                return Err(failure);
            }
            Err(failure) => out.line(format!("{failure}\nTrying again."))?,
        }
        out.flush()?;
        tokio::time::sleep(TOP_EVERY).await;
    }
}

async fn ask(connection: &Connection) -> Result<Health, Failure> {
    connection.ask(&Call::new(api::PEERS_HEALTH, &[])).await
}

fn show(health: &Health, out: &mut Output) -> Result<(), Failure> {
    let now = Timestamp::now();
    out.line(headline(&health.summary))?;
    let members = health.peers.iter().filter(|peer| peer.member).count();
    out.line(format!("{members} of {} peers are members\n", health.peers.len()))?;
    let header = &["NAME", "PEER", "STATE", "LAST PING", "FREE SPACE", "QUEUE", "TAGS"];
    let mut rows = Rows::new(header);
    for peer in &health.peers {
        rows.add(out, row(peer, now))?;
    }
    rows.end(out)?;
    alerts(health, out)
}

fn row(peer: &PeerHealth, now: Timestamp) -> [String; 7] {
    let state = match peer.member {
        true => "member".to_owned(),
        false if peer.silent_since == WireTime::NONE => "never pinged".to_owned(),
        false => format!("silent for {}", since(peer.silent_since, now)),
    };
    let pinged = match peer.pinged {
        WireTime::NONE => "-".to_owned(),
        pinged => format!("{} ago", since(pinged, now)),
    };
    let tags = peer.tags.iter().map(|(name, value)| format!("{name}={value}"));
    [
        peer.peername.clone(),
        peer.peer.to_string(),
        state,
        pinged,
        peer.freespace.map_or_else(|| "-".to_owned(), size),
        peer.pinqueue.map_or_else(|| "-".to_owned(), |pins| pins.to_string()),
        or_dash(&tags.collect::<Vec<_>>().join(" ")),
    ]
}

fn alerts(health: &Health, out: &mut Output) -> Result<(), Failure> {
    if health.alerts.is_empty() {
        return out.line("\nno alerts");
    }
    out.line("")?;
    let mut rows = Rows::new(&["ALERT", "PEER", "RAN OUT", "NOTICED"]);
    for alert in health.alerts.iter().take(ALERTS_SHOWN) {
        let AlertJson { metric, triggered_at } = alert;
        let known = health.peers.iter().find(|peer| peer.peer == metric.peer);
        let name = known.map_or_else(|| metric.peer.to_string(), |peer| peer.peername.clone());
        let ran_out = WireTime::from_millis(u64::try_from(metric.expire / 1_000_000).unwrap_or(0));
        rows.add(out, [metric.name.clone(), name, time(ran_out), time(*triggered_at)])?;
    }
    rows.end(out)?;
    match health.alerts.len().saturating_sub(ALERTS_SHOWN) {
        0 => Ok(()),
        more => out.line(format!("and {more} older ones")),
    }
}

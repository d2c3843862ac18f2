//! `clusterdctl repin`: gives the pins of a peer to others, or shows what would move.

use common::api;
use common::api::client::{Call, ClientError};
use common::api::composite::RepinEvent;
use common::ids::PeerId;

use super::args::RepinArgs;
use super::connection::{Connection, next_event};
use super::failure::{Failure, code};
use super::render::{Output, Rows, or_dash, say};

/// There is no time limit: all pins are looked at.
pub(super) async fn repin(
    connection: &Connection,
    args: &RepinArgs,
    out: &mut Output,
) -> Result<u8, Failure> {
    let dry_run = if args.dry_run { "true" } else { "false" };
    let call = Call::new(api::REPIN, &[args.of.peer.as_str()]).query([("dry_run", dry_run)]);
    let mut lines = connection.client().send(&call).await?.lines();
    let mut rows = Rows::new(&["CID", "NAME", "TO", "BY"]);
    while let Some(event) = next_event(&mut lines, out).await? {
        let row = match event {
            RepinEvent::Move { cid, name, to, by, .. } => {
                let by = by.map_or_else(|| "-".to_owned(), |peer| peer.to_string());
                [cid.to_string(), or_dash(&name), list(&to), by]
            }
            RepinEvent::Short { cid, name, needed, found } => {
                let words = format!("nobody: {needed} peers needed, {found} found");
                [cid.to_string(), or_dash(&name), words, "-".to_owned()]
            }
            RepinEvent::Done { moves, short, enough, due_in } => {
                rows.end(out)?;
                let verb = if args.dry_run { "would move" } else { "move" };
                say(&format!(
                    "{moves} pins {verb}, {short} have too few peers, {enough} have enough holders and stay"
                ));
                if args.dry_run {
                    say(&by_itself(due_in));
                }
                return Ok(code::OK);
            }
            RepinEvent::Error(error) => {
                rows.end(out)?;
                return Err(ClientError::Refused(error).into());
            }
        };
        if !out.json() {
            rows.add(out, row)?;
        }
    }
    Err(Failure::CutOff("repin"))
}

fn list(peers: &[PeerId]) -> String {
    peers.iter().map(PeerId::to_string).collect::<Vec<_>>().join(",")
}

/// Whether it needs an operator at all.
fn by_itself(due_in: Option<u64>) -> String {
    match due_in {
        None => "It does not happen by itself: the peer is alive, or repin in [replication] is off"
            .into(),
        Some(0) => "It happens by itself, and has begun".to_owned(),
        Some(seconds) => format!("It happens by itself in {seconds} s, unless the peer is back"),
    }
}

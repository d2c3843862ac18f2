//! `clusterdctl adopt`: takes in what a Kubo has pinned already.

use common::api;
use common::api::client::{Call, ClientError};
use common::api::composite::AdoptEvent;

use super::args::AdoptArgs;
use super::connection::{Connection, next_event};
use super::failure::{Failure, code};
use super::render::{Output, Rows, or_dash, say};

/// There is no time limit: Kubo may take long to list its pins.
pub(super) async fn adopt(
    connection: &Connection,
    args: &AdoptArgs,
    out: &mut Output,
) -> Result<u8, Failure> {
    let dry_run = if args.dry_run { "true" } else { "false" };
    let call = Call::new(api::ADOPT, &[]).query([("dry_run", dry_run)]);
    let mut lines = connection.client().send(&call).await?.lines();
    let mut rows = Rows::new(&["CID", "MODE", "NAME"]);
    while let Some(event) = next_event(&mut lines, out).await? {
        match event {
            AdoptEvent::Found { cid, mode, name } => {
                if !out.json() {
                    let row = [cid.to_string(), mode.as_str().to_owned(), or_dash(&name)];
                    rows.add(out, row)?;
                }
            }
            AdoptEvent::Done { adopted, known } => {
                rows.end(out)?;
                let verb = if args.dry_run { "would be adopted" } else { "adopted" };
                say(&format!("{adopted} pins {verb}, {known} are the cluster's already"));
                return Ok(code::OK);
            }
            AdoptEvent::Error(error) => {
                rows.end(out)?;
                return Err(ClientError::Refused(error).into());
            }
        }
    }
    Err(Failure::CutOff("adopt"))
}

//! The newest failures of pins at this peer, read from what is not as wanted; never from all pins.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use clusterd_core::pinset::key::cid_of;
use clusterd_core::snapshot::Snapshot;
use clusterd_core::store::{Space, StoreError};
use clusterd_core::tracker::phase::Unsettled;
use common::api::time::WireTime;
use common::ids::Cid;
use common::status::PinStatus;

use super::super::listing::record;

/// Failures that are shown.
pub(super) const SHOWN_MAX: usize = 50;

/// Rows that are looked at for them: some ten milliseconds.
pub(super) const LOOKED_AT_MAX: usize = 20_000;

/// Rows read from one snapshot.
const PAGE_ROWS: usize = 2000;

/// Failures of this peer.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// The newest ones, newest first.
    pub(super) newest: Vec<Failure>,
    /// There are more rows than were looked at.
    pub(super) is_partial: bool,
}

/// A pin that failed here, and is tried again.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) cid: Cid,
    /// Empty for none.
    pub(super) name: String,
    pub(super) status: PinStatus,
    pub(super) since: WireTime,
    pub(super) attempts: u32,
    /// Words of the newest failure.
    pub(super) error: String,
}

type Found = BinaryHeap<Reverse<(u64, Vec<u8>)>>;

/// Reads them. Blocks for some ten milliseconds.
pub(super) fn read(snapshot: &dyn Snapshot) -> Result<Failures, StoreError> {
    let (mut found, mut after, mut looked_at) = (Found::new(), None, 0);
    let is_partial = loop {
        let rows = snapshot.rows(Space::Unsettled, after.as_deref(), PAGE_ROWS)?;
        looked_at += rows.len();
        let is_last = rows.len() < PAGE_ROWS;
        after = rows.last().map(|(key, _)| key.clone());
        for (key, row) in rows {
            take(&mut found, key, &row);
        }
        if is_last || looked_at >= LOOKED_AT_MAX {
            break !is_last;
        }
    };
    let newest = found.into_sorted_vec().into_iter();
    let newest = newest.filter_map(|Reverse((_, key))| failure(snapshot, &key).transpose());
    Ok(Failures { newest: newest.collect::<Result<_, _>>()?, is_partial })
}

fn take(found: &mut Found, key: Vec<u8>, row: &[u8]) {
    let Some(unsettled) = Unsettled::decode(row).filter(|row| row.attempts > 0) else { return };
    found.push(Reverse((unsettled.since.0, key)));
    if found.len() > SHOWN_MAX {
        // The oldest.
        found.pop();
    }
}

/// What is known of a failure now; `None` where it is over meanwhile.
fn failure(snapshot: &dyn Snapshot, key: &[u8]) -> Result<Option<Failure>, StoreError> {
    let mut failure = None;
    snapshot.look(key, &mut |row| {
        let unsettled = row.unsettled.and_then(Unsettled::decode);
        let (Some(unsettled), Some(cid)) = (unsettled, cid_of(key)) else { return };
        let name = record(row).ok().flatten().map(|pin| pin.name).unwrap_or_default();
        failure = Some(Failure {
            cid,
            name,
            status: unsettled.status(),
            since: WireTime::from_millis(unsettled.since.0),
            attempts: unsettled.attempts,
            error: unsettled.error,
        });
    })?;
    Ok(failure)
}

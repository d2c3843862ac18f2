//! `/pins`: how far pins are, and trying failed ones again.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use clusterd_core::effect::{Answer, PeerPinStatus};
use clusterd_core::input::{Input, Time};
use clusterd_core::snapshot::Row;
use common::api::error::ApiError;
use common::api::pins::GlobalPinInfo;
use common::ids::Cid;
use common::status::{PinStatus, StatusFilter};

use super::super::listing::{self, End};
use super::super::refusal::{bad, refused, unexpected};
use super::super::reply::{Answered, json, stream};
use super::super::room::Room;
use super::state::States;
use super::{Parameters, bad_filter, cid, parameter};

/// CIDs in one `cids` list: as many as fit into a head of hyper's size.
const CIDS_MAX: usize = 5000;

pub(in super::super) async fn status_all(
    State(room): State<Arc<Room>>,
    Query(query): Parameters,
) -> Answered {
    let filter = parameter(&query, "filter").unwrap_or_default();
    let filter = StatusFilter::parse(filter).map_err(|_| bad_filter())?;
    if let Some(cids) = parameter(&query, "cids") {
        return status_of(room, cids, filter);
    }
    let states = States::now(&room).await?;
    list(&room, states, move |status, _| filter.admits(status)).await
}

async fn list(
    room: &Room,
    states: States,
    admits: impl Fn(PinStatus, Row<'_>) -> bool + Send + 'static,
) -> Answered {
    let write = move |row: Row<'_>, lines: &mut Vec<u8>| {
        if !states.status(row).is_some_and(|status| admits(status, row)) {
            return Ok(());
        }
        if let Some(info) = states.info(row)? {
            serde_json::to_writer(&mut *lines, &info).map_err(|_| listing::damaged())?;
            lines.push(b'\n');
        }
        Ok(())
    };
    listing::list(&room.snapshot, None, write, End::Plain).await
}

fn status_of(room: Arc<Room>, cids: &str, filter: StatusFilter) -> Answered {
    let cids = cids.split(',').map(cid).collect::<Result<Vec<_>, _>>()?;
    if cids.len() > CIDS_MAX {
        return Err(bad(format!("cids has more than {CIDS_MAX} elements")).into());
    }
    let (mut lines, response) = stream();
    tokio::spawn(async move {
        for cid in cids {
            // A failure, or a client that left, cuts the answer off.
            let Ok(info) = info(&room, cid).await else { return };
            let is_listed = info.peer_map.values().any(|peer| filter.admits(peer.status));
            if is_listed && lines.json(&info).await.is_err() {
                return;
            }
        }
        lines.end();
    });
    Ok(response)
}

pub(in super::super) async fn status(
    State(room): State<Arc<Room>>,
    Path(text): Path<String>,
) -> Answered {
    json(&info(&room, cid(&text)?).await?)
}

async fn info(room: &Room, cid: Cid) -> Result<GlobalPinInfo, ApiError> {
    let states = States::now(room).await?;
    match room.door.answer(|waiter| Input::Status { waiter, cid }).await? {
        Answer::Status { pin, peers } if peers.is_empty() => {
            let unpinned = PeerPinStatus {
                peer: room.me.peer,
                status: PinStatus::Unpinned,
                since: Time(0),
                error: String::new(),
                attempts: 0,
                priority: false,
                progress: None,
            };
            Ok(states.global(cid, pin.map(|pin| *pin), [unpinned]))
        }
        Answer::Status { pin, peers } => Ok(states.global(cid, pin.map(|pin| *pin), peers)),
        Answer::Refused(refusal) => Err(refused(&refusal)),
        Answer::Progress { .. }
        | Answer::Done { .. }
        | Answer::Operations { .. }
        | Answer::Imported { .. }
        | Answer::Recovering { .. } => Err(unexpected()),
    }
}

pub(in super::super) async fn recover(
    State(room): State<Arc<Room>>,
    Path(text): Path<String>,
) -> Answered {
    let cid = cid(&text)?;
    room.door.answer(|waiter| Input::Recover { waiter, cid: Some(cid) }).await?;
    json(&info(&room, cid).await?)
}

pub(in super::super) async fn recover_all(State(room): State<Arc<Room>>) -> Answered {
    room.door.answer(|waiter| Input::Recover { waiter, cid: None }).await?;
    let states = States::now(&room).await?;
    list(&room, states, |_, row| row.unsettled.is_some()).await
}

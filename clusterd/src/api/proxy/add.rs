//! `pin/add`: accept, then tell how far it is until it is pinned.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use clusterd_core::effect::Answer;
use clusterd_core::input::{Input, PinRequest, Until};
use common::api::error::ApiError;
use common::api::proxy::{PinAdd, PinAddEvent};
use common::ids::{Cid, PinName};

use super::super::door::{News, Outcome};
use super::super::refusal::{bad, refused, unexpected};
use super::super::reply::{Answered, Gone, Lines, stream};
use super::super::room::Room;
use super::{Deadline, decode, resolve_all};

pub(in super::super) async fn pin_add(State(room): State<Arc<Room>>, body: Bytes) -> Answered {
    let request: PinAdd = decode(&body)?;
    let (lines, response) = stream();
    tokio::spawn(async move {
        // Whoever left needs no answer; what was accepted stays.
        drop(serve(&room, request, lines).await);
    });
    Ok(response)
}

async fn serve(room: &Room, request: PinAdd, mut lines: Lines) -> Result<(), Gone> {
    let event = match pin(room, &request, &mut lines).await {
        Ok(cids) => PinAddEvent::Pinned(cids.iter().map(Cid::to_string).collect()),
        Err(Stopped::Error(error)) => PinAddEvent::Error(error),
        Err(Stopped::Gone) => return Err(Gone),
    };
    lines.json(&event).await?;
    lines.end();
    Ok(())
}

enum Stopped {
    Error(ApiError),
    Gone,
}

impl From<ApiError> for Stopped {
    fn from(error: ApiError) -> Self {
        Self::Error(error)
    }
}

async fn pin(room: &Room, request: &PinAdd, lines: &mut Lines) -> Result<Vec<Cid>, Stopped> {
    let deadline = Deadline::after(request.timeout_ms);
    let name = request.name.clone().map(PinName::new).transpose();
    let name = name.map_err(|error| bad(error.to_string()))?.map(PinName::into_string);
    let cids = resolve_all(room, &request.args, request.offline, deadline).await?;
    let made = if request.offline {
        hold_offline(room, request, &cids, deadline).await?
    } else {
        Vec::new()
    };
    let until = match request.accepted {
        true => Until::Accepted,
        false => Until::Done { deadline: deadline.for_node(room) },
    };
    let pins = cids.iter().map(|cid| PinRequest {
        cid: *cid,
        mode: request.mode,
        name: name.clone(),
        replication: None,
        user_allocations: Vec::new(),
        metadata: std::collections::BTreeMap::new(),
        origins: Vec::new(),
        expires_at: None,
        update_from: None,
        local: request.local || request.offline,
        provide: request.fast_provide,
    });
    let pins = pins.collect();
    let mut wait = room.door.ask(|waiter| Input::Pin { waiter, pins, until }).await?;
    loop {
        match wait.news().await {
            News::Progress((nodes, bytes)) => {
                let event = PinAddEvent::Progress { nodes, bytes };
                lines.json(&event).await.map_err(|Gone| Stopped::Gone)?;
            }
            // Without its last line the call is repeated.
            News::Lost => return Err(Stopped::Gone),
            News::Over(outcome) => {
                let done = done(outcome);
                if done.is_err() {
                    let_go(room, made).await;
                }
                return Ok(done?);
            }
        }
    }
}

/// Lets Kubo pin what it has whole, as `offline=true` asks. Returns the pins that were not there before.
async fn hold_offline(
    room: &Room,
    request: &PinAdd,
    cids: &[Cid],
    deadline: Deadline,
) -> Result<Vec<Cid>, ApiError> {
    let mut made = Vec::new();
    for cid in cids {
        match room.kubo.pin_offline(*cid, request.mode, deadline.left()).await {
            Ok(true) => {}
            Ok(false) => made.push(*cid),
            Err(error) => {
                let_go(room, made).await;
                return Err(error);
            }
        }
    }
    Ok(made)
}

/// Removes pins that no record stands for, so that nothing half made is left.
async fn let_go(room: &Room, made: Vec<Cid>) {
    for cid in made {
        if matches!(room.record(&cid).await, Ok(None))
            && let Err(error) = room.kubo.unpin(cid).await
        {
            tracing::warn!(%cid, %error, "a local pin stays that the cluster does not know");
        }
    }
}

pub(super) fn done(outcome: Outcome) -> Result<Vec<Cid>, ApiError> {
    match outcome? {
        Answer::Done { cids } => Ok(cids),
        Answer::Refused(refusal) => Err(refused(&refusal)),
        Answer::Progress { .. }
        | Answer::Status { .. }
        | Answer::Operations { .. }
        | Answer::Imported { .. }
        | Answer::Recovering { .. } => Err(unexpected()),
    }
}

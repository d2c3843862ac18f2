//! `pin/add`: accept, then tell how far it is until it is pinned.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use clusterd_core::effect::Answer;
use clusterd_core::input::{Input, PinRequest, Until};
use common::api::error::{ApiError, ErrorCode};
use common::api::proxy::{PinAdd, PinAddEvent};
use common::ids::{Cid, PinName};

use super::super::door::{News, Outcome};
use super::super::refusal::{bad, refused, unexpected};
use super::super::reply::{Answered, Gone, Lines, stream};
use super::super::room::Room;
use super::{Deadline, decode, resolve_some};

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

/// Kubo takes arguments one by one: those before the first that fails stay pinned.
async fn pin(room: &Room, request: &PinAdd, lines: &mut Lines) -> Result<Vec<Cid>, Stopped> {
    let deadline = Deadline::after(request.timeout_ms);
    let name = request.name.clone().map(PinName::new).transpose();
    let name = name.map_err(|error| bad(error.to_string()))?.map(PinName::into_string);
    let call = Call { room, request, name, deadline };
    let (cids, failure) = resolve_some(room, &request.args, request.offline, deadline).await;
    let together = if request.offline { None } else { call.together(&cids, lines).await? };
    let pinned = match together {
        Some(pinned) => pinned,
        None => call.one_by_one(&cids, lines).await?,
    };
    failure.map_or(Ok(pinned), |error| Err(error.into()))
}

struct Call<'a> {
    room: &'a Room,
    request: &'a PinAdd,
    name: Option<String>,
    deadline: Deadline,
}

impl Call<'_> {
    /// All in one change. `None` when the pinset forbids one of several, and nothing was done.
    async fn together(&self, cids: &[Cid], lines: &mut Lines) -> Result<Option<Vec<Cid>>, Stopped> {
        match self.ask(cids, lines).await {
            Err(Stopped::Error(error)) if error.reason == ErrorCode::Conflict && cids.len() > 1 => {
                Ok(None)
            }
            asked => asked.map(Some),
        }
    }

    async fn one_by_one(&self, cids: &[Cid], lines: &mut Lines) -> Result<Vec<Cid>, Stopped> {
        for cid in cids {
            // Kubo is to pin what it has whole, and nothing else.
            let is_made = self.request.offline
                && !self
                    .room
                    .kubo
                    .pin_offline(*cid, self.request.mode, self.deadline.left())
                    .await?;
            let asked = self.ask(&[*cid], lines).await;
            if is_made && matches!(asked, Err(Stopped::Error(_))) {
                let_go(self.room, *cid).await;
            }
            asked?;
        }
        Ok(cids.to_vec())
    }

    async fn ask(&self, cids: &[Cid], lines: &mut Lines) -> Result<Vec<Cid>, Stopped> {
        if cids.is_empty() {
            return Ok(Vec::new());
        }
        let pins = cids.iter().map(|cid| self.pin_request(*cid)).collect();
        let until = match self.request.accepted {
            true => Until::Accepted,
            false => Until::Done { deadline: self.deadline.for_node(self.room) },
        };
        let mut wait = self.room.door.ask(|waiter| Input::Pin { waiter, pins, until }).await?;
        loop {
            match wait.news().await {
                News::Progress((nodes, bytes)) => {
                    let event = PinAddEvent::Progress { nodes, bytes };
                    lines.json(&event).await.map_err(|Gone| Stopped::Gone)?;
                }
                // Without its last line the call is repeated.
                News::Lost => return Err(Stopped::Gone),
                News::Over(outcome) => return Ok(done(outcome)?),
            }
        }
    }

    fn pin_request(&self, cid: Cid) -> PinRequest {
        PinRequest {
            cid,
            mode: self.request.mode,
            name: self.name.clone(),
            replication: None,
            user_allocations: Vec::new(),
            metadata: BTreeMap::new(),
            origins: Vec::new(),
            expires_at: None,
            update_from: None,
            local: self.request.local || self.request.offline,
            provide: self.request.fast_provide,
        }
    }
}

/// Removes a pin that no record stands for, so that nothing half made is left.
async fn let_go(room: &Room, cid: Cid) {
    if matches!(room.record(&cid).await, Ok(None))
        && let Err(error) = room.kubo.unpin(cid).await
    {
        tracing::warn!(%cid, %error, "a local pin stays that the cluster does not know");
    }
}

pub(super) fn done(outcome: Outcome) -> Result<Vec<Cid>, ApiError> {
    match outcome? {
        Answer::Done { cids } => Ok(cids),
        Answer::Refused(refusal) => Err(refused(&refusal)),
        Answer::Progress { .. }
        | Answer::Status { .. }
        | Answer::Operations { .. }
        | Answer::History { .. }
        | Answer::Imported { .. }
        | Answer::Recovering { .. } => Err(unexpected()),
    }
}

//! `pin/add`: accept, then tell how far it is until it is pinned.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use clusterd_core::effect::Answer;
use clusterd_core::input::{Input, PinCall, PinRequest, Until};
use common::api::error::{ApiError, ErrorCode};
use common::api::proxy::{PinAdd, PinAddEvent};
use common::ids::{Cid, PinName, RequestId};
use common::pin::PinMode;

use super::super::door::{News, Outcome};
use super::super::refusal::{bad, refused, unexpected};
use super::super::reply::{Answered, Gone, Lines, stream};
use super::super::room::Room;
use super::change::request_id;
use super::told::Told;
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

pub(super) enum Stopped {
    Error(ApiError),
    Gone,
}

impl From<ApiError> for Stopped {
    fn from(error: ApiError) -> Self {
        Self::Error(error)
    }
}

impl From<Gone> for Stopped {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

/// Kubo takes arguments one by one: those before the first that fails stay pinned.
async fn pin(room: &Room, request: &PinAdd, lines: &mut Lines) -> Result<Vec<Cid>, Stopped> {
    let deadline = Deadline::after(request.timeout_ms);
    let name = request.name.clone().map(PinName::new).transpose();
    let name = name.map_err(|error| bad(error.to_string()))?.map(PinName::into_string);
    let id = request.request_id.as_deref().map(request_id).transpose()?;
    let call = Call { room, request, name, id, deadline };
    let (cids, failure) = resolve_some(room, &request.args, request.offline, deadline).await;
    if request.if_held && !request.again && !call.all_held(&cids).await? {
        return Ok(Vec::new());
    }
    // What Kubo need not work for is not told by it; a client hears of all.
    let tells_all = request.progress
        && !request.accepted
        && request.mode == PinMode::Recursive
        && failure.is_none();
    let is_held = tells_all && call.holds_some(&cids).await;
    let mut told = Told::new(lines);
    // An accepted call has been through the other way.
    let one_by_one = request.offline && !request.again;
    let together = if one_by_one { None } else { call.together(&cids, &mut told).await? };
    let pinned = match together {
        Some(pinned) => pinned,
        None => call.one_by_one(&cids, &mut told).await?,
    };
    if tells_all && (is_held || told.nothing() || has_doubles(&cids)) {
        told.walk(room, &cids, deadline).await?;
    }
    failure.map_or(Ok(pinned), |error| Err(error.into()))
}

/// Kubo counts the nodes of an argument as often as it is given.
fn has_doubles(cids: &[Cid]) -> bool {
    let mut seen = HashSet::new();
    !cids.iter().all(|cid| seen.insert(cid))
}

struct Call<'a> {
    room: &'a Room,
    request: &'a PinAdd,
    name: Option<String>,
    id: Option<RequestId>,
    deadline: Deadline,
}

/// Which part of a call is asked of the node.
#[derive(Clone, Copy)]
enum Part {
    All,
    One { number: usize, is_last: bool },
}

impl Call<'_> {
    /// All in one change. `None` when the pinset forbids one of several, and nothing was done.
    async fn together(
        &self,
        cids: &[Cid],
        told: &mut Told<'_>,
    ) -> Result<Option<Vec<Cid>>, Stopped> {
        match self.ask(cids, Part::All, told).await {
            Err(Stopped::Error(error)) if error.reason == ErrorCode::Conflict && cids.len() > 1 => {
                Ok(None)
            }
            asked => asked.map(Some),
        }
    }

    async fn one_by_one(&self, cids: &[Cid], told: &mut Told<'_>) -> Result<Vec<Cid>, Stopped> {
        for (number, cid) in cids.iter().enumerate() {
            // Kubo is to pin what it has whole, and nothing else.
            let is_made = self.request.offline
                && !self
                    .room
                    .kubo
                    .pin_offline(*cid, self.request.mode, self.deadline.left())
                    .await?;
            let part = Part::One { number, is_last: number + 1 == cids.len() };
            let asked = self.ask(&[*cid], part, told).await;
            if is_made && matches!(asked, Err(Stopped::Error(_))) {
                let_go(self.room, *cid).await;
            }
            asked?;
            told.next_part();
        }
        Ok(cids.to_vec())
    }

    async fn ask(
        &self,
        cids: &[Cid],
        part: Part,
        told: &mut Told<'_>,
    ) -> Result<Vec<Cid>, Stopped> {
        if cids.is_empty() {
            return Ok(Vec::new());
        }
        let pins = cids.iter().map(|cid| self.pin_request(*cid)).collect();
        let until = match self.request.accepted {
            true => Until::Accepted,
            false => Until::Done { deadline: self.deadline.for_node(self.room) },
        };
        let call = self.call(part);
        let question = |waiter| Input::Pin { waiter, call, pins, until };
        let mut wait = self.room.door.ask(question).await?;
        loop {
            match wait.news().await {
                News::Progress(progress) => {
                    // The node's first word is that it has accepted.
                    if call.is_some() && matches!(part, Part::All | Part::One { is_last: true, .. })
                    {
                        told.accepted().await?;
                    }
                    told.progress(progress).await?;
                }
                // Without its last line the call is repeated.
                News::Lost => return Err(Stopped::Gone),
                News::Over(outcome) => return Ok(done(outcome)?),
            }
        }
    }

    /// Each part is recognised by itself.
    fn call(&self, part: Part) -> Option<PinCall> {
        let id = match part {
            Part::All => self.id?,
            Part::One { number, .. } => self.id?.part(number),
        };
        Some(PinCall { id, accepted: self.request.again })
    }

    /// Whether Kubo itself holds all of them.
    async fn all_held(&self, cids: &[Cid]) -> Result<bool, ApiError> {
        for cid in cids {
            if !self.room.kubo.holds(*cid, self.request.mode, self.deadline.left()).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether one of them is in the pinset as it is asked for, so that there may be nothing to do.
    async fn holds_some(&self, cids: &[Cid]) -> bool {
        let name = self.name.as_deref().unwrap_or_default();
        for cid in cids {
            if let Ok(Some(record)) = self.room.record(cid).await
                && record.depth.mode() == self.request.mode
                && record.name == name
            {
                return true;
            }
        }
        false
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
        tracing::warn!(
            name: common::messages::STRAY_PIN, %cid, %error,
            "a local pin stays that the cluster does not know"
        );
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
        | Answer::Members(_)
        | Answer::Imported { .. }
        | Answer::Repin(_)
        | Answer::Recovering { .. } => Err(unexpected()),
    }
}

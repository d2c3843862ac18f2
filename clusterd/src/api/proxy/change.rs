//! `pin/rm` and `pin/update`: durable, and let go of by the local Kubo, before the answer; what an update pins is
//! held by as many Kubos as must, as after `pin/add`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use clusterd_core::effect::Refusal;
use clusterd_core::input::{Input, Until};
use common::api::error::ApiError;
use common::api::proxy::{PinRm, PinUpdate, Pins};
use common::ids::{Cid, RequestId};

use super::super::refusal::{bad, refused};
use super::super::reply::{Answered, json};
use super::super::room::Room;
use super::add::done;
use super::{Deadline, decode, exceeded, resolve_all, resolve_some};

pub(in super::super) async fn pin_rm(State(room): State<Arc<Room>>, body: Bytes) -> Answered {
    let request: PinRm = decode(&body)?;
    let deadline = Deadline::after(request.timeout_ms);
    let id = request_id(&request.request_id)?;
    let recursive = request.recursive;
    let mut removed = Vec::new();
    // Those before the first that leads nowhere are unpinned all the same, as Kubo does.
    let (cids, failure) = resolve_some(&room, &request.args, false, deadline).await;
    if !cids.is_empty() {
        let until = Until::Done { deadline: deadline.for_node(&room) };
        let question = |waiter| Input::Unpin { waiter, request: Some(id), cids, recursive, until };
        removed = done(within(deadline, room.door.answer(question)).await?)?;
    }
    match failure {
        Some(error) => Err(error.into()),
        None => json(&texts(&removed)),
    }
}

/// Asked before a body is taken in that could not be pinned after.
pub(in super::super) async fn pin_allowed(State(room): State<Arc<Room>>) -> Answered {
    let ring = room.below.borrow().ring.clone();
    match (room.me.is_follower, ring) {
        (true, _) => Err(refused(&Refusal::Follower).into()),
        (false, Some(ring)) => Err(refused(&Refusal::Ring { ring }).into()),
        (false, None) => json(&serde_json::json!({})),
    }
}

pub(in super::super) async fn pin_update(State(room): State<Arc<Room>>, body: Bytes) -> Answered {
    let request: PinUpdate = decode(&body)?;
    let deadline = Deadline::after(request.timeout_ms);
    let id = request_id(&request.request_id)?;
    let args = [request.from, request.to];
    let cids = resolve_all(&room, &args, false, deadline).await?;
    let [from, to] = <[Cid; 2]>::try_from(cids).map_err(|_| bad("two arguments are needed"))?;
    let until = Until::Done { deadline: deadline.for_node(&room) };
    let question = |waiter| Input::Update {
        waiter,
        request: Some(id),
        from,
        to,
        unpin: request.unpin,
        name: None,
        provide: request.fast_provide,
        until,
    };
    done(within(deadline, room.door.answer(question)).await?)?;
    json(&texts(&[from, to]))
}

/// The node keeps the deadline; this is for a node that is too busy to.
async fn within<T>(deadline: Deadline, work: impl Future<Output = T>) -> Result<T, ApiError> {
    /// What the node gets for its own answer.
    const GRACE: std::time::Duration = std::time::Duration::from_secs(2);
    match deadline.0 {
        Some(until) => tokio::time::timeout_at(until + GRACE, work).await.map_err(|_| exceeded()),
        None => Ok(work.await),
    }
}

pub(super) fn request_id(text: &str) -> Result<RequestId, ApiError> {
    RequestId::parse(text).ok_or_else(|| bad("request_id is not 32 hex digits"))
}

fn texts(cids: &[Cid]) -> Pins {
    Pins { pins: cids.iter().map(Cid::to_string).collect() }
}

//! How far this peer is with the replicated history.

use std::sync::Arc;

use axum::extract::State;
use clusterd_core::effect::Answer;
use clusterd_core::input::Input;
use common::api::composite::{Head, History};
use common::ids::Cid;

use super::super::refusal::unexpected;
use super::super::reply::{Answered, json};
use super::super::room::Room;

pub(in super::super) async fn history(State(room): State<Arc<Room>>) -> Answered {
    let asked = room.door.answer(|waiter| Input::History { waiter }).await?;
    let Answer::History { heads, fetching, missing } = asked else {
        return Err(unexpected().into());
    };
    let head = |(id, height): (clusterd_core::pinset::codec::BlockId, u64)| {
        Some(Head { cid: Cid::decode(&id.cid_bytes()).ok()?, height })
    };
    let heads = heads.into_iter().filter_map(head).collect();
    json(&History { heads, fetching, missing })
}

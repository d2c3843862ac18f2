//! Pinning and unpinning with the options of the REST API.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use clusterd_core::effect::{Answer, Refusal};
use clusterd_core::input::{Input, PinRequest, Until};
use common::api::error::ApiError;
use common::api::options::PinOptions;
use common::api::pins::PinJson;
use common::ids::{Cid, PinName};
use common::pin::FastProvide;

use super::super::refusal::{bad, refused, unexpected};
use super::super::reply::{Answered, json};
use super::super::room::Room;
use super::{Parameters, cid, not_in_pinset};

pub(in super::super) async fn pin(
    State(room): State<Arc<Room>>,
    Path(text): Path<String>,
    Query(query): Parameters,
) -> Answered {
    let cid = cid(&text)?;
    accept(&room, cid, &query).await
}

pub(in super::super) async fn pin_path(
    State(room): State<Arc<Room>>,
    Path((kind, path)): Path<(String, String)>,
    Query(query): Parameters,
) -> Answered {
    let cid = resolve(&room, &kind, &path).await?;
    accept(&room, cid, &query).await
}

pub(in super::super) async fn unpin(
    State(room): State<Arc<Room>>,
    Path(text): Path<String>,
) -> Answered {
    let cid = cid(&text)?;
    withdraw(&room, cid).await
}

pub(in super::super) async fn unpin_path(
    State(room): State<Arc<Room>>,
    Path((kind, path)): Path<(String, String)>,
) -> Answered {
    let cid = resolve(&room, &kind, &path).await?;
    withdraw(&room, cid).await
}

async fn resolve(room: &Room, kind: &str, path: &str) -> Result<Cid, ApiError> {
    if !matches!(kind, "ipfs" | "ipns" | "ipld") {
        return Err(bad(format!("invalid keytype {kind:?}: use ipfs, ipns or ipld")));
    }
    room.kubo.resolve(&format!("/{kind}/{path}"), false, None).await
}

/// Answers when the pin is accepted, as Go does; clients that wait ask for the status.
async fn accept(room: &Room, cid: Cid, query: &[(String, String)]) -> Answered {
    let options = PinOptions::from_query(query, room.door.now().seconds())?;
    let name = PinName::new(options.name).map_err(|error| bad(error.to_string()))?.into_string();
    let request = PinRequest {
        cid,
        mode: options.mode,
        name: Some(name).filter(|name| !name.is_empty()),
        replication: options.replication,
        user_allocations: options.user_allocations,
        metadata: options.metadata,
        origins: options.origins,
        expires_at: options.expires_at,
        update_from: options.update_from,
        local: false,
        provide: FastProvide::default(),
    };
    let pins = vec![request];
    ask(room, |waiter| Input::Pin { waiter, call: None, pins, until: Until::Accepted }).await?;
    // Somebody else may have unpinned it again.
    let record = room.record(&cid).await?.ok_or_else(not_in_pinset)?;
    json(&PinJson::from(record))
}

async fn withdraw(room: &Room, cid: Cid) -> Answered {
    let record = room.record(&cid).await?.ok_or_else(not_in_pinset)?;
    ask(room, |waiter| Input::Unpin {
        waiter,
        request: None,
        cids: vec![cid],
        recursive: true,
        until: Until::Accepted,
    })
    .await?;
    json(&PinJson::from(record))
}

pub(super) async fn ask(
    room: &Room,
    question: impl FnOnce(clusterd_core::input::WaiterId) -> Input,
) -> Result<(), ApiError> {
    match room.door.answer(question).await? {
        Answer::Done { .. } => Ok(()),
        Answer::Refused(Refusal::NotPinned) => Err(not_in_pinset()),
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

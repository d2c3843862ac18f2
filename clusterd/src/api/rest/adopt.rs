//! Takes in what the local Kubo has pinned already.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use clusterd_core::effect::Answer;
use clusterd_core::input::{HeldPin, Input, PinRequest, Until};
use clusterd_core::pinset::key::PinKey;
use common::api::composite::AdoptEvent;
use common::api::error::ApiError;
use common::pin::FastProvide;

use super::super::refusal::{bad, refused, stored, unexpected};
use super::super::reply::{Answered, Gone, Lines, stream};
use super::super::room::Room;
use super::{Parameters, parameter};

pub(in super::super) async fn adopt(
    State(room): State<Arc<Room>>,
    Query(query): Parameters,
) -> Answered {
    let dry_run = match parameter(&query, "dry_run") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(bad("dry_run is neither true nor false").into()),
    };
    let (lines, response) = stream();
    tokio::spawn(async move {
        // Whoever left needs no answer; what is durable stays.
        drop(serve(room, dry_run, lines).await);
    });
    Ok(response)
}

async fn serve(room: Arc<Room>, dry_run: bool, mut lines: Lines) -> Result<(), Gone> {
    let (mut adopted, mut known) = (0, 0);
    let mut pins = room.kubo.pins();
    while let Some(batch) = pins.recv().await {
        let count = batch.as_ref().map_or(0, Vec::len) as u64;
        let taken = match batch {
            Ok(batch) => take_in(&room, batch, dry_run).await,
            Err(error) => Err(error),
        };
        let fresh = match taken {
            Ok(fresh) => fresh,
            Err(error) => {
                lines.json(&AdoptEvent::Error(error)).await?;
                lines.end();
                return Ok(());
            }
        };
        adopted += fresh.len() as u64;
        known += count - fresh.len() as u64;
        for HeldPin { cid, mode, name } in fresh {
            lines.json(&AdoptEvent::Found { cid, mode, name }).await?;
        }
    }
    lines.json(&AdoptEvent::Done { adopted, known }).await?;
    lines.end();
    Ok(())
}

/// Accepts those of a batch that the pinset lacks, and returns them.
async fn take_in(
    room: &Arc<Room>,
    batch: Vec<HeldPin>,
    dry_run: bool,
) -> Result<Vec<HeldPin>, ApiError> {
    let looking = Arc::clone(room);
    let fresh = tokio::task::spawn_blocking(move || unknown(&looking, batch));
    let fresh = fresh.await.map_err(|_| unexpected())??;
    if dry_run || fresh.is_empty() {
        return Ok(fresh);
    }
    let pins = fresh.iter().map(request).collect();
    let question = |waiter| Input::Pin { waiter, call: None, pins, until: Until::Accepted };
    match room.door.answer(question).await? {
        Answer::Done { .. } => Ok(fresh),
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

fn unknown(room: &Room, batch: Vec<HeldPin>) -> Result<Vec<HeldPin>, ApiError> {
    let mut fresh = Vec::new();
    for held in batch {
        let mut is_known = false;
        let key = PinKey::from_cid(&held.cid);
        let looked = room.snapshot.look(key.as_bytes(), &mut |row| is_known = row.pin.is_some());
        looked.map_err(|error| stored(&error))?;
        if !is_known {
            fresh.push(held);
        }
    }
    Ok(fresh)
}

/// Kubo holds it already: that is what `local` says.
fn request(held: &HeldPin) -> PinRequest {
    PinRequest {
        cid: held.cid,
        mode: held.mode,
        name: Some(held.name.clone()).filter(|name| !name.is_empty()),
        replication: None,
        user_allocations: Vec::new(),
        metadata: BTreeMap::new(),
        origins: Vec::new(),
        expires_at: None,
        update_from: None,
        local: true,
        provide: FastProvide::default(),
    }
}

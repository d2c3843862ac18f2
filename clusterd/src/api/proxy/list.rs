//! `pin/ls`: the whole list in compact lines, or single pins looked up.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, State};
use clusterd_core::pinset::key::{PinKey, push_cid_text};
use clusterd_core::snapshot::Row;
use common::api::error::{ApiError, ErrorCode};
use common::api::proxy::{PinKind, PinLine, PinLookup, PinLookupEvent, PinLs};
use common::ids::Cid;
use common::kubo::text::push_json;
use common::pin::PinMode;

use super::super::listing::{self, End};
use super::super::reply::{Answered, Gone, Lines, stream};
use super::super::room::Room;
use super::{Deadline, decode, resolve_all};

pub(in super::super) async fn pin_ls(
    State(room): State<Arc<Room>>,
    Query(query): Query<PinLs>,
) -> Answered {
    let viewer = room.viewer();
    let after = query.after.as_deref().map(key_of).transpose()?;
    let write = move |row: Row<'_>, lines: &mut Vec<u8>| {
        if let Some(pin) = viewer.pinned(row) {
            let mode = pin.mode();
            if query.mode.is_none_or(|wanted| wanted == mode) {
                push_line(row.key, mode, pin.name(), query.name.as_deref(), lines);
            }
        }
        Ok(())
    };
    listing::list(&room.snapshot, after, write, End::Line(PinLine::END)).await
}

fn key_of(cid: &str) -> Result<Vec<u8>, ApiError> {
    let refused = |error| ApiError::new(ErrorCode::BadRequest, format!("after: {error}"));
    Ok(PinKey::from_cid(&cid.parse::<Cid>().map_err(refused)?).into_bytes())
}

/// Appends `<cid> r "name"`.
fn push_line(key: &[u8], mode: PinMode, name: &str, part: Option<&str>, lines: &mut Vec<u8>) {
    // A name that is asked for and empty lets every pin through.
    if part.is_some_and(|part| !name.contains(part)) {
        return;
    }
    // A foreign key of Go's set has no CID, and is no pin.
    if !push_cid_text(key, lines) {
        return;
    }
    lines.extend_from_slice(match mode {
        PinMode::Recursive => b" r",
        PinMode::Direct => b" d",
    });
    if !name.is_empty() {
        lines.push(b' ');
        push_json(lines, name);
    }
    lines.push(b'\n');
}

pub(in super::super) async fn pin_lookup(State(room): State<Arc<Room>>, body: Bytes) -> Answered {
    let request: PinLookup = decode(&body)?;
    let (lines, response) = stream();
    tokio::spawn(async move {
        // Whoever left needs no answer.
        drop(look_all_up(&room, request, lines).await);
    });
    Ok(response)
}

async fn look_all_up(room: &Room, request: PinLookup, mut lines: Lines) -> Result<(), Gone> {
    let deadline = Deadline::after(request.timeout_ms);
    // As in Kubo all arguments must lead somewhere before the first is looked up.
    match resolve_all(room, &request.args, false, deadline).await {
        Ok(cids) => {
            for (arg, cid) in request.args.iter().zip(cids) {
                match look_up(room, arg, cid, request.kind, deadline).await {
                    Ok(found) => lines.json(&found).await?,
                    Err(error) => {
                        lines.json(&PinLookupEvent::Error(error)).await?;
                        break;
                    }
                }
            }
        }
        Err(error) => lines.json(&PinLookupEvent::Error(error)).await?,
    }
    lines.end();
    Ok(())
}

async fn look_up(
    room: &Room,
    arg: &str,
    cid: Cid,
    kind: PinKind,
    deadline: Deadline,
) -> Result<PinLookupEvent, ApiError> {
    let found = |kind: String, name| PinLookupEvent::Found { cid: cid.to_string(), kind, name };
    if kind != PinKind::Indirect
        && let Some((mode, name)) = held(room, &cid).await?
        && matches!(
            (kind, mode),
            (PinKind::All, _)
                | (PinKind::Recursive, PinMode::Recursive)
                | (PinKind::Direct, PinMode::Direct)
        )
    {
        return Ok(found(mode.as_str().to_owned(), name));
    }
    if matches!(kind, PinKind::All | PinKind::Indirect)
        && let Some(through) = room.kubo.indirect(cid, deadline.left()).await?
    {
        return Ok(found(through, String::new()));
    }
    // Kubo's words, with the argument as it was given.
    Err(ApiError::new(ErrorCode::NotPinned, format!("path '{arg}' is not pinned")))
}

/// Mode and name of a pin that is held.
async fn held(room: &Room, cid: &Cid) -> Result<Option<(PinMode, String)>, ApiError> {
    let viewer = room.viewer();
    let read =
        move |row: Row<'_>| viewer.pinned(row).map(|pin| (pin.mode(), pin.name().to_owned()));
    room.look(cid, read).await
}

//! Which pins of a peer go to others, and giving them away by hand.

use std::ops::ControlFlow;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use clusterd_core::effect::{Answer, Refusal};
use clusterd_core::input::{Input, Time};
use clusterd_core::repin::{Plan, View, plan};
use common::api::composite::RepinEvent;
use common::api::error::ApiError;
use common::ids::PeerId;
use common::pin::Pin;
use tokio::sync::mpsc;

use super::super::listing::record;
use super::super::refusal::{bad, refused, stored, unexpected};
use super::super::reply::{Answered, Gone, Lines, stream};
use super::super::room::Room;
use super::{Parameters, parameter, peer};

/// Rows looked at in one snapshot: some milliseconds.
const PAGE_ROWS_MAX: usize = 5000;
/// Events that wait for a slow reader.
const WAITING_MAX: usize = 256;

pub(in super::super) async fn repin(
    State(room): State<Arc<Room>>,
    Path(text): Path<String>,
    Query(query): Parameters,
) -> Answered {
    let of = peer(&text)?;
    let dry_run = match parameter(&query, "dry_run") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(bad("dry_run is neither true nor false").into()),
    };
    if of == room.me.peer && !dry_run {
        return Err(bad("this peer cannot give its own pins away: ask another peer for it").into());
    }
    if room.me.is_follower {
        return Err(refused(&Refusal::Follower).into());
    }
    let asked = room.door.answer(|waiter| Input::RepinView { waiter, peer: of }).await?;
    let Answer::Repin(view) = asked else { return Err(unexpected().into()) };
    let by = (!dry_run).then_some(room.me.peer);
    let (lines, response) = stream();
    tokio::spawn(async move {
        // Whoever left before the end has begun nothing.
        drop(serve(room, Looker { of, view: *view, by }, lines).await);
    });
    Ok(response)
}

async fn serve(room: Arc<Room>, looker: Looker, mut lines: Lines) -> Result<(), Gone> {
    let now = room.door.now();
    let due = looker.view.due.map(|due| Time(due.0.saturating_sub(now.0)).seconds());
    let begun = looker.by.map(|_| Input::Repin { peer: looker.of });
    let (found, mut events) = mpsc::channel(WAITING_MAX);
    let looking = Arc::clone(&room);
    tokio::task::spawn_blocking(move || looker.look(&looking, &found));
    let (mut moves, mut short, mut enough) = (0, 0, 0);
    while let Some(event) = events.recv().await {
        let event = match event {
            Ok(Some(event)) => event,
            Ok(None) => {
                enough += 1;
                continue;
            }
            Err(error) => {
                lines.json(&RepinEvent::Error(error)).await?;
                lines.end();
                return Ok(());
            }
        };
        moves += u64::from(matches!(event, RepinEvent::Move { .. }));
        short += u64::from(matches!(event, RepinEvent::Short { .. }));
        lines.json(&event).await?;
    }
    if let Some(begun) = begun
        && let Err(error) = room.door.tell(begun).await
    {
        lines.json(&RepinEvent::Error(error)).await?;
        lines.end();
        return Ok(());
    }
    lines.json(&RepinEvent::Done { moves, short, enough, due_in: due }).await?;
    lines.end();
    Ok(())
}

/// Looks at all pins of one peer.
struct Looker {
    of: PeerId,
    view: View,
    /// Who does it; `None` for the one who is elected.
    by: Option<PeerId>,
}

/// What is to be told of one pin; `None` when it stays.
type Found = Result<Option<RepinEvent>, ApiError>;

impl Looker {
    fn look(&self, room: &Room, found: &mpsc::Sender<Found>) {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let (mut page, mut rows, mut last) = (Vec::new(), 0, None);
            let visited = room.snapshot.visit(after.as_deref(), &mut |row| {
                rows += 1;
                let event = match record(row) {
                    Ok(pin) => pin.and_then(|pin| self.judge(&pin)).map(Ok),
                    Err(error) => Some(Err(error)),
                };
                page.extend(event);
                if rows < PAGE_ROWS_MAX && page.len() < WAITING_MAX {
                    return ControlFlow::Continue(());
                }
                last = Some(row.key.to_vec());
                ControlFlow::Break(())
            });
            let failure = visited.err().map(|error| Err(stored(&error)));
            for event in page.into_iter().chain(failure) {
                if found.blocking_send(event).is_err() {
                    return;
                }
            }
            match last {
                Some(last) => after = Some(last),
                None => return,
            }
        }
    }

    /// `None` for a pin that is not for the peer.
    fn judge(&self, pin: &Pin) -> Option<Option<RepinEvent>> {
        if !pin.allocations.contains(&self.of) {
            return None;
        }
        let (cid, name) = (pin.cid, pin.name.clone());
        Some(match plan(pin, |peer| self.view.gone.contains(peer), &self.view.candidates) {
            Plan::Enough => None,
            Plan::Short(short) => {
                Some(RepinEvent::Short { cid, name, needed: short.needed, found: short.found })
            }
            Plan::Move(all) => {
                let without = |these: &[PeerId], those: &[PeerId]| -> Vec<PeerId> {
                    these.iter().filter(|peer| !those.contains(peer)).copied().collect()
                };
                let from = without(&pin.allocations, &all);
                let to = without(&all, &pin.allocations);
                let by = self.by.or_else(|| self.view.electors.elected(&cid));
                Some(RepinEvent::Move { cid, name, from, to, by })
            }
        })
    }
}

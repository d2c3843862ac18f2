//! Content that was added here and shall be held elsewhere: this machine's Kubo keeps it until enough of
//! the chosen peers hold it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use common::api::error::ApiError;
use common::ids::{Cid, PeerId};
use common::pin::{Pin, PinMode, Replication};
use common::status::PinStatus;
use futures_util::StreamExt;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use super::super::super::others::ask_all;
use super::super::super::room::Room;

/// So long an answer waits for the chosen peers; afterwards they go on alone.
const ANSWER_WAITS_MAX: Duration = Duration::from_secs(60);
/// So long it is tried; what is not held elsewhere by then stays here, and the log says so.
const TRIED_MAX: Duration = Duration::from_secs(24 * 3600);
/// First pause between two looks at the chosen peers.
const LOOK_EVERY_MIN: Duration = Duration::from_millis(250);
/// Longest pause.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(30);
/// How long Kubo may take to pin again what it has.
const REPIN_MAX: Duration = Duration::from_secs(60);

/// Uploads whose pins are handed over at a time; those of more stay here.
const HANDED_OVER_MAX: usize = 1000;
static PLACES: Semaphore = Semaphore::const_new(HANDED_OVER_MAX);

const STAYS: &str =
    "a pin for other peers stays in this machine's ipfs too: they do not hold it yet";

/// Lets this machine's Kubo go of those of the pins that are for others, once they hold them. Returns
/// when that is done, or after a minute; it goes on then.
pub(super) async fn hand_over(room: &Arc<Room>, pins: Vec<Pin>) {
    let me = room.me.peer;
    let cids: Vec<Cid> =
        pins.into_iter().filter(|pin| !is_for(pin, &me)).map(|pin| pin.cid).collect();
    if cids.is_empty() {
        return;
    }
    let Ok(place) = PLACES.try_acquire() else {
        tracing::warn!(count = cids.len(), "{STAYS}, and too many wait for it");
        return;
    };
    let room = Arc::clone(room);
    let handing = tokio::spawn(async move {
        until_held(&room, cids).await;
        drop(place);
    });
    // Dropping the handle leaves the task to itself.
    drop(timeout(ANSWER_WAITS_MAX, handing).await);
}

fn is_for(pin: &Pin, peer: &PeerId) -> bool {
    pin.replication == Replication::Everywhere || pin.allocations.contains(peer)
}

async fn until_held(room: &Room, mut cids: Vec<Cid>) {
    let end = Instant::now() + TRIED_MAX;
    let mut pause = LOOK_EVERY_MIN;
    loop {
        let mut waiting = Vec::new();
        for cid in cids {
            match try_let_go(room, cid).await {
                Ok(true) => {}
                Ok(false) => waiting.push(cid),
                Err(error) => {
                    tracing::debug!(%cid, %error, "cannot hand a pin over yet");
                    waiting.push(cid);
                }
            }
        }
        if waiting.is_empty() {
            return;
        }
        if Instant::now() >= end {
            for cid in waiting {
                tracing::warn!(%cid, "{STAYS}");
            }
            return;
        }
        cids = waiting;
        sleep(pause).await;
        pause = (pause * 2).min(LOOK_EVERY_MAX);
    }
}

/// Whether nothing is left to do for one pin.
async fn try_let_go(room: &Room, cid: Cid) -> Result<bool, ApiError> {
    if let Some(pin) = room.record(&cid).await? {
        if is_for(&pin, &room.me.peer) {
            // The tracker has it since.
            return Ok(true);
        }
        if !is_held(room, &pin).await {
            return Ok(false);
        }
    }
    room.kubo.unpin(cid).await?;
    tracing::info!(%cid, "a pin is held by the peers that it is for, and let go here");
    // Somebody may have chosen this machine in the meantime.
    if room.record(&cid).await?.is_some_and(|pin| is_for(&pin, &room.me.peer)) {
        room.kubo.pin_offline(cid, PinMode::Recursive, Some(REPIN_MAX)).await?;
    }
    Ok(true)
}

/// Whether as many of the chosen peers as the replication minimum say that they hold it.
async fn is_held(room: &Room, pin: &Pin) -> bool {
    let Replication::Between { min, .. } = pin.replication else { return false };
    let chosen: BTreeSet<PeerId> = pin.allocations.iter().copied().collect();
    let mut answers = std::pin::pin!(ask_all(&chosen, |peer| room.others.status(peer, pin.cid)));
    let mut held = 0;
    while let Some((peer, answer)) = answers.next().await {
        let state = answer.ok().and_then(|told| told.peer_map.get(&peer).map(|at| at.status));
        held += usize::from(state == Some(PinStatus::Pinned));
    }
    held >= usize::from(min.get())
}

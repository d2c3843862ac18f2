//! The state of a pin as the REST API shows it.

use std::collections::{BTreeMap, HashMap};

use clusterd_core::effect::{Answer, PeerPinStatus};
use clusterd_core::input::{Input, Time};
use clusterd_core::pinset::key::{PinKey, cid_of};
use clusterd_core::pinset::pin_row::PinRow;
use clusterd_core::snapshot::Row;
use clusterd_core::tracker::phase::{Goal, Turn, Unsettled};
use common::api::error::ApiError;
use common::api::pins::{GlobalPinInfo, PinInfo, PinProgress};
use common::api::time::WireTime;
use common::ids::{Cid, PeerId};
use common::pin::{Pin, PinType};
use common::status::PinStatus;

use super::super::listing::{damaged, record};
use super::super::refusal::unexpected;
use super::super::room::Room;

/// Turns rows into states; the operations that ran when it was made go first.
pub(in super::super) struct States {
    peer: PeerId,
    peer_bytes: Vec<u8>,
    peername: String,
    ipfs: Option<PeerId>,
    running: HashMap<Vec<u8>, PeerPinStatus>,
    /// How it showed that Kubo is away; then nothing that waits gets on.
    away: Option<String>,
}

impl States {
    pub(in super::super) async fn now(room: &Room) -> Result<Self, ApiError> {
        let asked = room.door.answer(|waiter| Input::Operations { waiter }).await?;
        let Answer::Operations { running, away, .. } = asked else { return Err(unexpected()) };
        let key = |cid: &Cid| PinKey::from_cid(cid).into_bytes();
        Ok(Self {
            peer: room.me.peer,
            peer_bytes: room.me.peer.encode(),
            peername: room.me.peername.clone(),
            ipfs: room.kubo.known_id(),
            running: running.into_iter().map(|(cid, status)| (key(&cid), status)).collect(),
            away: away.map(|(_, words)| words),
        })
    }

    /// The status of a row; `None` where there is nothing of a pin.
    pub(in super::super) fn status(&self, row: Row<'_>) -> Option<PinStatus> {
        if let Some(running) = self.running.get(row.key) {
            return Some(running.status);
        }
        if let Some(unsettled) = row.unsettled {
            return Some(self.waiting(&Unsettled::decode(unsettled)?));
        }
        let pin = PinRow::parse(row.pin?)?;
        if !pin.is_pin() {
            return None;
        }
        Some(match pin.is_for(&self.peer_bytes) {
            true => PinStatus::Pinned,
            false => PinStatus::Remote,
        })
    }

    fn waiting(&self, unsettled: &Unsettled) -> PinStatus {
        match (&self.away, unsettled.goal) {
            (None, _) => unsettled.status(),
            (Some(_), Goal::Pin) => PinStatus::PinError,
            (Some(_), Goal::Unpin) => PinStatus::UnpinError,
        }
    }

    /// The whole state of a row; `None` for a key that is no CID.
    pub(in super::super) fn info(&self, row: Row<'_>) -> Result<Option<GlobalPinInfo>, ApiError> {
        let (Some(cid), Some(status)) = (cid_of(row.key), self.status(row)) else {
            return Ok(None);
        };
        let pin = record(row)?;
        let here = match (self.running.get(row.key), row.unsettled) {
            (Some(running), _) => running.clone(),
            (None, Some(unsettled)) => {
                let unsettled = Unsettled::decode(unsettled).ok_or_else(damaged)?;
                PeerPinStatus {
                    peer: self.peer,
                    status,
                    since: unsettled.since,
                    error: self.away.clone().unwrap_or(unsettled.error),
                    attempts: unsettled.attempts,
                    priority: matches!(unsettled.turn, Turn::New(_)),
                    progress: None,
                }
            }
            (None, None) => self.settled(status, pin.as_ref()),
        };
        Ok(Some(self.global(cid, pin, [here])))
    }

    fn settled(&self, status: PinStatus, pin: Option<&Pin>) -> PeerPinStatus {
        let is_meta = pin.is_some_and(|pin| pin.kind == PinType::Meta);
        PeerPinStatus {
            peer: self.peer,
            status: if is_meta { PinStatus::Sharded } else { status },
            since: Time(pin.map_or(0, |pin| pin.created_at.saturating_mul(1000))),
            error: String::new(),
            attempts: 0,
            priority: false,
            progress: None,
        }
    }

    /// A pin's state from its state at each peer.
    pub(in super::super) fn global(
        &self,
        cid: Cid,
        pin: Option<Pin>,
        peers: impl IntoIterator<Item = PeerPinStatus>,
    ) -> GlobalPinInfo {
        let peers = peers.into_iter().map(|peer| (peer.peer, self.peer_info(peer)));
        let peer_map: BTreeMap<PeerId, PinInfo> = peers.collect();
        let created =
            pin.as_ref().map_or(WireTime::NONE, |pin| WireTime::from_seconds(pin.created_at));
        let (name, allocations, origins, metadata) = match pin {
            Some(pin) => (pin.name, pin.allocations, pin.origins, pin.metadata),
            None => (String::new(), Vec::new(), Vec::new(), BTreeMap::new()),
        };
        let metadata = Some(metadata).filter(|metadata| !metadata.is_empty());
        GlobalPinInfo { cid, name, allocations, origins, created, metadata, peer_map }
    }

    fn peer_info(&self, at: PeerPinStatus) -> PinInfo {
        let is_me = at.peer == self.peer;
        PinInfo {
            peername: if is_me { self.peername.clone() } else { String::new() },
            ipfs_peer_id: self.ipfs.filter(|_| is_me),
            ipfs_peer_addresses: Vec::new(),
            status: at.status,
            timestamp: WireTime::from_millis(at.since.0),
            error: at.error,
            attempt_count: at.attempts,
            priority_pin: at.priority,
            progress: at.progress.map(|(nodes, bytes)| PinProgress { nodes, bytes }),
        }
    }
}

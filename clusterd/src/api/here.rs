//! What this peer says of itself and of its pins: for its own clients, and for other peers that ask.

use std::ops::ControlFlow;
use std::sync::Arc;

use clusterd_core::effect::{Answer, PeerPinStatus};
use clusterd_core::input::{Input, Time};
use clusterd_core::snapshot::Row;
use common::api::error::ApiError;
use common::api::peers::{IdInfo, IpfsInfo};
use common::api::pins::GlobalPinInfo;
use common::ids::{Cid, PeerId};
use common::status::{PinStatus, StatusFilter};
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::others::{ask_all, hides, others};
use super::refusal::{refused, stored, unexpected};
use super::rest::state::States;
use super::room::{Room, VERSION};

/// Rows looked at in one snapshot: some milliseconds.
const PAGE_ROWS_MAX: usize = 5000;
/// States that wait for a slow reader.
const WAITING_MAX: usize = 256;

/// States of pins as they come; an error ends them.
pub type PinStates = mpsc::Receiver<Result<GlobalPinInfo, ApiError>>;

impl Room {
    /// Who this peer is. A Kubo that does not answer is said so inside.
    pub async fn id(&self) -> IdInfo {
        let ipfs = self.kubo.id().await;
        let ipfs =
            ipfs.unwrap_or_else(|error| IpfsInfo { error: error.message, ..IpfsInfo::default() });
        let members = self.members.borrow().clone();
        IdInfo {
            id: self.me.peer,
            addresses: self.others.own_addresses(),
            cluster_peers: members.iter().copied().collect(),
            cluster_peers_addresses: (members.iter())
                .flat_map(|peer| self.others.addresses(peer))
                .collect(),
            version: VERSION.to_owned(),
            commit: String::new(),
            rpc_protocol_version: IdInfo::RPC_PROTOCOL_VERSION.to_owned(),
            error: String::new(),
            ipfs,
            peername: self.me.peername.clone(),
        }
    }

    /// Who all members are, this peer first; each is asked, and one that does not answer is told of
    /// with its error. One that hides from us is left out, as Go does.
    pub fn ids(self: &Arc<Self>) -> mpsc::Receiver<IdInfo> {
        let (found, received) = mpsc::channel(WAITING_MAX);
        let room = Arc::clone(self);
        tokio::spawn(async move {
            if found.send(room.id().await).await.is_err() {
                return;
            }
            let others = others(&room.members.borrow().clone(), &room.me.peer);
            let mut answers = std::pin::pin!(ask_all(&others, |peer| room.others.id(peer)));
            while let Some((peer, answer)) = answers.next().await {
                let id = match answer {
                    Ok(id) => id,
                    Err(error) if hides(&error) => continue,
                    Err(error) => room.unknown(peer, error.message),
                };
                if found.send(id).await.is_err() {
                    return;
                }
            }
        });
        received
    }

    fn unknown(&self, peer: PeerId, error: String) -> IdInfo {
        IdInfo {
            id: peer,
            addresses: self.others.addresses(&peer),
            cluster_peers: Vec::new(),
            cluster_peers_addresses: Vec::new(),
            version: String::new(),
            commit: String::new(),
            rpc_protocol_version: String::new(),
            error,
            ipfs: IpfsInfo::default(),
            peername: self.others.name(&peer),
        }
    }

    /// The state of one pin here; for a CID outside of the pinset too.
    ///
    /// # Errors
    /// When the node has stopped, or the store failed.
    pub async fn status_here(&self, cid: Cid) -> Result<GlobalPinInfo, ApiError> {
        let states = States::now(self).await?;
        match self.door.answer(|waiter| Input::Status { waiter, cid }).await? {
            Answer::Status { pin, peers } => {
                let pin = pin.map(|pin| *pin);
                Ok(match peers.is_empty() {
                    true => states.global(cid, pin, [self.unpinned()]),
                    false => states.global(cid, pin, peers),
                })
            }
            Answer::Refused(refusal) => Err(refused(&refusal)),
            Answer::Progress { .. }
            | Answer::Done { .. }
            | Answer::Operations { .. }
            | Answer::Imported { .. }
            | Answer::History { .. }
            | Answer::Members(_)
            | Answer::Repin(_)
            | Answer::Recovering { .. } => Err(unexpected()),
        }
    }

    fn unpinned(&self) -> PeerPinStatus {
        PeerPinStatus {
            peer: self.me.peer,
            status: PinStatus::Unpinned,
            since: Time(0),
            error: String::new(),
            attempts: 0,
            priority: false,
            progress: None,
        }
    }

    /// The states of all pins here that the filter admits.
    ///
    /// # Errors
    /// When the node has stopped.
    pub async fn statuses_here(&self, filter: StatusFilter) -> Result<PinStates, ApiError> {
        self.states(move |status, _| filter.admits(status)).await
    }

    /// Tries one pin again now.
    ///
    /// # Errors
    /// As [`Room::status_here`].
    pub async fn recover_here(&self, cid: Cid) -> Result<GlobalPinInfo, ApiError> {
        self.door.answer(|waiter| Input::Recover { waiter, cid: Some(cid) }).await?;
        self.status_here(cid).await
    }

    /// Tries all that is not as wanted again now; gives its states.
    ///
    /// # Errors
    /// As [`Room::statuses_here`].
    pub async fn recover_all_here(&self) -> Result<PinStates, ApiError> {
        self.door.answer(|waiter| Input::Recover { waiter, cid: None }).await?;
        self.states(|_, row| row.unsettled.is_some()).await
    }

    async fn states(
        &self,
        admits: impl Fn(PinStatus, Row<'_>) -> bool + Send + 'static,
    ) -> Result<PinStates, ApiError> {
        let states = States::now(self).await?;
        let snapshot = Arc::clone(&self.snapshot);
        let (found, received) = mpsc::channel(WAITING_MAX);
        tokio::task::spawn_blocking(move || {
            let mut after: Option<Vec<u8>> = None;
            loop {
                let mut page = Page { states: &states, rows: 0, found: Vec::new(), failure: None };
                let mut last = None;
                let visited = snapshot.visit(after.as_deref(), &mut |row| {
                    let flow = page.take(row, &admits);
                    if flow.is_break() {
                        last = Some(row.key.to_vec());
                    }
                    flow
                });
                let failure = visited.err().map(|error| stored(&error)).or(page.failure);
                let sent = page.found.into_iter().map(Ok).chain(failure.clone().map(Err));
                for state in sent {
                    if found.blocking_send(state).is_err() {
                        return;
                    }
                }
                match last {
                    Some(last) if failure.is_none() => after = Some(last),
                    Some(_) | None => return,
                }
            }
        });
        Ok(received)
    }
}

/// One page of states.
struct Page<'a> {
    states: &'a States,
    rows: usize,
    found: Vec<GlobalPinInfo>,
    failure: Option<ApiError>,
}

impl Page<'_> {
    fn take(
        &mut self,
        row: Row<'_>,
        admits: &impl Fn(PinStatus, Row<'_>) -> bool,
    ) -> ControlFlow<()> {
        self.rows += 1;
        if self.states.status(row).is_some_and(|status| admits(status, row)) {
            match self.states.info(row) {
                Ok(info) => self.found.extend(info),
                Err(error) => self.failure = Some(error),
            }
        }
        let is_full = self.rows >= PAGE_ROWS_MAX || self.found.len() >= WAITING_MAX;
        if is_full || self.failure.is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

//! What handlers share: the door, the store's snapshots, Kubo, and who we are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clusterd_core::pinset::key::PinKey;
use clusterd_core::snapshot::{Row, Snapshot};
use common::api::error::ApiError;
use common::ids::{Cid, PeerId};
use common::pin::{Pin, Replication};
use common::status::PinStatus;
use tokio::sync::watch;

use super::door::Door;
use super::garbage::Unpinned;
use super::kubo::Kubo;
use super::listing::Viewer;
use super::others::Others;
use super::refusal::{stored, unexpected};
use crate::config::Trusted;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Shared by all handlers.
pub struct Room {
    /// To the node.
    pub door: Door,
    /// Listings.
    pub snapshot: Arc<dyn Snapshot>,
    /// The Kubo beside us.
    pub kubo: Arc<dyn Kubo>,
    /// Who we are.
    pub me: Me,
    /// The other peers.
    pub others: Arc<dyn Others>,
    /// The members of the cluster, this peer among them.
    pub members: watch::Receiver<BTreeSet<PeerId>>,
    /// Whose changes are taken.
    pub trusted: Trusted,
    /// Bytes of the database, with journals set aside; `None` while it cannot be read.
    pub stored_bytes: Arc<dyn Fn() -> Option<u64> + Send + Sync>,
    /// How many pins there are, as the node last said.
    pub counts: watch::Receiver<Counts>,
    /// One collection at a time: two would only wait for each other in Kubo.
    pub collecting: tokio::sync::Mutex<()>,
    /// Blocks that no collection may take yet.
    pub unpinned: Unpinned,
}

/// How many pins there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records of the pinset.
    pub pins: u64,
    /// Pins that are not as wanted, by state; states without a pin are left out.
    pub unsettled: BTreeMap<PinStatus, u64>,
    /// Batches of changes that could not be stored, since the start.
    pub refused: u64,
}

/// Who this peer is.
#[derive(Debug, Clone)]
pub struct Me {
    /// Its id.
    pub peer: PeerId,
    /// Its name.
    pub peername: String,
    /// Whether it follows others and changes nothing itself.
    pub is_follower: bool,
    /// Default of pins that do not say.
    pub replication: Replication,
}

impl Room {
    /// Looks at one row, away from the threads that serve connections.
    pub(super) async fn look<R: Send + 'static>(
        &self,
        cid: &Cid,
        read: impl FnOnce(Row<'_>) -> R + Send + 'static,
    ) -> Result<R, ApiError> {
        let snapshot = Arc::clone(&self.snapshot);
        let key = PinKey::from_cid(cid);
        let looked = tokio::task::spawn_blocking(move || {
            let (mut read, mut seen) = (Some(read), None);
            snapshot.look(key.as_bytes(), &mut |row| {
                seen = read.take().map(|read| read(row));
            })?;
            Ok(seen)
        });
        match looked.await {
            Ok(Ok(Some(seen))) => Ok(seen),
            Ok(Err(error)) => Err(stored(&error)),
            Ok(Ok(None)) | Err(_) => Err(unexpected()),
        }
    }

    /// Who looks at rows from here.
    pub(super) fn viewer(&self) -> Viewer {
        Viewer { own: self.me.peer, members: self.members.borrow().clone() }
    }

    /// The record of a CID.
    pub(super) async fn record(&self, cid: &Cid) -> Result<Option<Pin>, ApiError> {
        self.look(cid, super::listing::record).await?
    }
}

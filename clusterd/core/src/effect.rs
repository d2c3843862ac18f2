//! All that a node may ask its owner to do, after the commit.

use common::ids::{Cid, PeerId};
use common::pin::{FastProvide, Pin, PinMode};
use common::status::PinStatus;
use multiaddr::Multiaddr;
use thiserror::Error;

use crate::input::{OpId, Time, WaiterId};
use crate::members::Members;
use crate::pinset::codec::BlockId;
use crate::repin::View;

/// Why a request was not done. The words are Kubo's where Kubo has words for it, as clients compare them.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Kubo's words for a CID that is not in the pinset.
    #[error("not pinned or pinned indirectly")]
    NotPinned,
    /// `pin rm --recursive=false` of a recursive pin.
    #[error("{0} is pinned recursively")]
    PinnedRecursively(Cid),
    /// Direct asked for what is pinned recursively.
    #[error("pin: {0} already pinned recursively")]
    AlreadyRecursive(Cid),
    /// `pin update` from what is not a recursive pin.
    #[error("'from' cid was not recursively pinned already")]
    FromNotRecursive,
    /// `pin update` to what is a recursive pin already.
    #[error("'to' cid was already recursively pinned")]
    ToAlreadyRecursive,
    /// The expiry lies in the past.
    #[error("pin.ExpireAt set before current time")]
    ExpiredAlready,
    /// Fewer candidates than the replication minimum needs.
    #[error("not enough peers to allocate {cid}: {needed} needed, {found} found")]
    NotEnoughPeers {
        /// What was to be pinned.
        cid: Cid,
        /// Fewest peers needed.
        needed: usize,
        /// Peers that could take it.
        found: usize,
    },
    /// A sharding record cannot be changed by itself.
    #[error("{0} belongs to a sharded file and cannot be changed by itself")]
    PartOfShard(Cid),
    /// Kubo failed on so many peers that the minimum cannot be met for now.
    #[error(
        "pin: {} (the pin stays accepted and is tried again; pin rm withdraws it)",
        // Kubo's own words may begin with it already.
        reason.strip_prefix("pin: ").unwrap_or(reason)
    )]
    PinFailed {
        /// What failed.
        cid: Cid,
        /// Kubo's words of the newest failure.
        reason: String,
    },
    /// It was unpinned while somebody waited for it.
    #[error("pin: {0} was unpinned meanwhile")]
    Withdrawn(Cid),
    /// Name, metadata and origins are too much for one record.
    #[error("pin: the record of {cid} is larger than {max} bytes")]
    RecordTooLarge {
        /// What was to be pinned.
        cid: Cid,
        /// Largest record, in bytes.
        max: usize,
    },
    /// This peer follows others and writes nothing. The words are Go's.
    #[error("this peer is configured to be in follower mode. Write operations are disabled")]
    Follower,
    /// This cluster is its own sub-cluster: a pin would go round for ever.
    #[error(
        "new pins are refused, as this cluster is its own sub-cluster ({ring}): let `api` in [ipfs] of one of them name another IPFS daemon"
    )]
    Ring {
        /// The names of the clusters on the way from this one to itself.
        ring: String,
    },
    /// The deadline is over.
    #[error("pin: context deadline exceeded")]
    DeadlineExceeded,
    /// More waiters than the node keeps.
    #[error("too many requests wait for pins; try again later")]
    TooManyWaiters,
}

/// How far a pin is at one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerPinStatus {
    /// Which peer.
    pub peer: PeerId,
    /// The state there.
    pub status: PinStatus,
    /// When it came to be; `Time(0)` when unknown.
    pub since: Time,
    /// Kubo's words of the newest failure; empty for none.
    pub error: String,
    /// Failed attempts so far.
    pub attempts: u32,
    /// Whether it goes ahead of old failures.
    pub priority: bool,
    /// Nodes and bytes fetched so far by the running attempt.
    pub progress: Option<(u64, u64)>,
}

/// What a waiter is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// So many nodes and bytes were fetched for all pins of the request together; none when they
    /// have just been accepted. Not final.
    Progress {
        /// Nodes fetched.
        nodes: u64,
        /// Bytes fetched.
        bytes: u64,
    },
    /// Done, or accepted where that was asked for. Final.
    Done {
        /// What it was done to, in the client's order.
        cids: Vec<Cid>,
    },
    /// Not done. Final.
    Refused(Refusal),
    /// How far one pin is. Final.
    Status {
        /// The record; `None` when it is not in the pinset.
        pin: Option<Box<Pin>>,
        /// The state at each peer known to matter.
        peers: Vec<PeerPinStatus>,
    },
    /// The running operations. Final.
    Operations {
        /// Each with its pin.
        running: Vec<(Cid, PeerPinStatus)>,
        /// Pins that wait for their turn or for their next attempt.
        waiting: u64,
        /// Since when Kubo is away, and how it showed. Then nothing that waits gets on, and its
        /// status is an error with these words.
        away: Option<(Time, String)>,
    },
    /// How far the replicated history is. Final.
    History {
        /// Blocks that no other builds on, each with its height, in the order of their CIDs.
        heads: Vec<(BlockId, u64)>,
        /// Blocks that are being fetched.
        fetching: u64,
        /// Blocks that nobody could give so far.
        missing: u64,
    },
    /// What is known of the peers. Final.
    Members(Box<Members>),
    /// Records taken in, and records that were there already. Final.
    Imported {
        /// New or changed.
        written: u64,
        /// The same as before.
        unchanged: u64,
    },
    /// What the re-allocation of a peer's pins would start from. Final.
    Repin(Box<View>),
    /// So many pins are tried again. Final.
    Recovering {
        /// How many.
        pins: u64,
    },
}

impl Answer {
    /// Whether no further answer follows.
    #[must_use]
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Progress { .. })
    }
}

/// All that a node may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Tell a waiter.
    Answer {
        /// Whom.
        waiter: WaiterId,
        /// What.
        answer: Answer,
    },
    /// Let Kubo pin; ends with [`crate::input::Input::IpfsEnded`]. The connector asks Kubo first
    /// whether it holds the pin already.
    IpfsPin {
        /// Which operation.
        op: OpId,
        /// What.
        cid: Cid,
        /// How much.
        mode: PinMode,
        /// `max-depth` where the record limits it.
        levels: Option<u32>,
        /// The pin's name.
        name: String,
        /// A pin whose blocks are shared: `pin/update` is tried first where Kubo holds it.
        update_from: Option<Cid>,
        /// Nodes to connect to before.
        origins: Vec<Multiaddr>,
        /// What the client asked for of Kubo's announcements; a later attempt goes without.
        provide: FastProvide,
    },
    /// Let Kubo unpin; "not pinned" counts as done. Ends with [`crate::input::Input::IpfsEnded`].
    IpfsUnpin {
        /// Which operation.
        op: OpId,
        /// What.
        cid: Cid,
    },
    /// Break off a running operation; nothing follows for it.
    IpfsCancel {
        /// Which operation.
        op: OpId,
    },
    /// Ask Kubo for a sign of life; ends with [`crate::input::Input::IpfsProbed`].
    IpfsProbe,
    /// Read Kubo's whole list of pins; ends with [`crate::input::Input::AuditEnded`].
    IpfsAudit,
    /// Get a block from any peer; ends with exactly one [`crate::input::Input::BlockFetched`] or
    /// [`crate::input::Input::BlockFailed`], within the owner's time limit.
    FetchBlock {
        /// Which block.
        id: BlockId,
    },
    /// Tell everybody who listens how a pin stands here now: that has changed.
    TellState {
        /// Which pin.
        cid: Cid,
    },
    /// Kubo is away, or back: from now on tell everybody who listens, of what it lacks, that nothing comes of it.
    TellAway {
        /// How it showed; `None` when Kubo is back.
        words: Option<String>,
    },
    /// Tell everybody who listens how far a pin is here.
    TellProgress {
        /// Which pin.
        cid: Cid,
        /// Nodes fetched.
        nodes: u64,
        /// Bytes fetched.
        bytes: u64,
    },
    /// Pins came that others shall hold: they are asked about all of which this peer does not know.
    AskOthers,
    /// A first history has come in, and what others told of its pins before was lost: listen anew.
    ListenAnew,
    /// Let a peer try a pin again now that has failed there, or waits.
    RecoverAt {
        /// Which peer.
        peer: PeerId,
        /// What.
        cid: Cid,
    },
    /// Tell all peers that these are heads. They are durable and can be served.
    Broadcast {
        /// Blocks without successor.
        heads: Vec<BlockId>,
    },
}

//! All that may happen to a node.

use common::ids::{Cid, PeerId, RequestId};
use common::pin::{FastProvide, Pin, PinMode, Replication};
use multiaddr::Multiaddr;
use std::collections::BTreeMap;

use crate::members::Metric;
use crate::pinset::codec::BlockId;
use crate::spread::Report;

/// Milliseconds since 1970 UTC. The owner's clock never goes back while it runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// Whole seconds since 1970, as records store it.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// The time so many milliseconds later.
    #[must_use]
    pub fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

/// Somebody who waits for answers. The owner draws the numbers and never uses one twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaiterId(pub u64);

/// One operation on Kubo. The node draws the numbers; a restart begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u64);

/// What a client asks to have pinned. Unset options take the cluster's defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinRequest {
    /// What to pin.
    pub cid: Cid,
    /// How much of it.
    pub mode: PinMode,
    /// The pin's name; `None` erases one that is there, as Kubo does.
    pub name: Option<String>,
    /// `None` for the cluster's default.
    pub replication: Option<Replication>,
    /// Peers to prefer.
    pub user_allocations: Vec<PeerId>,
    /// Free key-value pairs.
    pub metadata: BTreeMap<String, String>,
    /// Addresses of nodes that have the content.
    pub origins: Vec<Multiaddr>,
    /// Second after which the pin goes away by itself.
    pub expires_at: Option<u64>,
    /// A pin this one takes over from: its options are copied, its blocks are shared.
    pub update_from: Option<Cid>,
    /// The local Kubo was given the content with its own pin a moment ago (`add` and its like):
    /// this peer is the first allocation where it has space.
    pub local: bool,
    /// For this machine's Kubo alone; not stored.
    pub provide: FastProvide,
}

/// A call to pin, as somebody knows it who makes it again after a broken connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinCall {
    /// The same each time.
    pub id: RequestId,
    /// Whether the caller was told before that the pins are accepted.
    pub accepted: bool,
}

/// When a waiter's answer is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// As soon as the change is durable.
    Accepted,
    /// When enough peers have done it, or it failed, or the deadline is over.
    /// Without a deadline the wait is unlimited.
    Done {
        /// End of the wait; the change stays.
        deadline: Option<Time>,
    },
}

/// How Kubo answered an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IpfsFailure {
    /// Kubo answered with an error; its words.
    Refused(String),
    /// Kubo could not be reached or broke off; what happened.
    Unreachable(String),
    /// Nothing moved for as long as the operation's limit; what was waited for.
    Stalled(String),
}

/// One pin that Kubo says it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldPin {
    /// What is held.
    pub cid: Cid,
    /// How much of it.
    pub mode: PinMode,
    /// Its name in Kubo; empty for none.
    pub name: String,
}

/// All that may happen to a node. Every variant with a waiter is answered by at least one
/// [`crate::effect::Effect::Answer`], of which exactly one is final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Pin these. All are accepted or, on an error, none.
    Pin {
        /// Who waits.
        waiter: WaiterId,
        /// A repeated call only waits for what it pinned; what somebody unpinned meanwhile stays so.
        /// Who gives it is told by a progress of zero that the pins are accepted.
        call: Option<PinCall>,
        /// What is asked for, in the client's order.
        pins: Vec<PinRequest>,
        /// When the answer is due.
        until: Until,
    },
    /// Unpin these, in order; the first that is not pinned ends it, those before it stay unpinned.
    Unpin {
        /// Who waits.
        waiter: WaiterId,
        /// A repeated call with the same id, after a broken connection, finds its own work done.
        request: Option<RequestId>,
        /// What to unpin.
        cids: Vec<Cid>,
        /// `false`: refuse recursive pins with Kubo's error.
        recursive: bool,
        /// When the answer is due; `Done` waits for this machine's Kubo alone.
        until: Until,
    },
    /// Let `to` take over from `from`, which must be pinned recursively.
    Update {
        /// Who waits.
        waiter: WaiterId,
        /// As for [`Input::Unpin`].
        request: Option<RequestId>,
        /// The pin to replace.
        from: Cid,
        /// The pin that takes over, with name and options of `from`.
        to: Cid,
        /// Whether `from` is unpinned.
        unpin: bool,
        /// `Some` gives the new pin another name than that of `from`.
        name: Option<String>,
        /// For this machine's Kubo alone; not stored.
        provide: FastProvide,
        /// When the answer is due; `Done` waits for this machine's Kubo alone.
        until: Until,
    },
    /// Take in whole records (state import, adoption). Records that are there already with the same
    /// content write nothing.
    Import {
        /// Who waits.
        waiter: WaiterId,
        /// The records; their order does not matter.
        pins: Vec<Pin>,
    },
    /// Try again now what failed or waits: one pin, or all.
    Recover {
        /// Who waits.
        waiter: WaiterId,
        /// `None` for all.
        cid: Option<Cid>,
    },
    /// Tell how far one pin is.
    Status {
        /// Who waits.
        waiter: WaiterId,
        /// Which pin.
        cid: Cid,
    },
    /// Tell which operations are running (their number is bounded) and how many wait.
    Operations {
        /// Who waits.
        waiter: WaiterId,
    },
    /// How far the replicated history is.
    History {
        /// Who waits.
        waiter: WaiterId,
    },
    /// Tell all that is known of the peers: their metrics, and alerts.
    Members {
        /// Who waits.
        waiter: WaiterId,
    },
    /// A peer told a fact about itself; whether it is the one who signed it, the owner has checked.
    Metric(Metric),
    /// Tell what [`Input::Repin`] of a peer would start from.
    RepinView {
        /// Who waits.
        waiter: WaiterId,
        /// Whose pins.
        peer: PeerId,
    },
    /// Give the pins of a peer to others, whether it lives or not.
    Repin {
        /// Whose pins.
        peer: PeerId,
    },
    /// An operator has removed a peer: it is forgotten until it speaks again.
    PeerRemoved {
        /// Which.
        peer: PeerId,
    },
    /// Nobody waits there any more; what was accepted stays.
    WaiterGone {
        /// Who left.
        waiter: WaiterId,
    },
    /// Kubo told how far a pin operation is.
    IpfsProgress {
        /// Which operation.
        op: OpId,
        /// Nodes fetched so far.
        nodes: u64,
        /// Bytes fetched so far.
        bytes: u64,
    },
    /// A pin or unpin operation ended.
    IpfsEnded {
        /// Which operation.
        op: OpId,
        /// How.
        outcome: Result<(), IpfsFailure>,
    },
    /// A probe after [`crate::effect::Effect::IpfsProbe`] ended.
    IpfsProbed {
        /// Whether Kubo answered in time.
        alive: bool,
    },
    /// Some of what Kubo holds, while an audit runs. Batches cover the pinset in any order.
    Audited {
        /// What Kubo holds.
        held: Vec<HeldPin>,
    },
    /// The audit ended. Only a complete one may say that something is lost.
    AuditEnded {
        /// Whether Kubo's list was read to its end.
        complete: bool,
    },
    /// A peer told its heads. Known ones change nothing, however often they are told.
    HeadsSeen {
        /// Blocks without successor, as that peer knows them.
        heads: Vec<BlockId>,
        /// It told this peer alone because it was asked; others did not hear it.
        asked: bool,
    },
    /// A fetch after [`crate::effect::Effect::FetchBlock`] ended. The bytes may be anything; those
    /// that are not the block count as a failure.
    BlockFetched {
        /// Which block was asked for.
        id: BlockId,
        /// What came.
        bytes: Vec<u8>,
    },
    /// A fetch ended without the block, or took longer than the owner waits.
    BlockFailed {
        /// Which block was asked for.
        id: BlockId,
    },
    /// A peer connected: it may have what nobody had before.
    PeerCame,
    /// A peer told how pins stand at itself, because it was asked or because something is new.
    PeerReports {
        /// Which peer, as its connection proves.
        peer: PeerId,
        /// What is new, in order.
        reports: Vec<Report>,
    },
    /// The IPFS daemon of this peer was asked which clusters are below it. While this one is among them, pins
    /// are neither taken from clients nor made; those that exist stay.
    Ring {
        /// The names of the clusters on the way from this one to itself; `None` where it is not.
        ring: Option<String>,
    },
    /// The IPFS daemon was asked what it is.
    Below {
        /// Of a cluster, the pins that its peers shall hold and do not, counted at each. Where that is less than
        /// what is missing here, some of it is held there now.
        unsettled: Option<u64>,
        /// It is another one than before, or may hold less than it did.
        is_doubtful: bool,
    },
    /// Time has passed; sent when [`crate::node::Node::next_wake`] says so.
    Tick,
}

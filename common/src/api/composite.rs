//! Replies of the control verbs that are ours alone, under `/composite/`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::api::error::ApiError;
use crate::ids::{Cid, PeerId};
use crate::pin::PinMode;
use crate::status::PinStatus;

/// Records taken in so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportCounts {
    /// New or changed, and durable.
    pub written: u64,
    /// The same as before.
    pub unchanged: u64,
}

/// One line of the answer to an import. `Progress` comes after each durable batch; the last line is
/// `Done` or `Error`, and an answer that ends without one was cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImportEvent {
    /// So much is durable.
    Progress(ImportCounts),
    /// All lines were taken in.
    Done(ImportCounts),
    /// A line could not be taken in. All lines before it are durable, none after it is.
    Error {
        /// Which line, counted from 1; 0 when the fault is not in a line.
        line: u64,
        /// What is wrong with it.
        error: ApiError,
        /// What is durable.
        counts: ImportCounts,
    },
}

/// One line of the answer to an adoption; query `dry_run` (`true` writes nothing). The last line is
/// `Done` or `Error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdoptEvent {
    /// Kubo has a pin that the pinset lacks; it is (or would be) taken in.
    Found {
        /// What is pinned.
        cid: Cid,
        /// How much of it.
        mode: PinMode,
        /// Its name in Kubo; empty for none.
        name: String,
    },
    /// Kubo's whole list was read.
    Done {
        /// Pins taken in, or, in a dry run, that would be.
        adopted: u64,
        /// Pins that the pinset has already.
        known: u64,
    },
    /// Kubo, or the store, failed. What was found before and is durable stays.
    Error(ApiError),
}

/// One line of the answer to a re-allocation; query `dry_run` (`true` moves nothing). The last line is
/// `Done` or `Error`. Without a dry run the pins then move one after the other, within the peer's rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RepinEvent {
    /// A pin goes to other peers.
    Move {
        /// Which pin.
        cid: Cid,
        /// Its name; empty for none.
        name: String,
        /// Peers that shall hold it no more.
        from: Vec<PeerId>,
        /// Peers that shall hold it from then on.
        to: Vec<PeerId>,
        /// Who does it.
        by: Option<PeerId>,
    },
    /// A pin has too few holders left, and too few peers could take it.
    Short {
        /// Which pin.
        cid: Cid,
        /// Its name; empty for none.
        name: String,
        /// Fewest peers.
        needed: usize,
        /// Peers that hold it or could.
        found: usize,
    },
    /// All pins were looked at.
    Done {
        /// Pins that go to others.
        moves: u64,
        /// Pins that nobody can take.
        short: u64,
        /// Pins of the peer with enough other holders: they stay as they are.
        enough: u64,
        /// Seconds until it happens by itself; absent when it does not.
        due_in: Option<u64>,
    },
    /// The store failed.
    Error(ApiError),
}

/// Counts and health of this peer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Name of this peer.
    pub peername: String,
    /// The program's version.
    pub version: String,
    /// Records in the pinset.
    pub pins: u64,
    /// Pins that are not as wanted, by state here; states without a pin are left out.
    #[serde(default)]
    pub unsettled: BTreeMap<PinStatus, u64>,
    /// Operations that run on Kubo now.
    pub running: u64,
    /// Operations that wait for their turn or their next attempt.
    pub waiting: u64,
    /// Whether Kubo answers.
    pub ipfs_reachable: bool,
    /// Kubo's newest failure; empty for none.
    #[serde(default)]
    pub ipfs_error: String,
}

/// How far this peer is with the replicated history.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Blocks that no other builds on, sorted by CID. Peers with the same heads have the same pinset.
    pub heads: Vec<Head>,
    /// Blocks that are being fetched from other peers.
    pub fetching: u64,
    /// Blocks that nobody could give so far; they are asked for again and again.
    pub missing: u64,
}

/// A block that no other builds on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Which block.
    pub cid: Cid,
    /// One more than that of the highest block below it.
    pub height: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_one_short_object_a_line() {
        let counts = ImportCounts { written: 2, unchanged: 1 };
        assert_eq!(
            serde_json::to_string(&ImportEvent::Progress(counts)).unwrap(),
            r#"{"progress":{"written":2,"unchanged":1}}"#
        );
        let done = AdoptEvent::Done { adopted: 3, known: 4 };
        assert_eq!(serde_json::to_string(&done).unwrap(), r#"{"done":{"adopted":3,"known":4}}"#);
    }

    #[test]
    fn a_summary_survives_its_json() {
        let summary =
            Summary { unsettled: BTreeMap::from([(PinStatus::PinError, 2)]), ..Summary::default() };
        let text = serde_json::to_string(&summary).unwrap();
        assert!(text.contains(r#""unsettled":{"pin_error":2}"#), "{text}");
        assert_eq!(serde_json::from_str::<Summary>(&text).unwrap(), summary);
    }
}

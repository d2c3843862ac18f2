//! What is said of clusters, peers and pins, alike in text and picture.

use super::shared;
use crate::api::tree::{ClusterPin, Daemon, PeerPinState, Tree, TreePeer};
use crate::printable::{printable, shortened};
use crate::status::PinStatus;

/// Most characters of a name or an error; what is longer is cut.
const WORDS_MAX: usize = 300;

/// Words of others, made harmless and not too long.
pub(super) fn said(text: &str) -> String {
    printable(&shortened(text, WORDS_MAX))
}

/// A name, or what stands for one that is empty.
pub(super) fn name(text: &str) -> String {
    if text.is_empty() { "(no name)".to_owned() } else { said(text) }
}

/// How many copies a cluster makes by default.
pub(super) fn copies(tree: &Tree) -> String {
    match (tree.replication_min, tree.replication_max) {
        (min, max) if min < 0 || max < 0 => "copies everywhere".to_owned(),
        (1, 1) => "1 copy".to_owned(),
        (min, max) if min == max => format!("{max} copies"),
        (min, max) => format!("{min} to {max} copies"),
    }
}

/// A number of things, such as pins.
pub(super) fn count(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// Space that is left; empty when that is not known.
pub(super) fn free(bytes: Option<u64>) -> Option<String> {
    bytes.map(|bytes| format!("{} free", humansize::format_size(bytes, humansize::BINARY)))
}

/// Copies, pins and space of a cluster.
pub(super) fn figures(tree: &Tree) -> String {
    joined([Some(copies(tree)), Some(count(tree.pins, "pin")), free(tree.free)])
}

/// Space and pins that are not as wanted, of a peer.
pub(super) fn peer_figures(peer: &TreePeer) -> String {
    joined([free(peer.free), Some(unsettled(peer))])
}

/// Pins that are not as wanted at a peer.
pub(super) fn unsettled(peer: &TreePeer) -> String {
    let counts = peer.unsettled.iter().filter(|(_, pins)| **pins > 0);
    joined(counts.map(|(status, pins)| Some(format!("{pins} {}", status.as_str()))))
}

/// What is wrong with a cluster as a whole.
pub(super) fn trouble(tree: &Tree) -> Option<String> {
    let refuses =
        (!tree.refuses.is_empty()).then(|| format!("refuses new pins: {}", said(&tree.refuses)));
    let shared = shared(tree).map(|below| {
        format!(
            "two peers stand over cluster {}: what one lets go of, the other loses",
            name(below)
        )
    });
    let trouble = joined([refuses, shared]);
    (!trouble.is_empty()).then_some(trouble)
}

/// How a pin stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// As wanted.
    Held,
    /// On its way.
    Coming,
    /// Failed; tried again.
    Failed,
    /// Nothing is wanted here.
    Nothing,
}

/// How the pin stands in the cluster.
pub(super) fn cluster_pin(tree: &Tree, pin: &ClusterPin) -> (Stand, String) {
    if !pin.is_recorded {
        return (Stand::Nothing, "not pinned".to_owned());
    }
    let has_failed =
        |peer: &TreePeer| peer.pin.as_ref().is_some_and(|pin| peer_pin(pin).0 == Stand::Failed);
    let (stand, word) = match pin.held >= pin.needed && pin.held > 0 {
        true => (Stand::Held, "pinned"),
        false if tree.peers.iter().any(has_failed) => (Stand::Failed, "error"),
        false => (Stand::Coming, "pinning"),
    };
    let mut words = format!("{word} {}/{}", pin.held, pin.allocated);
    if stand != Stand::Held && pin.needed < pin.allocated {
        words += &format!(", {} must", pin.needed);
    }
    if !pin.name.is_empty() {
        words += &format!(" “{}”", said(&pin.name));
    }
    (stand, words)
}

/// How the pin stands at a peer.
pub(super) fn peer_pin(pin: &PeerPinState) -> (Stand, String) {
    let stand = match pin.status {
        PinStatus::Pinned | PinStatus::Sharded => Stand::Held,
        PinStatus::Unpinned | PinStatus::Remote => Stand::Nothing,
        PinStatus::ClusterError | PinStatus::PinError | PinStatus::UnpinError => Stand::Failed,
        PinStatus::Pinning
        | PinStatus::Unpinning
        | PinStatus::PinQueued
        | PinStatus::UnpinQueued
        | PinStatus::UnexpectedlyUnpinned => Stand::Coming,
    };
    if stand == Stand::Failed {
        let why = if pin.error.is_empty() { pin.status.as_str() } else { &pin.error };
        return (stand, format!("error: {}", said(why)));
    }
    let mut words = pin.status.as_str().replace('_', " ");
    if let Some(progress) = pin.progress.filter(|progress| progress.nodes > 0) {
        words += &format!(" {}", count(progress.nodes, "node"));
        if progress.bytes > 0 {
            words += &format!(", {}", humansize::format_size(progress.bytes, humansize::BINARY));
        }
    }
    if !pin.error.is_empty() {
        words += &format!(" after: {}", said(&pin.error));
    }
    (stand, words)
}

/// A daemon that is no cluster of ours.
pub(super) fn daemon(daemon: &Daemon) -> Option<String> {
    Some(match daemon {
        Daemon::Kubo { id } => format!("Kubo {}", said(id)),
        Daemon::GoCluster { id } => format!(
            "proxy of a Go ipfs-cluster, before Kubo {}: pinned means no more than accepted there",
            said(id)
        ),
        Daemon::Untold { id } => {
            format!("Kubo, or a cluster in its place, {}: a Go peer does not tell which", said(id))
        }
        Daemon::Unknown { error } => format!("daemon unknown: {}", said(error)),
        Daemon::Cluster { .. } => return None,
    })
}

/// A cluster that is its own sub-cluster.
pub(super) fn is_loop(tree: &Tree) -> String {
    format!("cluster {}: loop, it stands above already", name(&tree.name))
}

/// The parts that are there, with dots between them.
pub(super) fn joined(parts: impl IntoIterator<Item = Option<String>>) -> String {
    let there = parts.into_iter().flatten().filter(|part| !part.is_empty());
    there.collect::<Vec<_>>().join(" · ")
}

//! A [`Tree`] on the screen and on a page: as lines of text, and as a picture.

use std::collections::BTreeSet;

use crate::api::tree::{Daemon, Tree, TreePeer};

mod svg;
#[cfg(test)]
mod tests;
mod text;
mod words;

pub use svg::{STYLE, Styled, svg};
pub use text::{TextLine, lines};

/// How a cluster fares, in one word; the greater, the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// All peers are members with a working daemon, and new pins are taken.
    Ok,
    /// A peer is silent, has no working daemon, or has a cluster below it that is not well; new pins
    /// are refused; or two peers stand over one cluster. A pin can still be held by as many as must.
    Degraded,
    /// Fewer members have a working daemon than must hold a pin by default, or none has: a new pin waits.
    /// With copies everywhere, all members must.
    Down,
    /// It is its own sub-cluster.
    Loop,
}

impl Health {
    /// The health of the cluster, with all below it.
    #[must_use]
    pub fn of(tree: &Tree) -> Self {
        if tree.is_above {
            return Self::Loop;
        }
        let (mut members, mut working) = (0, 0);
        let mut is_well = tree.refuses.is_empty() && shared(tree).is_none();
        for peer in &tree.peers {
            let below = below(peer);
            members += usize::from(peer.is_member);
            working += usize::from(peer.is_member && below < Self::Down);
            is_well &= peer.is_member && below == Self::Ok;
        }
        let needed = usize::try_from(tree.replication_min).unwrap_or(members).max(1);
        match working >= needed {
            true if is_well => Self::Ok,
            true => Self::Degraded,
            false => Self::Down,
        }
    }

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Loop => "loop",
        }
    }
}

/// The name of a cluster that stands below two peers: what one of them lets go of, the other has lost, and two
/// copies there are one.
#[must_use]
pub fn shared(tree: &Tree) -> Option<&str> {
    let mut seen = BTreeSet::new();
    let mut below = tree.below().filter(|tree| !tree.is_above);
    below.find(|tree| !seen.insert(&tree.id)).map(|tree| tree.name.as_str())
}

/// Health of what a peer has for a daemon. What was not asked for, or is not told, is taken for good.
fn below(peer: &TreePeer) -> Health {
    match &peer.daemon {
        Some(Daemon::Cluster { tree }) => Health::of(tree),
        Some(Daemon::Unknown { .. }) => Health::Down,
        Some(Daemon::Kubo { .. } | Daemon::GoCluster { .. } | Daemon::Untold { .. }) | None => {
            Health::Ok
        }
    }
}

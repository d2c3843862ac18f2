//! Who takes over a pin from peers that are gone. Decides alone, from what is known here and now.

use std::collections::BTreeSet;
use std::num::NonZeroU16;

use common::ids::PeerId;
use common::pin::{Pin, Replication};

use crate::allocator::{self, Candidate, NotEnough, Wish};
use crate::election::Electors;
use crate::input::Time;

/// What is to be done with one pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Nobody of it is gone, or enough holders are left: the allocations stay, gone ones included.
    Enough,
    /// These shall hold it: the holders that are left, in their order, then new ones.
    Move(Vec<PeerId>),
    /// Too few peers could take it.
    Short(NotEnough),
}

/// What the re-allocation of the pins of one peer would start from, for those who want to know before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The peers that can be given pins, without those that are gone.
    pub candidates: Vec<Candidate>,
    /// Who does it, pin by pin.
    pub electors: Electors,
    /// The peers that count as gone, the one that was asked for among them.
    pub gone: BTreeSet<PeerId>,
    /// When it happens by itself, which may be past; `None`: never, as it is switched off or the peer lives.
    pub due: Option<Time>,
}

/// Plans for one pin. Holders that are silent but not gone yet count as holders.
///
/// Source: `repinFromPeer` in `cluster.go` and `allocate.go` of Go ipfs-cluster 1.1.6. Go counts only holders
/// whose metrics are valid, and writes a record that stays the same again; both are not copied.
pub fn plan(pin: &Pin, is_gone: impl Fn(&PeerId) -> bool, candidates: &[Candidate]) -> Plan {
    let Replication::Between { min, max } = pin.replication else {
        return Plan::Enough;
    };
    let mut kept = pin.allocations.clone();
    kept.retain(|peer| !is_gone(peer));
    let missing = |of: NonZeroU16| {
        let missing = usize::from(of.get()).saturating_sub(kept.len());
        u16::try_from(missing).ok().and_then(NonZeroU16::new)
    };
    let (Some(fewest), Some(most)) = (missing(min), missing(max)) else {
        return Plan::Enough;
    };
    if kept.len() == pin.allocations.len() {
        return Plan::Enough;
    }
    let can_take = |one: &&Candidate| !kept.contains(&one.peer) && !is_gone(&one.peer);
    let free: Vec<Candidate> = candidates.iter().filter(can_take).cloned().collect();
    let replication = Replication::Between { min: fewest, max: most };
    match allocator::allocate(&Wish { replication, current: &[], preferred: &[] }, &free) {
        Ok(new) => {
            kept.extend(new);
            Plan::Move(kept)
        }
        Err(short) => {
            let found = kept.len() + short.found;
            Plan::Short(NotEnough { needed: usize::from(min.get()), found })
        }
    }
}

#[cfg(test)]
mod tests;

//! Which of the other peers that shall hold a pin are not known to hold it.
//!
//! What all of them hold has no row, so rows are few. A peer's own state is in `Unsettled` alone.

use std::collections::BTreeSet;

use common::ids::{Cid, PeerId};
use common::pin::{Pin, Replication};

use crate::pinset::key::PinKey;
use crate::pinset::pin_row::PinRow;
use crate::row::{RowReader, put_uvarint};
use crate::snapshot::Row;
use crate::store::{Space, Store, StoreError};
use crate::tracker::phase::{Goal, Unsettled};

/// Most peers in one row; a larger cluster counts those beyond as holders.
const PEERS_MAX: usize = 10_000;

/// How a pin stands at a peer that shall hold it, as that peer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerState {
    /// Its Kubo holds the pin.
    Held {
        /// The second when the record was made that it holds: another one asks for another pin.
        record: u64,
    },
    /// Its Kubo does not hold it yet, or not any more.
    Missing {
        /// Kubo was found without a pin that it had held.
        lost: bool,
        /// Failed attempts so far.
        attempts: u32,
        /// Words of the newest; empty before the first. While its Kubo is away, how that showed.
        error: String,
        /// Its Kubo is away: nothing comes of it now.
        is_away: bool,
    },
    /// It does not know the pin, or that it shall hold it.
    Unknown,
}

impl PeerState {
    /// The state that a row of `Unsettled`, or none, stands for, with a record of this second; `None`
    /// where the peer has to let go.
    #[must_use]
    pub fn of_unsettled(unsettled: Option<&Unsettled>, record: u64) -> Option<Self> {
        let Some(unsettled) = unsettled else { return Some(Self::Held { record }) };
        if unsettled.goal == Goal::Unpin {
            return None;
        }
        if unsettled.was_pinned && !unsettled.is_lost {
            return Some(Self::Held { record });
        }
        let (lost, attempts) = (unsettled.is_lost, unsettled.attempts);
        Some(Self::Missing { lost, attempts, error: unsettled.error.clone(), is_away: false })
    }

    /// The same where the peer's Kubo may be away, and these words tell how that showed.
    #[must_use]
    pub fn while_away(self, words: Option<&str>) -> Self {
        match (self, words) {
            (Self::Missing { lost, attempts, .. }, Some(words)) => {
                Self::Missing { lost, attempts, error: words.to_owned(), is_away: true }
            }
            (state, _) => state,
        }
    }

    /// The state of a pin at the peer whose rows these are (its binary id).
    #[must_use]
    pub fn of_row(row: Row<'_>, peer: &[u8]) -> Self {
        let parsed = row.pin.and_then(PinRow::parse).filter(|pin| pin.is_for(peer));
        let Some(pin) = parsed.and_then(|pin| pin.pin(row.key)) else { return Self::Unknown };
        match row.unsettled.map(Unsettled::decode) {
            None => Self::Held { record: pin.created_at },
            Some(None) => Self::Unknown,
            Some(Some(unsettled)) => {
                Self::of_unsettled(Some(&unsettled), pin.created_at).unwrap_or(Self::Unknown)
            }
        }
    }
}

/// What a peer tells of a pin to those who listen to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Which pin.
    pub cid: Cid,
    /// How it stands.
    pub news: News,
}

/// What is new of a pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It came into this state.
    State(PeerState),
    /// A running attempt has fetched so much.
    Progress {
        /// Nodes fetched.
        nodes: u64,
        /// Bytes fetched.
        bytes: u64,
    },
}

/// A row of `Spread`: other peers that shall hold the pin and are not known to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lacking(pub BTreeSet<PeerId>);

impl Lacking {
    /// The row's bytes: each peer's binary id behind its length.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut row = Vec::new();
        for peer in self.0.iter().take(PEERS_MAX) {
            let id = peer.encode();
            put_uvarint(&mut row, id.len() as u64);
            row.extend_from_slice(&id);
        }
        row
    }

    /// Reads a row; `None` when it is damaged.
    #[must_use]
    pub fn decode(row: &[u8]) -> Option<Self> {
        let (mut reader, mut peers) = (RowReader(row), BTreeSet::new());
        while !reader.0.is_empty() {
            peers.insert(PeerId::decode(reader.run()?).ok()?);
        }
        Some(Self(peers))
    }

    pub(crate) fn load<S: Store>(store: &S, key: &PinKey) -> Result<Self, StoreError> {
        let Some(row) = store.get(Space::Spread, key.as_bytes())? else {
            return Ok(Self::default());
        };
        let damaged = || StoreError::Damaged { what: format!("spread row of {}", key.to_text()) };
        Self::decode(&row).ok_or_else(damaged)
    }

    /// Writes the row in place of `old`, if it differs.
    pub(crate) fn save<S: Store>(&self, store: &mut S, key: &PinKey, old: &Self) {
        if self.0.is_empty() && !old.0.is_empty() {
            store.delete(Space::Spread, key.as_bytes().to_vec());
        } else if self != old {
            store.put(Space::Spread, key.as_bytes().to_vec(), self.encode());
        }
    }
}

/// Whether so many hold a pin as must, when of those that shall hold it these do not.
/// `is_member`: who counts for what is pinned everywhere.
#[must_use]
pub fn suffices(
    pin: &Pin,
    without: &BTreeSet<PeerId>,
    is_member: impl Fn(&PeerId) -> bool,
) -> bool {
    match pin.replication {
        Replication::Unusable { .. } => true,
        Replication::Everywhere => !without.iter().any(is_member),
        Replication::Between { min, .. } => {
            let holders: BTreeSet<_> =
                pin.allocations.iter().filter(|peer| !without.contains(peer)).collect();
            holders.len() >= usize::from(min.get())
        }
    }
}

/// Whether a row is a pin that so many hold as must. What they did hold counts until it is reported
/// lost. `own` is the peer whose rows these are.
#[must_use]
pub fn is_pinned(
    row: Row<'_>,
    pin: PinRow<'_>,
    own: &PeerId,
    is_member: impl Fn(&PeerId) -> bool,
) -> bool {
    if pin.is_held_by_none() {
        return false;
    }
    if row.unsettled.is_none() && row.spread.is_none() {
        return true;
    }
    let Some(mut lacking) = Lacking::decode(row.spread.unwrap_or_default()) else { return false };
    let holds = |row| {
        let unsettled = Unsettled::decode(row);
        let state = unsettled.and_then(|row| PeerState::of_unsettled(Some(&row), 0));
        matches!(state, Some(PeerState::Held { .. }))
    };
    if !row.unsettled.is_none_or(holds) {
        lacking.0.insert(*own);
    }
    pin.pin(row.key).is_some_and(|pin| suffices(&pin, &lacking.0, is_member))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Time;

    const CID: &str = "bafybeid7glsnbvlwu3xe4j2zffc2vpr4kcznl6k5k2nyrijzmfpyxvrtce";

    fn peer(number: u8) -> PeerId {
        PeerId::decode(&[&[0, 36, 8, 1, 18, 32], [number; 32].as_slice()].concat()).unwrap()
    }

    fn pin(replication: Replication, peers: &[u8]) -> Pin {
        let allocations = peers.iter().map(|number| peer(*number)).collect();
        Pin { allocations, ..Pin::new(CID.parse().unwrap(), replication, 1) }
    }

    fn set(peers: &[u8]) -> BTreeSet<PeerId> {
        peers.iter().map(|number| peer(*number)).collect()
    }

    #[test]
    fn rows_survive_and_damaged_ones_are_told() {
        let lacking = Lacking(set(&[1, 2, 3]));
        assert_eq!(Lacking::decode(&lacking.encode()), Some(lacking.clone()));
        assert_eq!(Lacking::decode(&[]), Some(Lacking::default()));
        assert_eq!(Lacking::decode(&lacking.encode()[1..]), None);
    }

    #[test]
    fn the_minimum_of_the_allocations_suffices() {
        let pin = pin(Replication::from_stored(2, 3), &[1, 2, 3]);
        let nobody = |_: &PeerId| false;
        assert!(suffices(&pin, &set(&[]), nobody));
        assert!(suffices(&pin, &set(&[3, 9]), nobody));
        assert!(!suffices(&pin, &set(&[1, 3]), nobody));
    }

    #[test]
    fn everywhere_means_every_member() {
        let pin = pin(Replication::Everywhere, &[]);
        let one_to_three = |peer: &PeerId| set(&[1, 2, 3]).contains(peer);
        assert!(suffices(&pin, &set(&[4]), one_to_three));
        assert!(!suffices(&pin, &set(&[2, 4]), one_to_three));
    }

    #[test]
    fn a_name_that_is_to_change_does_not_make_a_pin_missing() {
        let held = Unsettled { was_pinned: true, ..Unsettled::new(Goal::Pin, Time(1)) };
        let lost = Unsettled { is_lost: true, ..held.clone() };
        let failed = Unsettled { attempts: 1, error: "no".to_owned(), ..lost.clone() };
        let of = |unsettled: &Unsettled| PeerState::of_unsettled(Some(unsettled), 7);
        let missing = |attempts, error: &str| {
            Some(PeerState::Missing {
                lost: true,
                attempts,
                error: error.to_owned(),
                is_away: false,
            })
        };
        assert_eq!(of(&held), Some(PeerState::Held { record: 7 }));
        assert_eq!(of(&lost), missing(0, ""));
        assert_eq!(of(&failed), missing(1, "no"));
        assert_eq!(of(&Unsettled::new(Goal::Unpin, Time(1))), None);
        assert_eq!(PeerState::of_unsettled(None, 7), Some(PeerState::Held { record: 7 }));
    }
}

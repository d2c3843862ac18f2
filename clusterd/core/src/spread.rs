//! What other peers say of a pin that is not pinned yet: who holds it, who failed.
//!
//! A row exists only while it matters: from the record's change until enough peers hold it, and
//! again when one of them reports it lost. A cluster of one peer has none.

use std::collections::BTreeSet;

use common::ids::PeerId;
use common::pin::{Pin, PinType, Replication};

use crate::input::Time;
use crate::pinset::key::PinKey;
use crate::row::{RowReader, put_uvarint};
use crate::store::{Space, Store, StoreError};

/// Names of the facts that give each peer a small number, before the number.
const PEER_OF_NUMBER: &[u8] = b"peer/";
/// Most peers that are numbered; ten times the largest cluster that is known of.
const PEERS_MAX: usize = 10_000;
/// Bytes of an error's words that are kept.
const ERROR_BYTES_MAX: usize = 256;

const LISTED: u8 = 1;

/// Who shall hold a pin, and how many of them suffice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Whether this peer is among them.
    pub(crate) here: bool,
    /// The others.
    pub(crate) others: BTreeSet<PeerId>,
    /// Fewest that must hold it.
    pub(crate) needed: usize,
}

impl Wanted {
    /// For a record, as seen by the peer `own` among these members (itself included).
    pub(crate) fn of(pin: &Pin, own: &PeerId, members: &BTreeSet<PeerId>) -> Self {
        let nobody = Self { here: false, others: BTreeSet::new(), needed: 0 };
        if pin.kind == PinType::Meta {
            return nobody;
        }
        let without_own = |peers: &mut dyn Iterator<Item = &PeerId>| -> BTreeSet<PeerId> {
            peers.filter(|peer| *peer != own).copied().collect()
        };
        match pin.replication {
            Replication::Everywhere => Self {
                here: true,
                others: without_own(&mut members.iter()),
                needed: members.len(),
            },
            Replication::Between { min, .. } => Self {
                here: pin.allocations.contains(own),
                others: without_own(&mut pin.allocations.iter()),
                needed: usize::from(min.get()),
            },
            Replication::Unusable { .. } => nobody,
        }
    }
}

/// What is known of the others, by their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SpreadRow {
    /// It was pinned before and nobody has said otherwise of too many: it stays listed.
    pub(crate) is_listed: bool,
    /// Since when it is open.
    pub(crate) since: Time,
    /// Who reported that it holds it.
    pub(crate) holders: BTreeSet<u32>,
    /// Whose newest attempt failed.
    pub(crate) failed: BTreeSet<u32>,
    /// Words of the newest failure; empty for none.
    pub(crate) error: String,
}

/// What a row means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Enough peers hold it.
    Pinned,
    /// So many failed an attempt that the number cannot be met for now.
    Failing,
    /// It is under way.
    Open,
}

/// How this peer itself is with the pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Here {
    /// Its Kubo holds it.
    Holds,
    /// Its newest attempt failed.
    Failed,
    /// Neither, or it is not wanted here.
    Open,
}

impl SpreadRow {
    /// The row's bytes: flags, begin, then both sets with their sizes, as varints, then the words.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut row = vec![if self.is_listed { LISTED } else { 0 }];
        put_uvarint(&mut row, self.since.0);
        for set in [&self.holders, &self.failed] {
            put_uvarint(&mut row, set.len() as u64);
            set.iter().for_each(|number| put_uvarint(&mut row, u64::from(*number)));
        }
        row.extend_from_slice(crate::row::cut(&self.error, ERROR_BYTES_MAX).as_bytes());
        row
    }

    /// Reads a row; `None` when it is damaged.
    pub(crate) fn decode(row: &[u8]) -> Option<Self> {
        let mut reader = RowReader(row);
        let is_listed = reader.byte()? & LISTED != 0;
        let since = Time(reader.uvarint()?);
        let mut sets = [BTreeSet::new(), BTreeSet::new()];
        for set in &mut sets {
            for _ in 0..reader.uvarint()? {
                set.insert(u32::try_from(reader.uvarint()?).ok()?);
            }
        }
        let [holders, failed] = sets;
        let error = String::from_utf8_lossy(reader.0).into_owned();
        Some(Self { is_listed, since, holders, failed, error })
    }

    /// The row of a key.
    pub(crate) fn load<S: Store>(store: &S, key: &PinKey) -> Result<Option<Self>, StoreError> {
        let Some(row) = store.get(Space::Spread, key.as_bytes())? else {
            return Ok(None);
        };
        let damaged = || StoreError::Damaged { what: format!("spread row of {}", key.to_text()) };
        Self::decode(&row).map(Some).ok_or_else(damaged)
    }

    /// Puts the row of a key in place, or takes it away.
    pub(crate) fn save<S: Store>(row: Option<&Self>, store: &mut S, key: &PinKey) {
        match row {
            Some(row) => store.put(Space::Spread, key.as_bytes().to_vec(), row.encode()),
            None => store.delete(Space::Spread, key.as_bytes().to_vec()),
        }
    }

    /// Whether enough hold it, or too many failed.
    pub(crate) fn judge(&self, wanted: &Wanted, here: Here, peers: &PeerNumbers) -> Verdict {
        let count = |set: &BTreeSet<u32>| {
            let peers = set.iter().filter_map(|number| peers.peer(*number));
            peers.filter(|peer| wanted.others.contains(peer)).count()
        };
        let own = |state: Here| usize::from(wanted.here && here == state);
        if count(&self.holders) + own(Here::Holds) >= wanted.needed {
            return Verdict::Pinned;
        }
        let failed = count(&self.failed) + own(Here::Failed);
        let able = wanted.others.len() + usize::from(wanted.here);
        if able.saturating_sub(failed) < wanted.needed { Verdict::Failing } else { Verdict::Open }
    }
}

/// Whether the row keeps its pin out of the listings; a damaged one does.
#[must_use]
pub fn keeps_out(row: &[u8]) -> bool {
    row.first().is_none_or(|flags| flags & LISTED == 0)
}

/// Small numbers for peers, so that a row of many holders stays short.
#[derive(Debug, Default)]
pub(crate) struct PeerNumbers {
    peers: Vec<PeerId>,
}

impl PeerNumbers {
    /// Reads the numbers given so far.
    pub(crate) fn load<S: Store>(store: &S) -> Result<Self, StoreError> {
        let rows = store.scan(Space::Meta, PEER_OF_NUMBER, None, PEERS_MAX)?;
        let peer = |(key, peer): (Vec<u8>, Vec<u8>)| {
            let damaged = || StoreError::Damaged { what: format!("a peer's number {key:02x?}") };
            PeerId::decode(&peer).map_err(|_| damaged())
        };
        Ok(Self { peers: rows.into_iter().map(peer).collect::<Result<_, _>>()? })
    }

    /// The peer with a number.
    pub(crate) fn peer(&self, number: u32) -> Option<PeerId> {
        self.peers.get(usize::try_from(number).ok()?).copied()
    }

    /// The number of a peer, if it has one.
    pub(crate) fn number(&self, peer: &PeerId) -> Option<u32> {
        let place = self.peers.iter().position(|known| known == peer)?;
        u32::try_from(place).ok()
    }

    /// The number of a peer, a new one if need be; `None` when there are too many.
    pub(crate) fn number_or_new<S: Store>(&mut self, store: &mut S, peer: &PeerId) -> Option<u32> {
        if let Some(number) = self.number(peer) {
            return Some(number);
        }
        let number = u32::try_from(self.peers.len()).ok().filter(|_| self.peers.len() < PEERS_MAX)?;
        let key = [PEER_OF_NUMBER, number.to_be_bytes().as_slice()].concat();
        store.put(Space::Meta, key, peer.encode());
        self.peers.push(*peer);
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;
    use common::ids::Cid;

    const CID: &str = "bafybeid7glsnbvlwu3xe4j2zffc2vpr4kcznl6k5k2nyrijzmfpyxvrtce";
    const PEERS: [&str; 3] = [
        "12D3KooWPU2wk6iUQAcXnhcPm7z5TzpGe6fe9HZYrmDfWz3FJCHt",
        "12D3KooWSUmugQVfogFSJyTSqNpXmGmreFgPncRsbcuQyASKoN6G",
        "12D3KooWSZ2ZmmbwDEcQsJwM2QWHLhiQWc5hUAGivYC9fDYPEPha",
    ];

    fn peer(number: usize) -> PeerId {
        PEERS[number].parse().unwrap()
    }

    fn pin(replication: Replication, allocations: &[usize]) -> Pin {
        let cid: Cid = CID.parse().unwrap();
        let allocations = allocations.iter().map(|number| peer(*number)).collect();
        Pin { allocations, ..Pin::new(cid, replication, 1) }
    }

    fn row(store: &mut MemoryStore, peers: &mut PeerNumbers, sets: [&[usize]; 2]) -> SpreadRow {
        let mut numbers = |set: &[usize]| {
            set.iter().map(|at| peers.number_or_new(store, &peer(*at)).unwrap()).collect()
        };
        let [holders, failed] = sets.map(&mut numbers);
        SpreadRow { holders, failed, ..SpreadRow::default() }
    }

    #[test]
    fn rows_survive_and_cut_words() {
        let row = SpreadRow {
            is_listed: true,
            since: Time(77),
            holders: BTreeSet::from([0, 300]),
            failed: BTreeSet::from([2]),
            error: "é".repeat(200),
        };
        let back = SpreadRow::decode(&row.encode()).unwrap();
        assert_eq!(back, SpreadRow { error: "é".repeat(128), ..row.clone() });
        assert!(!keeps_out(&row.encode()) && keeps_out(&SpreadRow::default().encode()));
        assert_eq!(SpreadRow::decode(&[]), None);
    }

    #[test]
    fn enough_holders_make_it_pinned_and_enough_failures_make_it_fail() {
        let (mut store, mut peers) = (MemoryStore::default(), PeerNumbers::default());
        let members: BTreeSet<PeerId> = (0..3).map(peer).collect();
        let two_of_three = pin(Replication::from_stored(2, 3), &[0, 1, 2]);
        let wanted = Wanted::of(&two_of_three, &peer(0), &members);
        assert!(wanted.here && wanted.others.len() == 2);
        let mut judge = |sets: [&[usize]; 2], here| {
            row(&mut store, &mut peers, sets).judge(&wanted, here, &peers)
        };
        assert_eq!(judge([&[1], &[]], Here::Open), Verdict::Open);
        assert_eq!(judge([&[1], &[]], Here::Holds), Verdict::Pinned);
        assert_eq!(judge([&[1, 2], &[]], Here::Failed), Verdict::Pinned);
        assert_eq!(judge([&[], &[1]], Here::Open), Verdict::Open);
        assert_eq!(judge([&[], &[1]], Here::Failed), Verdict::Failing);
    }

    #[test]
    fn everywhere_means_all_members_of_now() {
        let everywhere = pin(Replication::Everywhere, &[]);
        let alone = BTreeSet::from([peer(0)]);
        let wanted = Wanted::of(&everywhere, &peer(0), &alone);
        assert_eq!((wanted.others.len(), wanted.needed), (0, 1));
        let members: BTreeSet<PeerId> = (0..3).map(peer).collect();
        let wanted = Wanted::of(&everywhere, &peer(0), &members);
        assert_eq!((wanted.others.len(), wanted.needed), (2, 3));
    }

    #[test]
    fn a_peer_keeps_its_number_over_a_restart() {
        let (mut store, mut peers) = (MemoryStore::default(), PeerNumbers::default());
        for at in [2, 0, 2, 1] {
            peers.number_or_new(&mut store, &peer(at)).unwrap();
        }
        store.commit().unwrap();
        let again = PeerNumbers::load(&store).unwrap();
        assert_eq!((again.number(&peer(2)), again.number(&peer(1))), (Some(0), Some(2)));
        assert_eq!(again.peer(1), Some(peer(0)));
    }
}

//! Which one of several peers does what one alone should do, without their talking about it.

use common::ids::{Cid, PeerId};
use multihash_codetable::{Code, MultihashDigest};

type Hash = [u8; 32];

/// Peers that may be elected, with their hashes.
///
/// Elected for a CID is the peer whose hash is closest to that of the CID, by XOR. Peers that see the same
/// members and trust the same ones agree. Source: `distanceChecker` in `util.go` of Go ipfs-cluster 1.1.6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Electors(Vec<(Hash, PeerId)>);

impl Electors {
    /// These peers; none may be given twice.
    pub fn new(peers: impl IntoIterator<Item = PeerId>) -> Self {
        Self(peers.into_iter().map(|peer| (hash(&peer.encode()), peer)).collect())
    }

    /// The one that is elected for a CID; `None` when there is nobody.
    #[must_use]
    pub fn elected(&self, cid: &Cid) -> Option<PeerId> {
        let of_cid = hash(&cid.encode());
        let distance = |of_peer: &Hash| {
            let mut distance = *of_peer;
            distance.iter_mut().zip(of_cid).for_each(|(byte, other)| *byte ^= other);
            distance
        };
        self.0.iter().min_by_key(|(of_peer, _)| distance(of_peer)).map(|(_, peer)| *peer)
    }
}

fn hash(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    let digest = Code::Blake2b256.digest(bytes);
    hash.iter_mut().zip(digest.digest()).for_each(|(byte, digested)| *byte = *digested);
    hash
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    /// Computed by the code of Go ipfs-cluster.
    const VECTORS: &str = include_str!("../tests/vectors/distance.json");

    #[derive(Deserialize)]
    struct Vectors {
        peers: BTreeMap<String, Peer>,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Peer {
        id: PeerId,
        hash: String,
    }

    #[derive(Deserialize)]
    struct Case {
        cid: Cid,
        cid_hash: String,
        closest: String,
    }

    #[test]
    fn go_elects_the_same_peer() {
        let hex = |hash: Hash| data_encoding::HEXLOWER.encode(&hash);
        let Vectors { peers, cases } = serde_json::from_str(VECTORS).unwrap();
        for peer in peers.values() {
            assert_eq!(hex(hash(&peer.id.encode())), peer.hash);
        }
        let electors = Electors::new(peers.values().map(|peer| peer.id));
        let mut elected = std::collections::BTreeSet::new();
        for case in &cases {
            assert_eq!(hex(hash(&case.cid.encode())), case.cid_hash);
            assert_eq!(electors.elected(&case.cid), Some(peers[&case.closest].id), "{}", case.cid);
            elected.insert(&case.closest);
        }
        assert_eq!(elected.len(), peers.len(), "the cases tell the peers apart");
        assert_eq!(Electors::new([]).elected(&cases[0].cid), None);
    }
}

//! Who fell silent, and who is back: one line each in the log.

use std::collections::BTreeSet;

use common::ids::PeerId;
use common::messages;

/// Members that fell silent and did not come back.
#[derive(Debug, Default)]
pub(super) struct Silence(BTreeSet<PeerId>);

impl Silence {
    /// Takes the members as they were and as they are, and tells what changed. `known` are all that
    /// told anything lately: the rest is forgotten.
    pub(super) fn tell(
        &mut self,
        old: &BTreeSet<PeerId>,
        new: &BTreeSet<PeerId>,
        known: &BTreeSet<PeerId>,
    ) {
        let (lost, back) = self.changed(old, new, known);
        for peer in lost {
            tracing::warn!(
                name: messages::PEER_SILENT, %peer,
                "a peer fell silent: its last ping has run out"
            );
        }
        for peer in back {
            tracing::info!(%peer, "a peer that was silent is back");
        }
    }

    fn changed(
        &mut self,
        old: &BTreeSet<PeerId>,
        new: &BTreeSet<PeerId>,
        known: &BTreeSet<PeerId>,
    ) -> (Vec<PeerId>, Vec<PeerId>) {
        let lost: Vec<PeerId> = old.difference(new).copied().collect();
        let back: Vec<PeerId> = self.0.intersection(new).copied().collect();
        self.0.retain(|peer| known.contains(peer) && !new.contains(peer));
        self.0.extend(&lost);
        (lost, back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(peers: &[usize]) -> BTreeSet<PeerId> {
        let ids = [
            "12D3KooWPU2wk6iUQAcXnhcPm7z5TzpGe6fe9HZYrmDfWz3FJCHt",
            "12D3KooWSUmugQVfogFSJyTSqNpXmGmreFgPncRsbcuQyASKoN6G",
        ];
        peers.iter().map(|peer| ids[*peer].parse().unwrap()).collect()
    }

    #[test]
    fn each_loss_and_each_return_is_told_once() {
        let mut silence = Silence::default();
        let (one, both) = (set(&[0]), set(&[0, 1]));
        let other: Vec<PeerId> = set(&[1]).into_iter().collect();
        // A peer that was never seen before is new, and not back.
        assert_eq!(silence.changed(&one, &both, &both), (vec![], vec![]));
        assert_eq!(silence.changed(&both, &one, &both), (other.clone(), vec![]));
        assert_eq!(silence.changed(&one, &one, &both), (vec![], vec![]));
        assert_eq!(silence.changed(&one, &both, &both), (vec![], other.clone()));
        assert_eq!(silence.changed(&both, &one, &both), (other, vec![]));
        // Forgotten: when it comes again, it is new.
        assert_eq!(silence.changed(&one, &one, &one), (vec![], vec![]));
        assert_eq!(silence.changed(&one, &both, &both), (vec![], vec![]));
    }
}

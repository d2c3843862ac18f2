//! What must hold in a world that had time to heal.

use std::collections::{BTreeMap, BTreeSet};

use clusterd_core::pinset::codec::{Block, BlockId};
use clusterd_core::pinset::key::PinKey;
use clusterd_core::pinset::pin_row::{self, PinRow};
use clusterd_core::pinset::record::decode_pin;
use clusterd_core::pinset::set::block_bytes;
use clusterd_core::spread::Lacking;
use clusterd_core::store::{Space, Store};
use common::ids::Cid;
use common::pin::Pin;

use crate::oracle::Meaning;
use crate::world::World;

impl World {
    pub(crate) fn check(&mut self) {
        let blocks = self.blocks();
        let meaning = Meaning::of(&blocks);
        self.check_blocks(&blocks);
        for at in 0..self.peers.len() {
            self.check_peer(at, &blocks, &meaning);
        }
        let pins = self.pins(0);
        for (cid, accepted) in &self.accepted {
            let is_unpinned = self.unpinned.get(cid).is_some_and(|unpinned| unpinned > accepted);
            let is_safe = is_unpinned || pins.contains_key(cid);
            let key = PinKey::from_cid(cid).to_text();
            assert!(
                is_safe,
                "the pin {cid} of request {accepted} is lost:\n{}",
                history(&key, &blocks)
            );
        }
        self.report.blocks = blocks.len() as u64;
        self.report.pins = pins.len() as u64;
    }

    /// Everything that any peer has.
    fn blocks(&self) -> BTreeMap<BlockId, Block> {
        let mut blocks = BTreeMap::new();
        for at in 0..self.peers.len() {
            let store = self.peers[at].node.as_ref().unwrap().store();
            for id in self.blocks_of(at) {
                blocks.entry(id).or_insert_with(|| {
                    let bytes = block_bytes(store, &id).unwrap().unwrap();
                    assert_eq!(BlockId::of(&bytes), id, "bytes under a wrong name");
                    Block::decode(&bytes).unwrap()
                });
            }
        }
        blocks
    }

    /// Those that peers wrote, not liars: each is one higher than all that it links to.
    fn check_blocks(&self, blocks: &BTreeMap<BlockId, Block>) {
        for (id, block) in blocks {
            if self.forged.contains_key(id) {
                continue;
            }
            assert!(block.links.is_sorted(), "links out of order");
            let heights = block.links.iter().map(|link| blocks[link].delta.priority);
            let (height, least) = (block.delta.priority, heights.max().unwrap_or(0) + 1);
            // A liar's block may say that it is lower than what it links to.
            let is_right = if self.climate.has_liars { height >= least } else { height == least };
            assert!(is_right, "height of {id:?}: {height}, not {least}");
        }
    }

    fn check_peer(&self, at: usize, blocks: &BTreeMap<BlockId, Block>, meaning: &Meaning) {
        let peer = &self.peers[at];
        let node = peer.node.as_ref().unwrap();
        let missing = blocks.len() - self.blocks_of(at).len();
        let progress = node.progress();
        assert_eq!(missing, 0, "peer {at} lacks blocks, {progress:?}");
        if !self.climate.has_liars {
            assert_eq!(progress.wanted, 0, "peer {at} wants what is not there");
        }
        let heads: BTreeSet<BlockId> = node.heads().iter().map(|(id, _)| id).collect();
        assert_eq!(heads, meaning.heads, "heads of peer {at}");
        let rows = node.store().rows(Space::Pins).into_iter();
        let values: BTreeMap<String, Vec<u8>> = rows
            .map(|(key, row)| {
                let value = PinRow::parse(&row).unwrap().value(&key);
                (PinKey::from_stored(key).to_text(), value)
            })
            .collect();
        if let Some(key) = difference(&values, &meaning.values) {
            let row = node.store().get(Space::Pins, PinKey::from_text(key).as_bytes()).unwrap();
            let row = row.as_deref().and_then(PinRow::parse).map(|row| (row.priority, row.block));
            panic!("value of {key} at peer {at}, {row:?}:\n{}", history(key, blocks));
        }
        let pins = self.pins(at);
        assert_eq!(node.counts().pins, pins.len() as u64, "counts of peer {at}");
        assert_eq!(node.counts().unsettled(), 0, "unsettled at peer {at}");
        let lacking = node.store().rows(Space::Spread);
        if let Some((key, row)) = lacking.into_iter().next() {
            let pin = pins.get(&PinKey::from_stored(key).to_cid().unwrap());
            panic!("peer {at} does not know that {:?} hold {pin:?}", Lacking::decode(&row));
        }
        let ours: BTreeMap<Cid, String> = pins
            .into_iter()
            .filter(|(_, pin)| pin_row::is_for(pin, &peer.config.peer))
            .map(|(cid, pin)| (cid, pin.name))
            .collect();
        let held: BTreeMap<Cid, String> =
            peer.kubo.held.iter().map(|(cid, (_, name))| (*cid, name.clone())).collect();
        assert_eq!(held, ours, "what the Kubo of peer {at} holds");
        assert!(peer.open.is_empty(), "peer {at} never answered {:?}", peer.open);
        assert!(!node.store().is_dirty(), "peer {at} has an open batch");
    }

    pub(crate) fn pins(&self, at: usize) -> BTreeMap<Cid, Pin> {
        let store = self.peers[at].node.as_ref().unwrap().store();
        let rows = store.rows(Space::Pins).into_iter();
        let pins = rows.filter_map(|(key, row)| PinRow::parse(&row).unwrap().pin(&key));
        pins.map(|pin| (pin.cid, pin)).collect()
    }
}

/// A key whose values differ.
fn difference<'a>(
    ours: &'a BTreeMap<String, Vec<u8>>,
    meant: &'a BTreeMap<String, Vec<u8>>,
) -> Option<&'a str> {
    let mut keys = ours.keys().chain(meant.keys());
    keys.find(|key| ours.get(*key) != meant.get(*key)).map(String::as_str)
}

/// All that was ever written to a key, for whoever looks for the fault.
fn history(key: &str, blocks: &BTreeMap<BlockId, Block>) -> String {
    let mut lines = Vec::new();
    for (id, block) in blocks {
        let height = block.delta.priority;
        for element in block.delta.elements.iter().filter(|element| element.key == key) {
            let name = decode_pin(&element.value).map(|pin| (pin.name, pin.created_at));
            lines.push(format!("{height:>4} {id:?} puts {name:?}"));
        }
        for tombstone in block.delta.tombstones.iter().filter(|tomb| tomb.key == key) {
            lines.push(format!("{height:>4} {id:?} removes {}", tombstone.id));
        }
    }
    lines.sort();
    lines.join("\n")
}

//! Peers that are trusted and lie: heads that nobody has, blocks that are none, links to nothing.

use clusterd_core::pinset::codec::{Block, BlockId};
use clusterd_core::pinset::delta::{Delta, Element};
use clusterd_core::pinset::key::PinKey;

use crate::act::cid;
use crate::report::Fault;
use crate::world::World;

/// CIDs that only liars use: what they write over others' records nobody can guard.
const LIED: u64 = 200;

impl World {
    /// Bytes that are not those of the block.
    pub(crate) fn wrong_bytes(&mut self, at: usize, id: &BlockId) -> Vec<u8> {
        let others: Vec<usize> = (0..self.peers.len()).filter(|to| *to != at).collect();
        let real = others.into_iter().find_map(|other| self.durable(other, id));
        match real {
            // The block of another CID, or this one with a bit turned: it may still parse.
            Some(mut bytes) if !bytes.is_empty() => {
                let at = self.index(bytes.len());
                bytes[at] ^= 1 << self.chance.below(8);
                bytes
            }
            Some(_) | None => {
                let blocks: Vec<Vec<u8>> = self.forged.values().cloned().collect();
                let bytes = self.chance.of(blocks).unwrap_or_default();
                // The right ones after all: then something is wrong with them that shows elsewhere.
                if BlockId::of(&bytes) == *id { vec![0] } else { bytes }
            }
        }
    }

    pub(crate) fn lie(&mut self) {
        let random: Vec<u8> =
            (0..8).map(|_| u8::try_from(self.chance.below(256)).unwrap()).collect();
        let nothing = BlockId::of(&random);
        let head = match self.chance.below(5) {
            0 => {
                self.report.count(Fault::HeadThatNobodyHas);
                nothing
            }
            1 => {
                self.report.count(Fault::HeadThatIsNoBlock);
                self.forge(random)
            }
            2 => {
                self.report.count(Fault::LinkToNothing);
                let mut links = self.some_heads();
                links.push(nothing);
                let block = self.forged_block(links, 64);
                self.forge(block.encode())
            }
            3 => {
                self.report.count(Fault::HugeBlock);
                let links = self.some_heads();
                let block = self.forged_block(links, 3 << 20);
                self.forge(block.encode())
            }
            _ => {
                // A sound block on top of one that is none.
                self.report.count(Fault::HeadThatIsNoBlock);
                let below = self.forge(random);
                let block = self.forged_block(vec![below], 64);
                self.forge(block.encode())
            }
        };
        for to in 0..self.peers.len() {
            if self.peers[to].node.is_some() && self.roll(2) {
                self.send(to, &[head]);
            }
        }
    }

    /// A block on top of a peer's heads that links to nothing besides.
    pub(crate) fn link_to_nothing(&mut self, at: usize) -> (BlockId, Vec<u8>) {
        let node = self.peers[at].node.as_ref().unwrap();
        let mut links: Vec<BlockId> = node.heads().iter().map(|(id, _)| id).collect();
        links.push(BlockId::of(b"nothing"));
        let bytes = self.forged_block(links, 64).encode();
        (BlockId::of(&bytes), bytes)
    }

    fn forge(&mut self, bytes: Vec<u8>) -> BlockId {
        let id = BlockId::of(&bytes);
        self.forged.insert(id, bytes);
        id
    }

    fn some_heads(&mut self) -> Vec<BlockId> {
        let Some(at) = self.chance.of(self.running()) else { return Vec::new() };
        let node = self.peers[at].node.as_ref();
        node.into_iter().flat_map(|node| node.heads().iter()).map(|(id, _)| id).collect()
    }

    fn forged_block(&mut self, mut links: Vec<BlockId>, bytes: usize) -> Block {
        links.sort();
        let element = |key: String, value: Vec<u8>| Element { key, id: String::new(), value };
        let key = PinKey::from_cid(&cid(LIED + self.chance.below(3))).to_text();
        let elements = vec![
            element(key, vec![7; 20]),
            element("/no cid".to_owned(), vec![1; bytes]),
            element(format!("/{}", "K".repeat(70_000)), vec![2]),
        ];
        let priority = self.chance.below(30);
        Block { links, delta: Delta { elements, tombstones: Vec::new(), priority } }
    }
}

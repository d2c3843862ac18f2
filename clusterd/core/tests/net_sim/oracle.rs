//! What a set of blocks means, computed in the plainest way: from all of them at once.

use std::collections::{BTreeMap, BTreeSet};

use clusterd_core::pinset::codec::{Block, BlockId};

/// Longer keys are left out by every peer.
const KEY_TEXT_MAX: usize = 1024;

/// Heads and values of a history.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// Blocks that no other links to.
    pub(crate) heads: BTreeSet<BlockId>,
    /// By the text of the key.
    pub(crate) values: BTreeMap<String, Vec<u8>>,
}

impl Meaning {
    pub(crate) fn of(blocks: &BTreeMap<BlockId, Block>) -> Self {
        let mut heads: BTreeSet<BlockId> = blocks.keys().copied().collect();
        let mut buried: BTreeSet<(&str, &str)> = BTreeSet::new();
        for block in blocks.values() {
            for link in &block.links {
                heads.remove(link);
            }
            for tombstone in &block.delta.tombstones {
                buried.insert((&tombstone.key, &tombstone.id));
            }
        }
        let mut best: BTreeMap<&str, (u64, &[u8])> = BTreeMap::new();
        for (id, block) in blocks {
            let text = id.to_text();
            for element in &block.delta.elements {
                let key = element.key.as_str();
                if key.len() > KEY_TEXT_MAX || buried.contains(&(key, text.as_str())) {
                    continue;
                }
                let value = (block.delta.priority, element.value.as_slice());
                let entry = best.entry(key).or_insert(value);
                *entry = value.max(*entry);
            }
        }
        let values = best.into_iter().map(|(key, (_, value))| (key.to_owned(), value.to_vec()));
        Self { heads, values: values.collect() }
    }
}

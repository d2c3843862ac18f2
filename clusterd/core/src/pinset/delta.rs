//! One change of the pinset: elements and tombstones, in the order they were made.

use prost::Message;

use super::codec::BlockId;
use super::key::PinKey;

/// At this many bytes a delta is closed and another begun: Go's limit, and below every message limit.
pub const DELTA_BYTES_MAX: usize = 1 << 20;

/// Elements are added and tombstones remove the blocks that added them.
/// Source: the `Delta` message of go-ds-crdt 0.6.
#[derive(Clone, PartialEq, Message)]
pub struct Delta {
    /// What is added.
    #[prost(message, repeated, tag = "1")]
    pub elements: Vec<Element>,
    /// What is removed.
    #[prost(message, repeated, tag = "2")]
    pub tombstones: Vec<Element>,
    /// Height of the block; the greater one wins.
    #[prost(uint64, tag = "3")]
    pub priority: u64,
}

/// An element (without id on the wire) or a tombstone (without value).
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Element {
    /// `/` and the CID as upper-case base32.
    #[prost(string, tag = "1")]
    pub key: String,
    /// For tombstones: text of the block that added the key, with its slash.
    #[prost(string, tag = "2")]
    pub id: String,
    /// For elements: the record.
    #[prost(bytes = "vec", tag = "3")]
    pub value: Vec<u8>,
}

/// A delta that local changes still go to. It never holds two elements of one key: Go's choice
/// between them would depend on what happens later.
#[derive(Debug, Default)]
pub(crate) struct OpenDelta {
    /// Number that the block will have in the store.
    pub(crate) sequence: u64,
    /// Height that the block will have.
    pub(crate) height: u64,
    elements: Vec<Element>,
    tombstones: Vec<Element>,
    bytes: usize,
}

impl OpenDelta {
    pub(crate) fn new(sequence: u64, height: u64) -> Self {
        Self { sequence, height, ..Self::default() }
    }

    /// Whether one more change of so many bytes would go over the limit.
    pub(crate) fn is_full(&self, more: usize) -> bool {
        self.bytes > 0 && self.bytes + more > DELTA_BYTES_MAX
    }

    /// How many changes it holds.
    pub(crate) fn len(&self) -> usize {
        self.elements.len() + self.tombstones.len()
    }

    /// Adds the element of a key that has none here.
    pub(crate) fn put(&mut self, key: String, value: Vec<u8>) {
        let element = Element { key, id: String::new(), value };
        self.bytes += size(&element);
        self.elements.push(element);
    }

    /// Takes back the element of a key. Looks from the end: what is taken back was often put just now.
    pub(crate) fn drop_element(&mut self, key: &PinKey) {
        let text = key.to_text();
        if let Some(place) = self.elements.iter().rposition(|element| element.key == text) {
            self.bytes -= size(&self.elements.remove(place));
        }
    }

    /// Removes what a block added.
    pub(crate) fn bury(&mut self, key: &PinKey, block: BlockId) {
        let tombstone = Element { key: key.to_text(), id: block.to_text(), value: Vec::new() };
        self.bytes += size(&tombstone);
        self.tombstones.push(tombstone);
    }

    /// The finished delta; `None` when nothing is left in it.
    pub(crate) fn close(self) -> Option<Delta> {
        let delta =
            Delta { elements: self.elements, tombstones: self.tombstones, priority: self.height };
        (!delta.elements.is_empty() || !delta.tombstones.is_empty()).then_some(delta)
    }
}

/// Bytes on the wire, a little rounded up for tag and length.
fn size(element: &Element) -> usize {
    element.encoded_len() + 4
}

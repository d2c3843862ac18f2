//! One message of bitswap, and how it is written.

use clusterd_core::pinset::codec::BlockId;
use prost::Message as _;

/// Largest message: what Go reads. Source: wire.md 5.
pub(super) const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// A block beside its bytes: prefix, tags and lengths, rounded up.
pub(super) const BLOCK_OVERHEAD: usize = 24;

/// How the CIDs of our blocks begin: version 1, dag-pb, sha2-256 of 32 bytes.
pub(super) const PREFIX: [u8; 4] = [0x01, 0x70, 0x12, 0x20];

/// What a message holds of our kind of blocks; others are left out when it is read.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Message {
    /// What the sender wants, or wants no more.
    pub(super) entries: Vec<Entry>,
    /// Whether `entries` replaces all that the sender wanted before.
    pub(super) full: bool,
    /// Bytes of blocks. Their identity is their hash: nothing else names them.
    pub(super) blocks: Vec<Vec<u8>>,
    /// What the sender says of blocks that it was asked for.
    pub(super) presences: Vec<(BlockId, Presence)>,
    /// Blocks of another kind that were in it.
    pub(super) foreign: usize,
}

/// One line of a wantlist.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Entry {
    /// Which block.
    pub(super) id: BlockId,
    /// What is asked.
    pub(super) ask: Ask,
    /// Higher is sooner.
    pub(super) priority: i32,
    /// Whether to say so when the block is not there.
    pub(super) send_dont_have: bool,
}

/// What is asked for a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// Whether it is there.
    Have,
    /// The block.
    Block,
    /// Nothing any more.
    Cancel,
}

/// Whether a peer has a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// It has.
    Have,
    /// It has not.
    DontHave,
}

impl Message {
    /// The message behind its length, as it goes into a stream.
    pub(super) fn to_frame(&self) -> Vec<u8> {
        let entries = self.entries.iter().map(|entry| EntryMessage {
            block: entry.id.cid_bytes(),
            priority: entry.priority,
            cancel: entry.ask == Ask::Cancel,
            want_type: i32::from(entry.ask == Ask::Have),
            send_dont_have: entry.send_dont_have,
        });
        let payload = self
            .blocks
            .iter()
            .map(|bytes| BlockMessage { prefix: PREFIX.to_vec(), data: bytes.clone() });
        let presences = self.presences.iter().map(|(id, presence)| PresenceMessage {
            cid: id.cid_bytes(),
            presence: i32::from(*presence == Presence::DontHave),
        });
        let message = WireMessage {
            // Go writes an empty list too.
            wantlist: Some(WantlistMessage { entries: entries.collect(), full: self.full }),
            payload: payload.collect(),
            presences: presences.collect(),
        };
        message.encode_length_delimited_to_vec()
    }
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WireMessage {
    #[prost(message, optional, tag = "1")]
    pub(super) wantlist: Option<WantlistMessage>,
    #[prost(message, repeated, tag = "3")]
    pub(super) payload: Vec<BlockMessage>,
    #[prost(message, repeated, tag = "4")]
    pub(super) presences: Vec<PresenceMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WantlistMessage {
    #[prost(message, repeated, tag = "1")]
    pub(super) entries: Vec<EntryMessage>,
    #[prost(bool, tag = "2")]
    pub(super) full: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct EntryMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) block: Vec<u8>,
    #[prost(int32, tag = "2")]
    pub(super) priority: i32,
    #[prost(bool, tag = "3")]
    pub(super) cancel: bool,
    /// 0: the block, 1: whether it is there.
    #[prost(int32, tag = "4")]
    pub(super) want_type: i32,
    #[prost(bool, tag = "5")]
    pub(super) send_dont_have: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct BlockMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) prefix: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) data: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PresenceMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) cid: Vec<u8>,
    /// 0: has it, 1: has it not.
    #[prost(int32, tag = "2")]
    pub(super) presence: i32,
}

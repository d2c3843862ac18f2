//! Blocks of the replicated history <-> bytes and CID (dag-pb around a delta).

use std::fmt;

use common::ids::Cid;
use data_encoding::BASE32_NOPAD;
use multihash_codetable::{Code, MultihashDigest};
use prost::Message;

use super::delta::Delta;
use super::record::CodecError;

/// Codec of the blocks.
const DAG_PB: u64 = 0x70;
/// Multihash header of sha2-256.
const SHA2_256: [u8; 2] = [0x12, 0x20];
/// Largest block that is read: Go's bitswap carries no more in a message.
pub const BLOCK_BYTES_MAX: usize = 4 << 20;

/// Greatest height that is read. A block at the end of the numbers would leave no room above it, and
/// every later change of any peer would lose.
const HEIGHT_MAX: u64 = 1 << 62;

const WHAT: &str = "a block";

/// Identity of a block: the sha2-256 of its bytes. All blocks are version 1, dag-pb, sha2-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockId([u8; 32]);

impl BlockId {
    /// The first one in order.
    pub(crate) const FIRST: Self = Self([0; 32]);

    /// The identity of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut digest = [0; 32];
        digest.copy_from_slice(Code::Sha2_256.digest(bytes).digest());
        Self(digest)
    }

    /// Takes a digest; `None` unless it has 32 bytes.
    #[must_use]
    pub fn from_digest(digest: &[u8]) -> Option<Self> {
        digest.try_into().ok().map(Self)
    }

    /// The digest.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.0
    }

    /// Takes a block's CID; `None` for every other kind of CID.
    #[must_use]
    pub fn from_cid(cid: &Cid) -> Option<Self> {
        let cid = cid.inner();
        let fits = cid.version() == cid::Version::V1
            && cid.codec() == DAG_PB
            && cid.hash().code() == u64::from(SHA2_256[0]);
        if fits { Self::from_digest(cid.hash().digest()) } else { None }
    }

    /// The binary CID: 36 bytes.
    #[must_use]
    pub fn cid_bytes(&self) -> Vec<u8> {
        [&[1, 0x70], &SHA2_256[..], &self.0].concat()
    }

    /// The block id in tombstones: `/` and the multihash as upper-case base32.
    /// Without the slash Go takes a tombstone but deletes nothing.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("/{}", BASE32_NOPAD.encode(&[&SHA2_256[..], &self.0].concat()))
    }

    /// Reads the text form with or without its slash.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let bare = text.strip_prefix('/').unwrap_or(text);
        let multihash = BASE32_NOPAD.decode(bare.as_bytes()).ok()?;
        Self::from_digest(multihash.strip_prefix(&SHA2_256)?)
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// What a block holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// The heads at the time of writing, sorted by CID.
    pub links: Vec<BlockId>,
    /// What changed.
    pub delta: Delta,
}

#[derive(Clone, PartialEq, Message)]
struct NodeMessage {
    #[prost(message, repeated, tag = "2")]
    links: Vec<LinkMessage>,
    #[prost(bytes = "vec", tag = "1")]
    data: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct LinkMessage {
    #[prost(bytes = "vec", tag = "1")]
    hash: Vec<u8>,
}

impl Block {
    /// The bytes as Go writes them: links first, each with an empty name and size 0, then the delta.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let data = self.delta.encode_to_vec();
        let mut bytes = Vec::with_capacity(data.len() + self.links.len() * 44 + 8);
        for link in &self.links {
            // Field 2, 42 bytes: hash (field 1, 36 bytes), name (field 2), size (field 3).
            bytes.extend_from_slice(&[0x12, 42, 0x0a, 36]);
            bytes.extend_from_slice(&link.cid_bytes());
            bytes.extend_from_slice(&[0x12, 0, 0x18, 0]);
        }
        bytes.push(0x0a);
        crate::row::put_uvarint(&mut bytes, data.len() as u64);
        bytes.extend_from_slice(&data);
        bytes
    }

    /// Reads a block.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are too many, or no block with links to blocks.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        if bytes.len() > BLOCK_BYTES_MAX {
            let (bytes, max) = (bytes.len(), BLOCK_BYTES_MAX);
            return Err(CodecError::TooLarge { what: WHAT, bytes, max });
        }
        let node = NodeMessage::decode(bytes).map_err(|e| CodecError::malformed(WHAT, e))?;
        let link = |link: LinkMessage| {
            let cid = Cid::decode(&link.hash).map_err(|e| CodecError::malformed(WHAT, e))?;
            BlockId::from_cid(&cid)
                .ok_or_else(|| CodecError::malformed(WHAT, format_args!("link to {cid}")))
        };
        let delta = Delta::decode(node.data.as_slice());
        let delta = delta.map_err(|e| CodecError::malformed(WHAT, e))?;
        if delta.priority > HEIGHT_MAX {
            return Err(CodecError::malformed(WHAT, format_args!("height {}", delta.priority)));
        }
        Ok(Self { links: node.links.into_iter().map(link).collect::<Result<_, _>>()?, delta })
    }
}

//! Blocks of a file that is being added, and the heads of the replicated history.

use clusterd_core::pinset::codec::BlockId;
use common::ids::Cid;

use super::super::msgpack::{Decode, DecodeError, Encode, Reader, Writer};

/// Most heads that are taken; a history has a handful.
const HEADS_MAX: usize = 10_000;

/// A block to be put into Kubo under its CID: Go's `api.NodeWithMeta`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockPut {
    /// The block. May be empty.
    pub data: Vec<u8>,
    /// Its CID, whose codec and hash Kubo shall use.
    pub cid: Cid,
    /// Bytes of the block and all below it.
    pub cumulative_size: u64,
}

impl Encode for BlockPut {
    fn encode(&self, to: &mut Writer) {
        to.fields(|fields| {
            fields.put("d", &Raw(&self.data)).put("c", &self.cid).put_if(
                self.cumulative_size != 0,
                "s",
                &self.cumulative_size,
            );
        });
    }
}

impl Decode for BlockPut {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (mut data, mut cid, mut cumulative_size) = (Vec::new(), None, 0);
        from.fields(&["d", "c", "s"], |key, value| {
            match key {
                "d" => data = value.raw()?.to_vec(),
                "c" => cid = value.take()?,
                _ => cumulative_size = value.take()?,
            }
            Ok(())
        })?;
        let cid = cid.ok_or_else(|| DecodeError::content("a block without its cid"))?;
        Ok(Self { data, cid, cumulative_size })
    }
}

struct Raw<'a>(&'a [u8]);

impl Encode for Raw<'_> {
    fn encode(&self, to: &mut Writer) {
        to.raw(self.0);
    }
}

/// The newest blocks of the replicated history: the answer of our own `Composite.Heads`, a list of
/// binary CIDs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heads(pub Vec<BlockId>);

impl Encode for Heads {
    fn encode(&self, to: &mut Writer) {
        to.list(self.0.len());
        for head in &self.0 {
            to.raw(&head.cid_bytes());
        }
    }
}

impl Decode for Heads {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = from.list()?;
        if count > HEADS_MAX {
            return Err(DecodeError::TooMany { count, max: HEADS_MAX });
        }
        let mut heads = Vec::new();
        for _ in 0..count {
            let cid: Cid = from.take()?;
            let head = BlockId::from_cid(&cid);
            heads.push(head.ok_or_else(|| DecodeError::Content(format!("{cid} is no head")))?);
        }
        Ok(Self(heads))
    }
}

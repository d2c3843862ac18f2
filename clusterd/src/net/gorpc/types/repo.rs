//! Figures of a Kubo's repository, and what a collection of garbage removed.

use common::api::repo::{RepoGc, RepoGcKey};
use common::ids::PeerId;

use super::super::msgpack::{Decode, DecodeError, Encode, Reader, Writer};

/// How full a repository is, in bytes: Go's `api.IPFSRepoStat`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IpfsRepoStat {
    /// Used.
    pub repo_size: u64,
    /// Allowed.
    pub storage_max: u64,
}

impl Encode for IpfsRepoStat {
    fn encode(&self, to: &mut Writer) {
        to.fields(|fields| {
            fields.put_if(self.repo_size != 0, "r", &self.repo_size).put("s", &self.storage_max);
        });
    }
}

impl Decode for IpfsRepoStat {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut stat = Self::default();
        from.fields(&["r", "s"], |key, value| {
            match key {
                "r" => stat.repo_size = value.take()?,
                _ => stat.storage_max = value.take()?,
            }
            Ok(())
        })?;
        Ok(stat)
    }
}

/// The same with what Go's peers do not tell. Sizes are bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CountedRepo {
    /// Used.
    pub repo_size: u64,
    /// Allowed.
    pub storage_max: u64,
    /// Blocks.
    pub num_objects: u64,
    /// Whose repository it is, where that is known: two peers may share a Kubo.
    pub kubo: Option<PeerId>,
}

impl Encode for CountedRepo {
    fn encode(&self, to: &mut Writer) {
        to.fields(|fields| {
            fields
                .put("r", &self.repo_size)
                .put("s", &self.storage_max)
                .put("n", &self.num_objects)
                .put_some("k", self.kubo.as_ref());
        });
    }
}

impl Decode for CountedRepo {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut stat = Self::default();
        from.fields(&["r", "s", "n", "k"], |key, value| {
            match key {
                "r" => stat.repo_size = value.take()?,
                "s" => stat.storage_max = value.take()?,
                "n" => stat.num_objects = value.take()?,
                _ => stat.kubo = value.take()?,
            }
            Ok(())
        })?;
        Ok(stat)
    }
}

impl Encode for RepoGc {
    fn encode(&self, to: &mut Writer) {
        to.fields(|fields| {
            fields
                .put("p", &self.peer)
                .put_text("pn", &self.peername)
                .put("k", &self.keys)
                .put_text("e", &self.error);
        });
    }
}

impl Decode for RepoGc {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (mut peer, mut peername) = (None, String::new());
        let (mut keys, mut error) = (Vec::new(), String::new());
        from.fields(&["p", "pn", "k", "e"], |key, value| {
            match key {
                "p" => peer = value.take()?,
                "pn" => peername = value.take()?,
                "k" => keys = value.take()?,
                _ => error = value.take()?,
            }
            Ok(())
        })?;
        let peer = peer.ok_or_else(|| DecodeError::content("a collection without its peer"))?;
        Ok(Self { peer, peername, keys, error })
    }
}

impl Encode for RepoGcKey {
    fn encode(&self, to: &mut Writer) {
        to.fields(|fields| {
            fields.put_some("k", self.key.as_ref()).put_text("e", &self.error);
        });
    }
}

impl Decode for RepoGcKey {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut removed = Self::default();
        from.fields(&["k", "e"], |key, value| {
            match key {
                "k" => removed.key = value.take()?,
                _ => removed.error = value.take()?,
            }
            Ok(())
        })?;
        Ok(removed)
    }
}

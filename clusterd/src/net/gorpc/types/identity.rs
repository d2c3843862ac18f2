//! Who a peer is, and its version.

use common::api::peers::{IdInfo, IpfsInfo, VersionInfo};
use common::ids::PeerId;
use common::status::StatusFilter;

use super::super::msgpack::{Decode, DecodeError, Encode, Reader, Writer};

const KEYS: [&str; 10] = ["i", "a", "cp", "cpa", "v", "c", "rv", "e", "ip", "pn"];
const IPFS_KEYS: [&str; 3] = ["i", "a", "e"];

impl Encode for IdInfo {
    fn encode(&self, to: &mut Writer) {
        to.fields(|fields| {
            fields
                .put("i", &self.id)
                .put("a", &self.addresses)
                .put("cp", &self.cluster_peers)
                .put("cpa", &self.cluster_peers_addresses)
                .put_text("v", &self.version)
                .put_text("c", &self.commit)
                .put_text("rv", &self.rpc_protocol_version)
                .put_text("e", &self.error)
                .put_if(self.ipfs != IpfsInfo::default(), "ip", &self.ipfs)
                .put_text("pn", &self.peername);
        });
    }
}

impl Decode for IdInfo {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut id = None;
        let (mut addresses, mut cluster_peers) = (Vec::new(), Vec::<PeerId>::new());
        let (mut cluster_peers_addresses, mut ipfs) = (Vec::new(), IpfsInfo::default());
        let (mut version, mut commit) = (String::new(), String::new());
        let (mut rpc_protocol_version, mut error) = (String::new(), String::new());
        let mut peername = String::new();
        from.fields(&KEYS, |key, value| {
            match key {
                "i" => id = value.take()?,
                "a" => addresses = value.take()?,
                "cp" => cluster_peers = value.take()?,
                "cpa" => cluster_peers_addresses = value.take()?,
                "v" => version = value.take()?,
                "c" => commit = value.take()?,
                "rv" => rpc_protocol_version = value.take()?,
                "e" => error = value.take()?,
                "ip" => ipfs = value.take()?,
                _ => peername = value.take()?,
            }
            Ok(())
        })?;
        let id = id.ok_or_else(|| DecodeError::content("a peer without its id"))?;
        Ok(Self {
            id,
            addresses,
            cluster_peers,
            cluster_peers_addresses,
            version,
            commit,
            rpc_protocol_version,
            error,
            ipfs,
            peername,
        })
    }
}

impl Encode for IpfsInfo {
    fn encode(&self, to: &mut Writer) {
        // A node that answers without addresses has an empty list, one that does not has none.
        let has_addresses = self.id.is_some() || !self.addresses.is_empty();
        to.fields(|fields| {
            fields
                .put_some("i", self.id.as_ref())
                .put_if(has_addresses, "a", &self.addresses)
                .put_text("e", &self.error);
        });
    }
}

impl Decode for IpfsInfo {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut ipfs = Self::default();
        from.fields(&IPFS_KEYS, |key, value| {
            match key {
                "i" => ipfs.id = value.take()?,
                "a" => ipfs.addresses = value.take()?,
                _ => ipfs.error = value.take()?,
            }
            Ok(())
        })?;
        Ok(ipfs)
    }
}

impl Encode for VersionInfo {
    fn encode(&self, to: &mut Writer) {
        to.fields(|fields| {
            fields.put("v", &self.version);
        });
    }
}

impl Decode for VersionInfo {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut version = String::new();
        from.fields(&["v"], |_, value| {
            version = value.take()?;
            Ok(())
        })?;
        Ok(Self { version })
    }
}

impl Encode for StatusFilter {
    /// Go's `TrackerStatus`: a signed number of bits.
    fn encode(&self, to: &mut Writer) {
        to.int(i64::from(self.bits()));
    }
}

impl Decode for StatusFilter {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::from_bits(from.take()?))
    }
}

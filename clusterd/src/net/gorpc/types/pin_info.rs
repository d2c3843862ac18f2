//! The state of one pin at one peer, with what the peer knows of the pin.

use std::collections::BTreeMap;

use common::api::pins::PinInfo;
use common::api::time::WireTime;
use common::ids::{Cid, PeerId};
use common::status::PinStatus;
use multiaddr::Multiaddr;

use super::super::msgpack::{Decode, DecodeError, Encode, Reader, Writer};

const KEYS: [&str; 15] =
    ["c", "m", "p", "o", "g", "t", "md", "pn", "i", "ia", "st", "ts", "e", "a", "y"];

/// The state of one pin at one peer: Go's `api.PinInfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerPin {
    /// Which pin.
    pub cid: Cid,
    /// Its name; empty for none.
    pub name: String,
    /// Which peer.
    pub peer: PeerId,
    /// Peers chosen to hold it; empty for everywhere, or when it is not in the pinset.
    pub allocations: Vec<PeerId>,
    /// Nodes that have the content.
    pub origins: Vec<Multiaddr>,
    /// When the record was last written.
    pub created: WireTime,
    /// Free key-value pairs.
    pub metadata: BTreeMap<String, String>,
    /// The state. Its progress is ours and does not go to Go peers.
    pub info: PinInfo,
}

impl Encode for PeerPin {
    fn encode(&self, to: &mut Writer) {
        let info = &self.info;
        let status = i64::from(info.status.bit());
        let attempts = i64::from(info.attempt_count);
        to.fields(|fields| {
            fields
                .put("c", &self.cid)
                .put_text("m", &self.name)
                .put("p", &self.peer)
                .put("o", &self.allocations)
                .put("g", &self.origins)
                .put_if(self.created != WireTime::NONE, "t", &self.created)
                .put_if(!self.metadata.is_empty(), "md", &self.metadata)
                .put_text("pn", &info.peername)
                .put_some("i", info.ipfs_peer_id.as_ref())
                .put_if(!info.ipfs_peer_addresses.is_empty(), "ia", &info.ipfs_peer_addresses)
                .put("st", &status)
                .put_if(info.timestamp != WireTime::NONE, "ts", &info.timestamp)
                .put_text("e", &info.error)
                .put_if(attempts != 0, "a", &attempts)
                .put_if(info.priority_pin, "y", &info.priority_pin);
        });
    }
}

impl Decode for PeerPin {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (mut cid, mut peer, mut status) = (None, None, 0_i64);
        let (mut name, mut allocations, mut origins) = (String::new(), Vec::new(), Vec::new());
        let (mut created, mut metadata) = (WireTime::NONE, BTreeMap::new());
        let mut info = unknown();
        from.fields(&KEYS, |key, value| {
            match key {
                "c" => cid = value.take()?,
                "m" => name = value.take()?,
                "p" => peer = value.take()?,
                "o" => allocations = value.take()?,
                "g" => origins = value.take()?,
                "t" => created = value.take()?,
                "md" => metadata = value.take()?,
                "st" => status = value.take()?,
                _ => take_short(&mut info, key, value)?,
            }
            Ok(())
        })?;
        let named = PinStatus::ALL.into_iter().find(|known| i64::from(known.bit()) == status);
        let unnamed = || DecodeError::Content(format!("pin status {status} means nothing"));
        info.status = named.ok_or_else(unnamed)?;
        let cid = cid.ok_or_else(|| DecodeError::content("a pin's state without its cid"))?;
        let peer = peer.ok_or_else(|| DecodeError::content("a pin's state without its peer"))?;
        Ok(Self { cid, name, peer, allocations, origins, created, metadata, info })
    }
}

fn take_short(info: &mut PinInfo, key: &str, value: &mut Reader<'_>) -> Result<(), DecodeError> {
    match key {
        "pn" => info.peername = value.take()?,
        "i" => info.ipfs_peer_id = value.take()?,
        "ia" => info.ipfs_peer_addresses = value.take()?,
        "ts" => info.timestamp = value.take()?,
        "e" => info.error = value.take()?,
        // Go counts in a signed number.
        "a" => info.attempt_count = u32::try_from(value.take::<i64>()?.max(0)).unwrap_or(u32::MAX),
        "y" => info.priority_pin = value.take()?,
        _ => value.skip()?,
    }
    Ok(())
}

/// What Go assumes for fields that are not there.
fn unknown() -> PinInfo {
    PinInfo {
        peername: String::new(),
        ipfs_peer_id: None,
        ipfs_peer_addresses: Vec::new(),
        status: PinStatus::ClusterError,
        timestamp: WireTime::NONE,
        error: String::new(),
        attempt_count: 0,
        priority_pin: false,
        progress: None,
    }
}

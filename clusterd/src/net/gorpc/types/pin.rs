//! Records of the pinset. Go's stored form has whole seconds and no preferred peers; so has ours here.

use common::api::pins::PinJson;
use common::api::time::WireTime;
use common::pin::{Depth, Pin, PinType};

use super::super::msgpack::{Decode, DecodeError, Encode, Reader, Writer};

const KEYS: [&str; 16] =
    ["rn", "rx", "n", "o", "s", "ua", "e", "m", "pu", "g", "c", "t", "a", "d", "r", "i"];

/// Go's number for pinning one block alone; 0 is the whole DAG.
const MODE_DIRECT: i64 = 1;

fn type_number(kind: PinType) -> i64 {
    match kind {
        PinType::Data => 1 << 1,
        PinType::Meta => 1 << 2,
        PinType::ClusterDag => 1 << 3,
        PinType::Shard => 1 << 4,
    }
}

impl Encode for Pin {
    fn encode(&self, to: &mut Writer) {
        let (min, max) = self.replication.factors();
        let (min, max) = (i64::from(min), i64::from(max));
        let depth = match self.depth {
            Depth::Recursive => -1,
            Depth::Direct => 0,
            Depth::Levels(levels) => i64::from(levels.get()),
        };
        let expires_at = self.expires_at.map(WireTime::from_seconds);
        let created_at = WireTime::from_seconds(self.created_at);
        // Go makes an empty list for an ordinary pin, and none for those of sharding.
        let has_allocations = self.kind == PinType::Data || !self.allocations.is_empty();
        to.fields(|fields| {
            fields
                .put_if(min != 0, "rn", &min)
                .put_if(max != 0, "rx", &max)
                .put_text("n", &self.name)
                .put_if(self.depth == Depth::Direct, "o", &MODE_DIRECT)
                .put_if(self.shard_size != 0, "s", &self.shard_size)
                .put_some("e", expires_at.as_ref())
                .put_if(!self.metadata.is_empty(), "m", &self.metadata)
                .put_some("pu", self.update_from.as_ref())
                .put_if(!self.origins.is_empty(), "g", &self.origins)
                .put("c", &self.cid)
                .put("t", &type_number(self.kind))
                .put_if(has_allocations, "a", &self.allocations)
                .put_if(depth != 0, "d", &depth)
                .put_some("r", self.reference.as_ref())
                .put_if(created_at != WireTime::NONE, "i", &created_at);
        });
    }
}

impl Decode for Pin {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (mut kind, mut depth) = (0, 0);
        let mut pin = PinJson::default();
        from.fields(&KEYS, |key, value| {
            match key {
                "rn" => pin.replication_factor_min = value.take()?,
                "rx" => pin.replication_factor_max = value.take()?,
                "n" => pin.name = value.take()?,
                "s" => pin.shard_size = value.take()?,
                "e" => pin.expire_at = value.take()?,
                "m" => pin.metadata = Some(value.take()?),
                "pu" => pin.pin_update = value.take()?,
                "g" => pin.origins = value.take()?,
                "c" => pin.cid = value.take()?,
                "t" => kind = value.take::<i64>()?,
                "a" => pin.allocations = value.take()?,
                "d" => depth = value.take()?,
                "r" => pin.reference = value.take()?,
                "i" => pin.timestamp = value.take()?,
                // The mode follows from the depth; preferred peers are not stored.
                _ => value.skip()?,
            }
            Ok(())
        })?;
        // Go takes every negative depth for the whole DAG.
        pin.max_depth = Some(depth.max(-1));
        let kinds = [PinType::Data, PinType::Meta, PinType::ClusterDag, PinType::Shard];
        let known = kinds.into_iter().find(|known| type_number(*known) == kind);
        if pin.cid.is_some() {
            let unknown = || DecodeError::Content(format!("pin type {kind} means nothing"));
            pin.kind = known.ok_or_else(unknown)?;
        }
        Self::try_from(pin).map_err(DecodeError::content)
    }
}

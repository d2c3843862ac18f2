//! Rows of `Pins`: a record with what the set needs to know of it, read without decoding all.

use common::ids::{Cid, PeerId};
use common::pin::{Depth, Pin, PinMode, PinType, Replication};

use super::key::PinKey;
use super::record;
use crate::row::{Field, Fields, RowReader, put_uvarint};

const DIRECT: u8 = 1;
const LEVELS: u8 = 2;
const DEPTH_BITS: u8 = 3;
const SHARDING: u8 = 1 << 2;
const CID_LEFT_OUT: u8 = 1 << 3;
/// Held by its allocations alone, not everywhere.
const ALLOCATED: u8 = 1 << 4;
/// Nobody is to hold it: it stands for shards, or its replication means nothing.
const HELD_BY_NONE: u8 = 1 << 5;
const NO_PIN: u8 = 1 << 7;

/// One row of `Pins`, borrowed.
///
/// Layout: a byte of flags, priority and block number as varints, the record; its leading CID field
/// is left out where the key says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinRow<'a> {
    flags: u8,
    /// Height of the block that the value came from.
    pub priority: u64,
    /// Number of that block.
    pub block: u64,
    body: &'a [u8],
}

impl<'a> PinRow<'a> {
    /// Reads a row; `None` when it is damaged.
    #[must_use]
    pub fn parse(row: &'a [u8]) -> Option<Self> {
        let mut reader = RowReader(row);
        Some(Self {
            flags: reader.byte()?,
            priority: reader.uvarint()?,
            block: reader.uvarint()?,
            body: reader.0,
        })
    }

    /// Writes the row of a value.
    #[must_use]
    pub(crate) fn encode(key: &PinKey, priority: u64, block: u64, value: &[u8]) -> Vec<u8> {
        let (flags, body) = classify(key, value);
        Self::write(flags, priority, block, body)
    }

    /// Writes the row of a record whose bytes are `value`.
    #[must_use]
    pub(crate) fn encode_pin(pin: &Pin, priority: u64, block: u64, value: &[u8]) -> Vec<u8> {
        let (cid, body) = split_cid(value);
        let flags = flags_of(pin);
        match cid {
            Some(_) => Self::write(flags | CID_LEFT_OUT, priority, block, body),
            None => Self::write(flags, priority, block, value),
        }
    }

    fn write(flags: u8, priority: u64, block: u64, body: &[u8]) -> Vec<u8> {
        let mut row = Vec::with_capacity(body.len() + 12);
        row.push(flags);
        put_uvarint(&mut row, priority);
        put_uvarint(&mut row, block);
        row.extend_from_slice(body);
        row
    }

    /// The value as peers exchange it.
    #[must_use]
    pub fn value(&self, key: &[u8]) -> Vec<u8> {
        if self.flags & CID_LEFT_OUT == 0 {
            return self.body.to_vec();
        }
        let cid = super::key::cid_of(key).map(|cid| cid.encode()).unwrap_or_default();
        [&cid_field_head(&cid), cid.as_slice(), self.body].concat()
    }

    /// The whole record; `None` for a value that is no pin of this key.
    #[must_use]
    pub fn pin(&self, key: &[u8]) -> Option<Pin> {
        if !self.is_pin() {
            return None;
        }
        record::decode_pin(&self.value(key)).ok()
    }

    /// Whether the value is a record whose CID is that of the key.
    #[must_use]
    pub fn is_pin(&self) -> bool {
        self.flags & NO_PIN == 0
    }

    /// Whether it is an ordinary pin, none of Go's sharding.
    #[must_use]
    pub fn is_data(&self) -> bool {
        self.flags & (SHARDING | NO_PIN) == 0
    }

    /// How much of the DAG is pinned.
    #[must_use]
    pub fn mode(&self) -> PinMode {
        if self.flags & DEPTH_BITS == DIRECT { PinMode::Direct } else { PinMode::Recursive }
    }

    /// The pin's name; empty for none. Reads only as far as the name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        let options = Fields(RowReader(self.body)).find_map(|field| match field {
            (6, Field::Bytes(options)) => Some(options),
            _ => None,
        });
        let name = Fields(RowReader(options.unwrap_or_default())).find_map(|field| match field {
            (3, Field::Bytes(name)) => std::str::from_utf8(name).ok(),
            _ => None,
        });
        name.unwrap_or_default()
    }

    /// Whether a peer (its binary id) shall hold the pin: it is allocated there, or everywhere.
    #[must_use]
    pub fn is_for(&self, peer: &[u8]) -> bool {
        if self.flags & (NO_PIN | HELD_BY_NONE) != 0 {
            return false;
        }
        self.flags & ALLOCATED == 0
            || Fields(RowReader(self.body)).any(|field| field == (3, Field::Bytes(peer)))
    }

    /// Binary ids of the peers that it is allocated to; none for a pin of all peers, or of nobody.
    pub fn allocations(&self) -> impl Iterator<Item = &'a [u8]> {
        let is_allocated = self.flags & (NO_PIN | HELD_BY_NONE | ALLOCATED) == ALLOCATED;
        let body = if is_allocated { self.body } else { &[] };
        Fields(RowReader(body)).filter_map(|field| match field {
            (3, Field::Bytes(peer)) => Some(peer),
            _ => None,
        })
    }

    /// Whether it stands for shards that are pins themselves, so that nobody holds it.
    #[must_use]
    pub fn is_held_by_none(&self) -> bool {
        self.flags & HELD_BY_NONE != 0
    }
}

fn cid_field_head(cid: &[u8]) -> Vec<u8> {
    let mut head = vec![0x0a];
    put_uvarint(&mut head, cid.len() as u64);
    head
}

/// The CID that stands first in a record, if it is as we would write it, and what follows.
fn split_cid(value: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let mut reader = RowReader(value);
    let cid = reader.byte().filter(|tag| *tag == 0x0a).and_then(|_| reader.run());
    // Longer ones could have their length written in more than one way.
    (cid.filter(|cid| cid.len() < 0x80), reader.0)
}

/// The flags of a value, and what of it is stored.
fn classify<'v>(key: &PinKey, value: &'v [u8]) -> (u8, &'v [u8]) {
    let cid = key.to_cid();
    let Some(pin) = record::decode_pin(value).ok().filter(|pin| Some(pin.cid) == cid) else {
        return (NO_PIN, value);
    };
    let (written, body) = split_cid(value);
    let is_same = written.is_some_and(|written| Cid::decode(written).is_ok_and(|w| w == pin.cid));
    let is_minimal = value.get(1).is_some_and(|length| *length < 0x80);
    if is_same && is_minimal {
        (flags_of(&pin) | CID_LEFT_OUT, body)
    } else {
        (flags_of(&pin), value)
    }
}

fn flags_of(pin: &Pin) -> u8 {
    let depth = match pin.depth {
        Depth::Recursive => 0,
        Depth::Direct => DIRECT,
        Depth::Levels(_) => LEVELS,
    };
    let holders = match pin.replication {
        Replication::Everywhere => 0,
        Replication::Between { .. } => ALLOCATED,
        Replication::Unusable { .. } => HELD_BY_NONE,
    };
    let kind = match pin.kind {
        PinType::Data => 0,
        PinType::ClusterDag | PinType::Shard => SHARDING,
        PinType::Meta => SHARDING | HELD_BY_NONE,
    };
    depth | holders | kind
}

/// Whether a peer shall hold a record's pin.
#[must_use]
pub fn is_for(pin: &Pin, peer: &PeerId) -> bool {
    match (pin.kind, pin.replication) {
        (PinType::Meta, _) | (_, Replication::Unusable { .. }) => false,
        (_, Replication::Everywhere) => true,
        (_, Replication::Between { .. }) => pin.allocations.contains(peer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CID: &str = "bafybeid7glsnbvlwu3xe4j2zffc2vpr4kcznl6k5k2nyrijzmfpyxvrtce";
    const PEER: &str = "12D3KooWPU2wk6iUQAcXnhcPm7z5TzpGe6fe9HZYrmDfWz3FJCHt";

    fn row(pin: &Pin) -> (PinKey, Vec<u8>) {
        let key = PinKey::from_cid(&pin.cid);
        let row = PinRow::encode(&key, 3, 9, &record::encode_pin(pin));
        (key, row)
    }

    #[test]
    fn a_row_gives_back_its_record_and_does_not_repeat_the_cid() {
        let mut pin = Pin::new(CID.parse().unwrap(), Replication::Everywhere, 1_700_000_000);
        pin.name = "a name".to_owned();
        let (key, row) = row(&pin);
        assert!(row.len() < record::encode_pin(&pin).len() - 30);
        let row = PinRow::parse(&row).unwrap();
        assert_eq!((row.priority, row.block), (3, 9));
        assert_eq!((row.mode(), row.name()), (PinMode::Recursive, "a name"));
        assert_eq!(row.value(key.as_bytes()), record::encode_pin(&pin));
        assert_eq!(row.pin(key.as_bytes()), Some(pin));
    }

    #[test]
    fn a_value_whose_cid_is_not_that_of_its_key_is_no_pin() {
        let pin = Pin::new(CID.parse().unwrap(), Replication::Everywhere, 1);
        let value = record::encode_pin(&pin);
        let key = PinKey::from_text("/other");
        let row = PinRow::encode(&key, 1, 1, &value);
        let row = PinRow::parse(&row).unwrap();
        assert!(!row.is_pin() && row.pin(key.as_bytes()).is_none());
        assert_eq!(row.value(key.as_bytes()), value);
    }

    #[test]
    fn a_pin_is_for_its_allocations_or_for_all() {
        let us: PeerId = PEER.parse().unwrap();
        let mut pin = Pin::new(CID.parse().unwrap(), Replication::Everywhere, 1);
        let check = |pin: &Pin, expected: bool| {
            let (_, bytes) = row(pin);
            assert_eq!(PinRow::parse(&bytes).unwrap().is_for(&us.encode()), expected);
            assert_eq!(is_for(pin, &us), expected);
        };
        check(&pin, true);
        pin.replication = Replication::from_stored(1, 2);
        check(&pin, false);
        pin.allocations = vec![us];
        check(&pin, true);
        pin.replication = Replication::from_stored(-1, 3);
        check(&pin, false);
        pin.replication = Replication::Everywhere;
        pin.kind = PinType::Meta;
        check(&pin, false);
    }
}

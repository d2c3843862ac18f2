//! Go's golden files: records, blocks and the outcome of merges, recorded from ipfs-cluster 1.1.6.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::{BTreeMap, VecDeque};

use clusterd_core::input::Time;
use clusterd_core::pinset::codec::{Block, BlockId};
use clusterd_core::pinset::delta::{Delta, Element};
use clusterd_core::pinset::key::PinKey;
use clusterd_core::pinset::pin_row::PinRow;
use clusterd_core::pinset::record::{decode_pin, encode_pin};
use clusterd_core::pinset::set;
use clusterd_core::pinset::walk::Walk;
use clusterd_core::pinset::{Change, Pinset};
use clusterd_core::store::{MemoryStore, Space, Store};
use common::pin::{Depth, PinType};
use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde_json::Value;

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn read<T: for<'de> Deserialize<'de>>(json: &str) -> T {
    serde_json::from_str(json).unwrap()
}

#[test]
fn records_are_gos_byte_for_byte() {
    let cases: Vec<Value> = read(include_str!("vectors/pin-encodings.json"));
    let mut seen = 0;
    for case in cases {
        let bytes = hex(case["protobuf_hex"].as_str().unwrap());
        // Go's zero value has no CID: no record of ours, and no panic either.
        if case["case"] == "zero" {
            assert!(decode_pin(&bytes).is_err());
            continue;
        }
        let pin = decode_pin(&bytes).unwrap();
        assert_eq!(HEXLOWER.encode(&encode_pin(&pin)), case["protobuf_hex"], "{}", case["case"]);
        let json = &case["json_after_protobuf_roundtrip"];
        assert_eq!(pin.cid.to_string(), json["cid"]);
        assert_eq!(pin.name, json["name"]);
        assert_eq!(pin.allocations.len(), json["allocations"].as_array().unwrap().len());
        assert_eq!(pin.origins.len(), json["origins"].as_array().unwrap().len());
        assert_eq!(serde_json::to_value(pin.kind).unwrap(), json["type"]);
        assert_eq!(pin.depth.mode().as_str(), json["mode"]);
        assert_eq!(pin.replication.factors().0, json["replication_factor_min"]);
        assert_eq!(serde_json::to_value(pin.reference).unwrap(), json["reference"]);
        assert_eq!(serde_json::to_value(pin.update_from).unwrap(), json["pin_update"]);
        seen += 1;
    }
    assert_eq!(seen, 5);
}

#[test]
fn metadata_in_the_old_field_is_read() {
    let cid = "bafybeid7glsnbvlwu3xe4j2zffc2vpr4kcznl6k5k2nyrijzmfpyxvrtce".parse().unwrap();
    let mut pin = common::pin::Pin::new(cid, common::pin::Replication::Everywhere, 7);
    let plain = encode_pin(&pin);
    // Options: replication -1 and -1, then field 6 with key "a", value "b".
    let options = hex("08011001320612".get(..12).unwrap());
    let old = [&options[..], &hex("0a01611201 62".replace(' ', "").as_str())].concat();
    let at = plain.windows(2).position(|two| two == [0x32, 4]).unwrap();
    let bytes =
        [&plain[..at], &[0x32, u8::try_from(old.len()).unwrap()], &old, &plain[at + 6..]].concat();
    pin.metadata.insert("a".to_owned(), "b".to_owned());
    assert_eq!(decode_pin(&bytes), Ok(pin));
}

#[test]
fn real_blocks_survive_and_give_gos_index() {
    let blocks: Vec<Value> = read(include_str!("vectors/crdt-blocks.json"));
    let index: BTreeMap<String, String> = read(include_str!("vectors/crdt-datastore.json"));
    let mut store = MemoryStore::default();
    let mut pinset = Pinset::load(&store).unwrap();
    for case in &blocks {
        let bytes = hex(case["raw_hex"].as_str().unwrap());
        let block = Block::decode(&bytes).unwrap();
        let id = BlockId::of(&bytes);
        assert_eq!(HEXLOWER.encode(&block.encode()), case["raw_hex"]);
        assert_eq!(HEXLOWER.encode(&id.cid_bytes()), case["cid_hex"]);
        assert_eq!(BlockId::from_text(case["block_id"].as_str().unwrap()), Some(id));
        for element in &block.delta.elements {
            let pin = decode_pin(&element.value).unwrap();
            assert_eq!(PinKey::from_cid(&pin.cid).to_text(), element.key);
            assert_eq!(encode_pin(&pin), element.value);
        }
        pinset.merge(&mut store, &id, &block, &bytes).unwrap();
    }
    let values = values(&store);
    let gos: BTreeMap<String, Vec<u8>> = (index.iter())
        .filter_map(|(key, value)| {
            let key = key.strip_prefix("/c/s/k")?.strip_suffix("/v")?;
            Some((key.to_owned(), hex(value)))
        })
        .collect();
    assert_eq!(values, gos);
    assert!(!values.is_empty());
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Scenario {
    name: String,
    blocks: Vec<ScenarioBlock>,
    order: Vec<Vec<String>>,
    hooks: Vec<String>,
    heads: Vec<String>,
    height: u64,
    values: BTreeMap<String, String>,
    datastore: BTreeMap<String, String>,
    next_head: String,
}

#[derive(Deserialize)]
struct ScenarioBlock {
    name: String,
    hex: String,
    cid: String,
    block_id: String,
    priority: u64,
}

/// A replica that fetches blocks from a shelf.
struct Replica {
    store: MemoryStore,
    pinset: Pinset,
    walk: Walk,
    hooks: Vec<String>,
}

impl Replica {
    fn new() -> Self {
        let store = MemoryStore::default();
        let pinset = Pinset::load(&store).unwrap();
        Self { store, pinset, walk: Walk::default(), hooks: Vec::new() }
    }

    fn announce(&mut self, heads: &[BlockId], shelf: &BTreeMap<BlockId, Vec<u8>>) {
        self.walk.heads_seen(&self.pinset, &self.store, heads).unwrap();
        let mut fetch: VecDeque<BlockId> = self.walk.fetches(Time(0)).into();
        while let Some(id) = fetch.pop_front() {
            let (pinset, store) = (&mut self.pinset, &mut self.store);
            let changes = self.walk.fetched(pinset, store, (id, &shelf[&id]), Time(0));
            for change in changes.unwrap().unwrap() {
                self.hook(&change);
            }
            // Crash safety: everything is in the store at each step.
            self.store.commit().unwrap();
            self.pinset = Pinset::load(&self.store).unwrap();
            fetch.extend(self.walk.fetches(Time(0)));
        }
    }

    fn hook(&mut self, change: &Change) {
        self.hooks.push(match change {
            Change::Removed { key, .. } => format!("del {}", key.to_text()),
            Change::Put { key, .. } => {
                let row = set::row(&self.store, key).unwrap().unwrap();
                let value = PinRow::parse(&row).unwrap().value(key.as_bytes());
                format!("put {}={}", key.to_text(), String::from_utf8(value).unwrap())
            }
        });
    }
}

fn values(store: &MemoryStore) -> BTreeMap<String, Vec<u8>> {
    let rows = store.scan(Space::Pins, &[], None, usize::MAX).unwrap();
    rows.into_iter()
        .map(|(key, row)| {
            let value = PinRow::parse(&row).unwrap().value(&key);
            (PinKey::from_stored(key).to_text(), value)
        })
        .collect()
}

#[test]
fn every_scenario_ends_as_in_go() {
    let scenarios: Vec<Scenario> = read(include_str!("vectors/crdt-scenarios.json"));
    assert_eq!(scenarios.len(), 23);
    for scenario in scenarios {
        check(&scenario);
    }
}

fn check(scenario: &Scenario) {
    let name = scenario.name.as_str();
    let mut shelf = BTreeMap::new();
    let mut ids = BTreeMap::new();
    for block in &scenario.blocks {
        let bytes = hex(&block.hex);
        let id = BlockId::of(&bytes);
        assert_eq!(BlockId::from_cid(&block.cid.parse().unwrap()), Some(id), "{name}");
        assert_eq!(id.to_text(), block.block_id, "{name}");
        let decoded = Block::decode(&bytes).unwrap();
        assert_eq!(decoded.delta.priority, block.priority, "{name}");
        assert_eq!(decoded.encode(), bytes, "{name}");
        ids.insert(block.name.clone(), id);
        shelf.insert(id, bytes);
    }
    let mut replica = Replica::new();
    for announcement in &scenario.order {
        let heads: Vec<BlockId> = announcement.iter().map(|head| ids[head]).collect();
        replica.announce(&heads, &shelf);
    }
    let mut heads: Vec<BlockId> = scenario.heads.iter().map(|head| ids[head]).collect();
    heads.sort();
    let ours: Vec<_> = replica.pinset.heads().iter().collect();
    assert_eq!(ours.iter().map(|(id, _)| *id).collect::<Vec<_>>(), heads, "{name}");
    assert_eq!(ours.iter().map(|(_, height)| *height).max(), Some(scenario.height), "{name}");
    let expected: BTreeMap<String, Vec<u8>> =
        scenario.values.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
    assert_eq!(values(&replica.store), expected, "{name}");
    check_priorities(scenario, &replica.store);
    check_hooks(scenario, &replica.hooks);
    check_next(scenario, &mut replica);
}

/// Go stores each priority plus one.
fn check_priorities(scenario: &Scenario, store: &MemoryStore) {
    for (key, row) in store.scan(Space::Pins, &[], None, usize::MAX).unwrap() {
        let text = PinKey::from_stored(key).to_text();
        let stored = hex(&scenario.datastore[&format!("/c/s/k{text}/p")]);
        let priority = PinRow::parse(&row).unwrap().priority;
        assert_eq!(vec![u8::try_from(priority + 1).unwrap()], stored, "{}", scenario.name);
    }
}

/// Where one block changes a key twice, Go's hook tells each value; ours tells the one that stays.
/// Where several heads are walked, Go goes one by one; we do not, so the order may differ.
fn check_hooks(scenario: &Scenario, hooks: &[String]) {
    let mut gos: Vec<&str> = scenario.hooks.iter().map(String::as_str).collect();
    assert_eq!(gos.pop(), Some("put /NEXT=n"));
    match scenario.name.as_str() {
        "dup-in-delta" => assert_eq!(hooks, ["put /K=aa", "put /K=aa"]),
        "dup-in-delta-2" => assert_eq!(hooks, ["put /K=zz", "put /K=zz"]),
        "cold-head-and-ancestor" => {
            assert_eq!(hooks.last().map(String::as_str), gos.last().copied())
        }
        name => assert_eq!(hooks, gos, "{name}"),
    }
}

/// The next local write must be Go's next block, byte for byte.
fn check_next(scenario: &Scenario, replica: &mut Replica) {
    let store = &mut replica.store;
    let key = PinKey::from_text("/NEXT");
    replica.pinset.put(store, &key, b"n".to_vec()).unwrap();
    let id = replica.pinset.seal(store).unwrap().unwrap();
    let field = |name: &str| {
        let start = scenario.next_head.find(name).unwrap() + name.len();
        scenario.next_head[start..].split(' ').next().unwrap().to_owned()
    };
    let bytes = set::block_bytes(store, &id).unwrap().unwrap();
    assert_eq!(HEXLOWER.encode(&bytes), field("block="), "{}", scenario.name);
    assert_eq!(BlockId::from_cid(&field("cid=").parse().unwrap()), Some(id), "{}", scenario.name);
    assert_eq!(
        replica.pinset.heads().iter().collect::<Vec<_>>(),
        [(id, field("height=").parse().unwrap())]
    );
}

#[test]
fn a_batch_is_gos_byte_for_byte() {
    let text = include_str!("vectors/crdt-batch.txt");
    let field = |line: usize, name: &str| {
        let line = text.lines().nth(line).unwrap();
        let start = line.find(name).unwrap() + name.len();
        line[start..].split(' ').next().unwrap().to_owned()
    };
    let mut store = MemoryStore::default();
    let mut pinset = Pinset::load(&store).unwrap();
    let c0 = PinKey::from_text("/c0");
    pinset.put(&mut store, &c0, b"v0".to_vec()).unwrap();
    let first = pinset.seal(&mut store).unwrap().unwrap();
    let bytes = set::block_bytes(&store, &first).unwrap().unwrap();
    assert_eq!(HEXLOWER.encode(&bytes), field(0, "block="));

    // Go leaves a key that is put twice in the batch twice. We write no such delta, but read it.
    let element = |key: &str, value: &str| Element {
        key: key.to_owned(),
        id: String::new(),
        value: value.into(),
    };
    let bury = Element { key: "/c0".to_owned(), id: first.to_text(), value: Vec::new() };
    let delta = Delta {
        elements: vec![element("/a", "1"), element("/a", "0"), element("/c0", "v1")],
        tombstones: vec![bury],
        priority: 2,
    };
    let block = Block { links: vec![first], delta };
    let bytes = block.encode();
    assert_eq!(HEXLOWER.encode(&bytes), field(1, "block="));
    pinset.merge(&mut store, &BlockId::of(&bytes), &block, &bytes).unwrap();
    let expected = [("/a", "0"), ("/c0", "v1")];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()));
    assert_eq!(values(&store), BTreeMap::from(expected));
}

#[test]
fn a_local_batch_follows_gos_rules() {
    let mut store = MemoryStore::default();
    let mut pinset = Pinset::load(&store).unwrap();
    let [a, b, c0] = ["/a", "/b", "/c0"].map(PinKey::from_text);
    pinset.put(&mut store, &c0, b"v0".to_vec()).unwrap();
    let first = pinset.seal(&mut store).unwrap().unwrap();
    pinset.put(&mut store, &a, b"1".to_vec()).unwrap();
    pinset.put(&mut store, &b, b"1".to_vec()).unwrap();
    pinset.put(&mut store, &a, b"0".to_vec()).unwrap();
    assert!(pinset.remove(&mut store, &b).unwrap());
    assert!(pinset.remove(&mut store, &c0).unwrap());
    pinset.put(&mut store, &c0, b"v1".to_vec()).unwrap();
    let second = pinset.seal(&mut store).unwrap().unwrap();
    let bytes = set::block_bytes(&store, &second).unwrap().unwrap();
    let block = Block::decode(&bytes).unwrap();
    let keys: Vec<&str> = block.delta.elements.iter().map(|e| e.key.as_str()).collect();
    assert_eq!(keys, ["/a", "/c0"]);
    let buried: Vec<&str> = block.delta.tombstones.iter().map(|t| t.id.as_str()).collect();
    assert_eq!(buried, [first.to_text()]);
    // Removing what is not there makes no block.
    assert!(!pinset.remove(&mut store, &b).unwrap());
    assert_eq!(pinset.seal(&mut store).unwrap(), None);
}

/// Go remembers a tombstone whose id has no slash although it removes nothing: what it names is not
/// named again.
#[test]
fn an_addition_is_buried_once() {
    let scenarios: Vec<Scenario> = read(include_str!("vectors/crdt-scenarios.json"));
    let bad = scenarios.iter().find(|scenario| scenario.name == "BAD-tomb-id-no-slash").unwrap();
    let mut replica = Replica::new();
    let mut shelf = BTreeMap::new();
    for block in &bad.blocks {
        let bytes = hex(&block.hex);
        shelf.insert(BlockId::of(&bytes), bytes);
    }
    for block in &bad.blocks {
        replica.announce(&[BlockId::of(&hex(&block.hex))], &shelf);
    }
    let (store, key) = (&mut replica.store, PinKey::from_text("/K"));
    replica.pinset.put(store, &key, b"w".to_vec()).unwrap();
    let added = replica.pinset.seal(store).unwrap().unwrap();
    replica.pinset.remove(store, &key).unwrap();
    let removed = replica.pinset.seal(store).unwrap().unwrap();
    let bytes = set::block_bytes(store, &removed).unwrap().unwrap();
    let tombstones = Block::decode(&bytes).unwrap().delta.tombstones;
    let named: Vec<&str> = tombstones.iter().map(|tombstone| tombstone.id.as_str()).collect();
    assert_eq!(named, [added.to_text()]);
}

#[test]
fn state_fields_have_gos_meaning() {
    let cases: Vec<Value> = read(include_str!("vectors/pin-encodings.json"));
    let pin = |name: &str| {
        let case = cases.iter().find(|case| case["case"] == name).unwrap();
        decode_pin(&hex(case["protobuf_hex"].as_str().unwrap())).unwrap()
    };
    assert_eq!(pin("shard").depth, Depth::Levels(1.try_into().unwrap()));
    assert_eq!(pin("shard").kind, PinType::Shard);
    assert_eq!(pin("clusterdag").depth, Depth::Direct);
    assert_eq!(pin("plain").replication.factors(), (0, 0));
    assert_eq!(pin("full").metadata["b"], "2");
}

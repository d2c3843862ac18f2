//! A fresh peer takes in a long history; `SIM_PINS=200000` makes it as long as a large cluster's.

use clusterd_core::effect::Effect;
use clusterd_core::input::{Input, Time, WaiterId};
use clusterd_core::node::Node;
use clusterd_core::pinset::set::block_bytes;
use clusterd_core::store::{MemoryStore, Space, Store};
use common::pin::{Pin, Replication};

use crate::act::cid;
use crate::peer::Peer;

#[test]
fn a_fresh_peer_takes_in_a_long_history() {
    let pins = std::env::var("SIM_PINS").ok().and_then(|text| text.parse().ok());
    let pins: u64 = pins.unwrap_or(12_000);
    let now = Time(1_700_000_000_000);
    let records = |range: std::ops::Range<u64>| {
        range.map(|number| {
            let mut pin = Pin::new(cid(number), Replication::Everywhere, 1_600_000_000);
            pin.name = format!("pin {number}");
            pin
        })
    };
    let open =
        |number| Node::open(MemoryStore::default(), Peer::new(number, 0).config, now).unwrap().0;
    let (mut old, mut fresh) = (open(0), open(1));
    for from in (0..pins).step_by(10_000) {
        let pins = records(from..pins.min(from + 10_000)).collect();
        old.handle(Input::Import { waiter: WaiterId(from), pins }, now).unwrap();
        old.commit().unwrap();
    }
    let heads = old.heads().iter().map(|(id, _)| id).collect();
    let mut effects = fresh.handle(Input::HeadsSeen { heads, asked: true }, now).unwrap();
    let mut fetched = 0;
    while let Some(effect) = effects.pop() {
        if let Effect::FetchBlock { id } = effect {
            let bytes = block_bytes(old.store(), &id).unwrap().unwrap();
            fetched += 1;
            effects.extend(fresh.handle(Input::BlockFetched { id, bytes }, now).unwrap());
            effects.extend(fresh.commit().unwrap());
        }
    }
    assert_eq!(fetched, old.store().scan(Space::Blocks, &[], None, usize::MAX).unwrap().len());
    assert_eq!(fresh.counts().pins, pins);
    assert!(fresh.heads().iter().eq(old.heads().iter()));
    assert_eq!(fresh.progress().wanted, 0);
}

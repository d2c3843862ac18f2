//! What becomes of a pin whose holders go away.

use common::pin::PinType;

use super::*;
use crate::allocator::Metric;

fn peer(number: u8) -> PeerId {
    // The multihash of an ed25519 key: identity, 36 bytes, key type, 32 bytes.
    PeerId::decode(&[&[0, 36, 8, 1, 18, 32], [number; 32].as_slice()].concat()).unwrap()
}

fn candidates(numbers: &[u8]) -> Vec<Candidate> {
    let metric = |number: u8| Metric {
        value: number.to_string(),
        weight: i64::from(number),
        is_group: false,
    };
    numbers.iter().map(|n| Candidate { peer: peer(*n), metrics: vec![metric(*n)] }).collect()
}

fn pin(min: i32, max: i32, holders: &[u8]) -> Pin {
    let cid = "bafybeid7glsnbvlwu3xe4j2zffc2vpr4kcznl6k5k2nyrijzmfpyxvrtce".parse().unwrap();
    let allocations = holders.iter().map(|number| peer(*number)).collect();
    Pin { allocations, ..Pin::new(cid, Replication::from_stored(min, max), 1) }
}

fn planned(pin: &Pin, gone: &[u8], able: &[u8]) -> Plan {
    plan(pin, |peer_| gone.iter().any(|number| peer(*number) == *peer_), &candidates(able))
}

fn moved(numbers: &[u8]) -> Plan {
    Plan::Move(numbers.iter().map(|number| peer(*number)).collect())
}

#[test]
fn the_heaviest_take_over_and_holders_that_are_left_stay() {
    let two = pin(2, 2, &[1, 2]);
    assert_eq!(planned(&two, &[1], &[2, 3, 4]), moved(&[2, 4]));
    assert_eq!(planned(&two, &[1, 2], &[3, 4, 5]), moved(&[5, 4]));
    // Up to the maximum, once it has to be written at all.
    assert_eq!(planned(&pin(2, 3, &[1, 2]), &[1], &[2, 3, 4]), moved(&[2, 4, 3]));
}

#[test]
fn a_pin_with_enough_holders_or_without_a_gone_one_is_left_alone() {
    assert_eq!(planned(&pin(2, 3, &[1, 2, 3]), &[1], &[2, 3, 4]), Plan::Enough);
    assert_eq!(planned(&pin(2, 3, &[2]), &[1], &[2, 3, 4]), Plan::Enough);
    assert_eq!(planned(&pin(-1, -1, &[]), &[1], &[2, 3]), Plan::Enough);
    let shard = Pin { kind: PinType::Shard, ..pin(1, 1, &[1]) };
    assert_eq!(planned(&shard, &[1], &[2]), moved(&[2]));
}

#[test]
fn a_holder_that_is_silent_or_full_still_holds() {
    // Peer 2 is no candidate, and not gone.
    assert_eq!(planned(&pin(2, 2, &[1, 2]), &[1], &[3, 4]), moved(&[2, 4]));
}

#[test]
fn who_is_gone_is_given_nothing_and_too_few_are_said_so() {
    assert_eq!(planned(&pin(2, 2, &[1, 2]), &[1], &[1, 2, 3]), moved(&[2, 3]));
    let short = Plan::Short(NotEnough { needed: 3, found: 2 });
    assert_eq!(planned(&pin(3, 3, &[1, 2, 4]), &[1, 4], &[1, 3, 4]), short);
}

//! Blocks go from peers that have them to peers that want them.

use std::collections::BTreeSet;
use std::time::Duration;

use clusterd_core::pinset::codec::BlockId;

use super::stage::{Peer, bytes};

#[tokio::test]
async fn a_small_and_a_large_block_are_fetched() {
    let (mut has, mut wants) = (Peer::start().await, Peer::start().await);
    wants.connect(&mut has).await;
    for length in [4, 1024, 1025, 2 << 20] {
        let block = bytes(length, length as usize);
        let id = has.shelf.put(&block);
        wants.want(id).await;
        assert_eq!(wants.block().await, (id, block, has.id));
    }
}

#[tokio::test]
async fn the_largest_block_that_a_message_carries_is_fetched_and_a_larger_one_is_not_there() {
    let (mut has, mut wants) = (Peer::start().await, Peer::start().await);
    wants.connect(&mut has).await;
    let too_large = has.shelf.put(&bytes(1, (4 << 20) - 40));
    let large = bytes(2, (4 << 20) - 48);
    let fits = has.shelf.put(&large);
    wants.want(too_large).await;
    wants.want(fits).await;
    assert_eq!(wants.block().await, (fits, large, has.id));
    let counts = wants.counts().await;
    assert_eq!((counts.received, counts.rejected, counts.timeouts), (1, 0, 0));
}

#[tokio::test]
async fn a_block_that_is_stored_later_is_delivered_then() {
    let (mut has, mut wants) = (Peer::start().await, Peer::start().await);
    wants.connect(&mut has).await;
    let (small, large) = (bytes(1, 100), bytes(2, 5000));
    wants.want(BlockId::of(&small)).await;
    wants.want(BlockId::of(&large)).await;
    // Both are known to be lacking when this one, asked for after them, has come.
    let other = has.shelf.put(b"other");
    wants.want(other).await;
    assert_eq!(wants.block().await.0, other);
    let id = has.store(&small).await;
    assert_eq!(wants.block().await, (id, small, has.id));
    let id = has.store(&large).await;
    assert_eq!(wants.block().await, (id, large, has.id));
}

#[tokio::test]
async fn a_thousand_blocks_are_wanted_at_once() {
    let (mut has, mut wants) = (Peer::start().await, Peer::start().await);
    wants.connect(&mut has).await;
    let mut missing: BTreeSet<BlockId> =
        (0..1000).map(|number| has.shelf.put(&bytes(number, 100 + number as usize * 3))).collect();
    let ids: Vec<BlockId> = missing.iter().copied().collect();
    wants
        .with_swarm(move |swarm| {
            for id in ids {
                swarm.behaviour_mut().want(id).unwrap();
            }
        })
        .await;
    while !missing.is_empty() {
        let (id, bytes, from) = wants.block().await;
        assert_eq!((BlockId::of(&bytes), from), (id, has.id));
        assert!(missing.remove(&id), "came twice");
    }
    assert_eq!(wants.counts().await.duplicates, 0);
}

#[tokio::test]
async fn a_new_peer_is_told_of_what_is_wanted() {
    let (mut has, mut wants) = (Peer::start().await, Peer::start().await);
    let id = has.shelf.put(b"before");
    wants.want(id).await;
    wants.connect(&mut has).await;
    assert_eq!(wants.block().await.0, id);
}

#[tokio::test]
async fn three_peers_fetch_from_each_other() {
    let mut peers = [Peer::start().await, Peer::start().await, Peer::start().await];
    let [a, b, c] = &mut peers;
    a.connect(b).await;
    b.connect(c).await;
    c.connect(a).await;
    let mut owners = Vec::new();
    for (number, owner) in (0_u32..).zip([&*a, b, c]) {
        owners.push((owner.shelf.put(&bytes(number, 3000)), owner.id));
    }
    for peer in &mut peers {
        for (id, owner) in owners.clone() {
            if owner != peer.id {
                peer.want(id).await;
                let (came, _, from) = peer.block().await;
                assert_eq!((came, from), (id, owner));
            }
        }
    }
}

#[tokio::test]
async fn a_peer_that_goes_away_is_replaced_by_one_that_comes() {
    let (mut first, mut second) = (Peer::start().await, Peer::start().await);
    let mut wants = Peer::start().await;
    wants.connect(&mut first).await;
    let block = bytes(1, 200_000);
    let id = BlockId::of(&block);
    wants.want(id).await;
    let other = first.shelf.put(b"other");
    wants.want(other).await;
    wants.block().await;
    let gone = first.id;
    drop(first);
    wants.met(gone, false).await;
    second.shelf.put(&block);
    wants.connect(&mut second).await;
    assert_eq!(wants.block().await, (id, block, second.id));
}

#[tokio::test]
async fn the_second_connection_takes_over_from_the_first() {
    let (mut has, mut wants) = (Peer::start().await, Peer::start().await);
    wants.connect(&mut has).await;
    let later = bytes(9, 2000);
    wants.want(BlockId::of(&later)).await;
    let other = has.shelf.put(b"other");
    wants.want(other).await;
    wants.block().await;
    // The other side dials as well; then the first connection, which leads on both sides, ends.
    has.dial(wants.address.clone(), wants.id).await;
    wants.met(has.id, true).await;
    let peer = has.id;
    wants
        .with_swarm(move |swarm| {
            let first = swarm.behaviour().leader(&peer).unwrap();
            assert!(swarm.close_connection(first));
        })
        .await;
    let id = has.store(&later).await;
    assert_eq!(wants.block().await.0, id);
    let next = has.shelf.put(b"next");
    wants.want(next).await;
    assert_eq!(wants.block().await.0, next);
}

#[tokio::test]
async fn a_cancelled_want_brings_nothing() {
    let (mut has, mut wants) = (Peer::start().await, Peer::start().await);
    wants.connect(&mut has).await;
    let block = bytes(1, 100);
    let id = BlockId::of(&block);
    wants.want(id).await;
    let other = has.shelf.put(b"other");
    wants.want(other).await;
    wants.block().await;
    wants.with_swarm(move |swarm| swarm.behaviour_mut().cancel(id)).await;
    // Asked for after the cancel on the same stream, so the cancel has arrived when it comes.
    let after = has.shelf.put(b"after");
    wants.want(after).await;
    assert_eq!(wants.block().await.0, after);
    has.store(&block).await;
    let last = has.shelf.put(b"last");
    wants.want(last).await;
    assert_eq!(wants.block().await.0, last);
    assert_eq!(wants.counts().await.duplicates, 0);
}

#[tokio::test]
async fn the_useful_peer_lacks_a_block_that_another_has() {
    let (mut useful, mut other) = (Peer::start().await, Peer::start().await);
    let mut wants = Peer::start().await;
    wants.connect(&mut useful).await;
    wants.connect(&mut other).await;
    let first = useful.shelf.put(b"first");
    wants.want(first).await;
    assert_eq!(wants.block().await.2, useful.id);
    let second = other.shelf.put(b"second");
    let start = std::time::Instant::now();
    wants.want(second).await;
    assert_eq!(wants.block().await.2, other.id);
    assert!(start.elapsed() < Duration::from_secs(1), "without a further round");
}

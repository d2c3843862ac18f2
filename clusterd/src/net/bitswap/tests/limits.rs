//! Peers that want, send or open too much lose the excess.

use clusterd_core::pinset::codec::BlockId;
use libp2p::futures::AsyncWriteExt;

use super::raw::{Raw, closed};
use super::stage::{Peer, bytes};
use crate::net::bitswap::Limits;
use crate::net::bitswap::message::{Ask, Entry, Message};

fn wants(ids: impl IntoIterator<Item = BlockId>) -> Message {
    let line = |id| Entry { id, ask: Ask::Block, priority: 1, send_dont_have: false };
    Message { entries: ids.into_iter().map(line).collect(), ..Message::default() }
}

#[tokio::test]
async fn a_message_that_is_announced_too_long_closes_its_stream_alone() {
    let mut odd = Raw::start(2, None).await;
    let mut ours = Peer::start().await;
    ours.dial(odd.address.clone(), odd.id).await;
    let mut stream = odd.outbound().await;
    stream.write_all(&[0xff, 0xff, 0xff, 0x7f, 1, 2, 3]).await.unwrap();
    stream.flush().await.unwrap();
    closed(stream).await;
    let id = ours.shelf.put(b"block");
    odd.send(&wants([id])).await;
    assert_eq!(odd.read().await.blocks, [b"block"]);
}

#[tokio::test]
async fn streams_beyond_the_limit_are_closed() {
    let limits = Limits { inbound_streams: 3, ..Limits::default() };
    let mut odd = Raw::start(5, None).await;
    let mut ours = Peer::with(limits).await;
    ours.dial(odd.address.clone(), odd.id).await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(odd.outbound().await);
    }
    closed(streams.pop().unwrap()).await;
    closed(streams.pop().unwrap()).await;
    // The three others work.
    for (number, stream) in (0_u32..).zip(&mut streams) {
        let id = ours.shelf.put(&bytes(number, 50));
        stream.write_all(&wants([id]).to_frame()).await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(odd.read().await.blocks, [bytes(number, 50)]);
    }
}

#[tokio::test]
async fn wants_beyond_the_limit_of_a_peer_are_dropped() {
    let limits = Limits { wants_per_peer: 10, ..Limits::default() };
    let mut odd = Raw::start(1, None).await;
    let mut ours = Peer::with(limits).await;
    ours.dial(odd.address.clone(), odd.id).await;
    let here = ours.shelf.put(b"here");
    let lacking = (0..10).map(|number| BlockId::of(&bytes(number, 10)));
    odd.send(&wants(lacking.chain([here]))).await;
    ours.store(&bytes(3, 10)).await;
    assert_eq!(odd.read().await.blocks, [bytes(3, 10)], "the eleventh was dropped");
    odd.send(&wants([here])).await;
    assert_eq!(odd.read().await.blocks, [b"here"], "and there is room for it now");
}

#[tokio::test]
async fn peers_beyond_the_limit_are_neither_asked_nor_served() {
    let limits = Limits { peers: 1, ..Limits::default() };
    let mut ours = Peer::with(limits).await;
    let (mut first, mut second) = (Peer::start().await, Raw::start(1, None).await);
    ours.connect(&mut first).await;
    ours.dial(second.address.clone(), second.id).await;
    closed(second.outbound().await).await;
    let id = first.shelf.put(b"block");
    ours.want(id).await;
    assert_eq!(ours.block().await.2, first.id);
    assert!(second.inbound.try_recv().is_err(), "no stream was opened to it");
}

#[tokio::test]
async fn a_peer_that_takes_nothing_holds_no_other_up() {
    // Room for the answers of one peer at a time, until they are weighed.
    let limits = Limits { bytes_out: 8 << 20, ..Limits::default() };
    let mut ours = Peer::with(limits).await;
    let mut stuck = Raw::start(1, None).await;
    ours.dial(stuck.address.clone(), stuck.id).await;
    let large: Vec<BlockId> = (0..50).map(|n| ours.shelf.put(&bytes(n, 1 << 20))).collect();
    stuck.send(&wants(large.clone())).await;
    // It accepts the stream, and reads none of it.
    let _unread = stuck.inbound().await;
    let mut other = Peer::start().await;
    ours.connect(&mut other).await;
    for id in large {
        other.want(id).await;
        assert_eq!(other.block().await.0, id);
    }
}

#[tokio::test]
async fn many_large_blocks_go_in_messages_of_a_bounded_size() {
    let mut asks = Raw::start(1, None).await;
    let mut ours = Peer::start().await;
    ours.dial(asks.address.clone(), asks.id).await;
    let mut missing: Vec<Vec<u8>> = (0..30).map(|n| bytes(n, 300_000)).collect();
    let ids: Vec<BlockId> = missing.iter().map(|block| ours.shelf.put(block)).collect();
    asks.send(&wants(ids)).await;
    while !missing.is_empty() {
        let message = asks.read().await;
        let size: usize = message.blocks.iter().map(Vec::len).sum();
        assert!(size < (1 << 20) + 300_000, "{size} bytes in one message");
        for block in message.blocks {
            assert_eq!(block, missing.remove(0), "in the order in which they were wanted");
        }
    }
}

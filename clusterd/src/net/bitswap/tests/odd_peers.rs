//! Peers that lie, keep silent, break off, or speak something else.

use std::time::Duration;

use clusterd_core::pinset::codec::BlockId;
use libp2p::futures::AsyncWriteExt;

use super::raw::{Raw, read_until};
use super::stage::{Peer, bytes};
use crate::net::bitswap::message::{Ask, Entry, Message, Presence};
use crate::net::bitswap::{Event, Limits};

fn has(id: BlockId) -> Message {
    Message { presences: vec![(id, Presence::Have)], ..Message::default() }
}

fn blocks(blocks: Vec<Vec<u8>>) -> Message {
    Message { blocks, ..Message::default() }
}

fn asks(message: &Message, id: BlockId, ask: Ask) -> bool {
    message.entries.iter().any(|entry| entry.id == id && entry.ask == ask)
}

#[tokio::test]
async fn wrong_bytes_are_dropped_and_another_peer_is_asked() {
    let (mut liar, mut honest) = (Raw::start(1, None).await, Peer::start().await);
    let mut wants = Peer::start().await;
    wants.dial(liar.address.clone(), liar.id).await;
    let block = bytes(1, 3000);
    let id = honest.shelf.put(&block);
    wants.want(id).await;
    read_until(&mut liar, |message| asks(message, id, Ask::Have)).await;
    liar.send(&has(id)).await;
    read_until(&mut liar, |message| asks(message, id, Ask::Block)).await;
    liar.send(&blocks(vec![bytes(2, 3000)])).await;
    assert_eq!(wants.event().await, Event::Rejected { from: liar.id, count: 1 });
    wants.connect(&mut honest).await;
    assert_eq!(wants.block().await, (id, block, honest.id));
    assert_eq!(wants.counts().await.rejected, 1);
    // For another block it is asked again.
    let other = bytes(3, 10);
    wants.with_swarm(move |swarm| swarm.disconnect_peer_id(honest.id)).await.unwrap();
    wants.want(BlockId::of(&other)).await;
    read_until(&mut liar, |message| asks(message, BlockId::of(&other), Ask::Have)).await;
    liar.send(&blocks(vec![other.clone()])).await;
    assert_eq!(wants.block().await.1, other);
}

#[tokio::test]
async fn a_store_that_holds_wrong_bytes_does_not_spoil_its_peers() {
    let (mut spoilt, mut wants) = (Peer::start().await, Peer::start().await);
    wants.connect(&mut spoilt).await;
    let id = BlockId::of(b"right");
    spoilt.shelf.put_as(id, b"wrong");
    wants.want(id).await;
    assert_eq!(wants.event().await, Event::Rejected { from: spoilt.id, count: 1 });
    spoilt.shelf.put(b"right");
    assert_eq!(wants.block().await.1, b"right");
}

#[tokio::test]
async fn who_says_that_it_has_a_block_and_never_sends_it_is_followed_by_the_next() {
    let limits = Limits { block_timeout: Duration::from_millis(300), ..Limits::default() };
    let (mut silent, mut honest) = (Raw::start(1, None).await, Peer::start().await);
    let mut wants = Peer::with(limits).await;
    wants.dial(silent.address.clone(), silent.id).await;
    let block = bytes(1, 3000);
    let id = honest.shelf.put(&block);
    wants.want(id).await;
    read_until(&mut silent, |message| asks(message, id, Ask::Have)).await;
    silent.send(&has(id)).await;
    read_until(&mut silent, |message| asks(message, id, Ask::Block)).await;
    wants.connect(&mut honest).await;
    assert_eq!(wants.block().await, (id, block, honest.id));
    assert_eq!(wants.counts().await.timeouts, 1);
    read_until(&mut silent, |message| asks(message, id, Ask::Cancel)).await;
}

#[tokio::test]
async fn a_peer_that_breaks_off_inside_a_block_is_replaced() {
    let (mut broken, mut honest) = (Raw::start(1, None).await, Peer::start().await);
    let mut wants = Peer::start().await;
    wants.dial(broken.address.clone(), broken.id).await;
    wants.connect(&mut honest).await;
    let block = bytes(1, 100_000);
    let id = honest.shelf.put(&block);
    wants.want(id).await;
    let frame = blocks(vec![block.clone()]).to_frame();
    let mut stream = broken.outbound().await;
    stream.write_all(&frame[..50_000]).await.unwrap();
    stream.flush().await.unwrap();
    let gone = broken.id;
    wants.with_swarm(move |swarm| swarm.disconnect_peer_id(gone)).await.unwrap();
    wants.met(gone, false).await;
    assert_eq!(wants.block().await, (id, block, honest.id));
}

#[tokio::test]
async fn a_peer_without_bitswap_is_left_alone() {
    let (mut other, mut honest) = (Raw::start(0, Some("/other")).await, Peer::start().await);
    let mut wants = Peer::start().await;
    wants.dial(other.address.clone(), other.id).await;
    let id = honest.shelf.put(b"block");
    wants.want(id).await;
    wants.connect(&mut honest).await;
    assert_eq!(wants.block().await.0, id);
    other.outbound.close();
}

#[tokio::test]
async fn blocks_and_words_come_on_streams_of_their_own_as_go_sends_them() {
    let mut go = Raw::start(3, None).await;
    let mut wants = Peer::start().await;
    wants.dial(go.address.clone(), go.id).await;
    for number in 0..3 {
        let block = bytes(number, 200);
        let id = BlockId::of(&block);
        wants.want(id).await;
        let ask = if number == 0 { Ask::Have } else { Ask::Block };
        read_until(&mut go, |message| asks(message, id, ask)).await;
        let mut stream = go.outbound().await;
        stream.write_all(&blocks(vec![block]).to_frame()).await.unwrap();
        stream.close().await.unwrap();
        assert_eq!(wants.block().await.0, id);
    }
}

#[tokio::test]
async fn every_question_gets_its_answer() {
    let mut asks = Raw::start(1, None).await;
    let mut ours = Peer::start().await;
    ours.dial(asks.address.clone(), asks.id).await;
    let small = ours.shelf.put(&bytes(1, 1024));
    let large = ours.shelf.put(&bytes(2, 1025));
    let (lacks, silent) = (BlockId::of(b"lacks"), BlockId::of(b"silent"));
    let line = |id, ask, send_dont_have| Entry { id, ask, priority: 1, send_dont_have };
    let entries = vec![
        line(small, Ask::Have, true),
        line(large, Ask::Have, true),
        line(lacks, Ask::Have, true),
        line(silent, Ask::Block, false),
    ];
    asks.send(&Message { entries, ..Message::default() }).await;
    let expected = Message {
        blocks: vec![bytes(1, 1024)],
        presences: vec![(large, Presence::Have), (lacks, Presence::DontHave)],
        ..Message::default()
    };
    assert_eq!(asks.read().await, expected);
    asks.send(&Message { entries: vec![line(large, Ask::Block, true)], ..Message::default() })
        .await;
    assert_eq!(asks.read().await, blocks(vec![bytes(2, 1025)]));
    // Both wants were kept; the second list replaces them.
    ours.store(b"silent").await;
    assert_eq!(asks.read().await, blocks(vec![b"silent".to_vec()]));
    let entries = vec![line(small, Ask::Block, true)];
    asks.send(&Message { entries, full: true, ..Message::default() }).await;
    assert_eq!(asks.read().await, blocks(vec![bytes(1, 1024)]));
    ours.store(b"lacks").await;
    asks.send(&Message { entries: vec![line(large, Ask::Block, true)], ..Message::default() })
        .await;
    assert_eq!(asks.read().await, blocks(vec![bytes(2, 1025)]), "not the one that was replaced");
}

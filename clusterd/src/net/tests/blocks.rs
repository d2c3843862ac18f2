//! Blocks from one running peer to another.

use super::*;

#[tokio::test]
async fn a_block_is_fetched_from_a_connected_peer() {
    let mut a = Peer::start(|_| {}).await;
    let b = Peer::beside(&[&a]).await;
    a.connected_to(b.id()).await;
    let id = a.blocks.put(b"block");
    assert_eq!(within("the block", b.net().fetch(id)).await.unwrap(), b"block");
}

#[tokio::test]
async fn a_block_that_comes_into_being_later_is_sent_to_all_who_wait() {
    let mut a = Peer::start(|_| {}).await;
    let b = Peer::beside(&[&a]).await;
    a.connected_to(b.id()).await;
    let id = BlockId::of(b"late");
    let fetches = [b.net().clone(), b.net().clone()]
        .map(|net| tokio::spawn(async move { net.fetch(id).await }));
    until("the want", || b.net().counts().fetching == 1).await;
    a.blocks.put(b"late");
    a.net().have(vec![id]).await;
    for fetch in fetches {
        assert_eq!(within("the block", fetch).await.unwrap().unwrap(), b"late");
    }
}

#[tokio::test]
async fn a_block_that_nobody_has_is_given_up_in_time_and_wanted_no_more() {
    let mut a = Peer::start(|_| {}).await;
    let place = a.address();
    let b = Peer::start(|config| {
        config.bootstrap = vec![place];
        config.fetch_timeout = Duration::from_secs(1);
    })
    .await;
    a.connected_to(b.id()).await;
    let given_up = within("an answer", b.net().fetch(BlockId::of(b"nowhere"))).await;
    assert_eq!(given_up, Err(FetchError::TimedOut(1)));
    until("the end of the want", || b.net().counts().fetching == 0).await;
}

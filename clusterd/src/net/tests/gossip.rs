//! Who hears of heads and metrics, and how often.

use super::*;

/// All announcements that come until each of these peers has sent a metric, and from whom.
async fn heads_until_metrics(
    peer: &mut Peer,
    mut senders: Vec<PeerId>,
) -> Vec<(PeerId, Vec<BlockId>)> {
    let mut seen = Vec::new();
    peer.event("metrics", |event| {
        match event {
            NetEvent::Heads { from, heads } => seen.push((from, heads)),
            NetEvent::Metric { from, .. } => senders.retain(|sender| *sender != from),
            NetEvent::Connected { .. }
            | NetEvent::Disconnected { .. }
            | NetEvent::Subscribed { .. } => {}
        }
        senders.is_empty().then_some(())
    })
    .await;
    seen
}

#[tokio::test]
async fn an_announcement_reaches_every_peer_once() {
    let mut a = Peer::start(|_| {}).await;
    let mut b = Peer::beside(&[&a]).await;
    let mut c = Peer::beside(&[&a, &b]).await;
    a.subscribed_by(b.id()).await;
    a.subscribed_by(c.id()).await;
    b.subscribed_by(c.id()).await;
    c.subscribed_by(b.id()).await;
    a.net().publish_heads(heads("one")).await;
    let expected = (a.id(), heads("one"));
    for one in [&mut b, &mut c] {
        let from = one.event("heads", |event| {
            if let NetEvent::Heads { from, heads } = event { Some((from, heads)) } else { None }
        });
        assert_eq!(from.await, expected);
    }
    // Whoever passes the announcement on twice does so before its own metric.
    for peer in [&a, &b, &c] {
        peer.net().publish_metric(b"metric".to_vec()).await;
    }
    assert_eq!(heads_until_metrics(&mut a, vec![b.id(), c.id()]).await, []);
    assert_eq!(heads_until_metrics(&mut b, vec![a.id(), c.id()]).await, []);
    assert_eq!(heads_until_metrics(&mut c, vec![a.id(), b.id()]).await, []);
}

#[tokio::test]
async fn heads_of_an_untrusted_signer_are_neither_taken_nor_passed_on() {
    let mut far = Peer::start(|_| {}).await;
    let (trusted, at_far) = (far.id(), far.address());
    let mut middle = Peer::start(|config| {
        config.trusted = Trusted::Only(vec![trusted]);
        config.bootstrap = vec![at_far];
    })
    .await;
    middle.subscribed_by(far.id()).await;
    let mut stranger = Peer::beside(&[&middle]).await;
    stranger.subscribed_by(middle.id()).await;
    middle.subscribed_by(stranger.id()).await;
    far.subscribed_by(middle.id()).await;
    stranger.net().publish_heads(heads("refused")).await;
    stranger.net().publish_metric(b"metric".to_vec()).await;
    // Metrics are taken from everyone, and this one was sent after the heads.
    assert_eq!(heads_until_metrics(&mut middle, vec![stranger.id()]).await, []);
    assert_eq!(heads_until_metrics(&mut far, vec![stranger.id()]).await, []);
    let untrusted = advice::Topic::Untrusted(*stranger.id().inner());
    assert_eq!(middle.net().advice.given(), [untrusted]);
    // Heads of the trusted one are taken and passed on.
    far.net().publish_heads(heads("taken")).await;
    far.net().publish_metric(b"metric".to_vec()).await;
    let taken = [(far.id(), heads("taken"))];
    assert_eq!(heads_until_metrics(&mut middle, vec![far.id()]).await, taken);
    assert_eq!(heads_until_metrics(&mut stranger, vec![far.id()]).await, taken);
}

#[tokio::test]
async fn many_heads_go_out_in_several_messages() {
    let mut a = Peer::start(|_| {}).await;
    let mut b = Peer::beside(&[&a]).await;
    a.subscribed_by(b.id()).await;
    let all: Vec<BlockId> = (0..2500_u32).map(|n| BlockId::of(&n.to_be_bytes())).collect();
    a.net().publish_heads(all.clone()).await;
    a.net().publish_metric(b"metric".to_vec()).await;
    let came = heads_until_metrics(&mut b, vec![a.id()]).await;
    assert_eq!(came.iter().map(|(_, heads)| heads.len()).collect::<Vec<_>>(), [1000, 1000, 500]);
    assert_eq!(came.into_iter().flat_map(|(_, heads)| heads).collect::<Vec<_>>(), all);
}

#[tokio::test]
async fn a_slow_driver_does_not_stop_the_network() {
    let mut a = Peer::start(|_| {}).await;
    let b = Peer::beside(&[&a]).await;
    a.subscribed_by(b.id()).await;
    // B takes no event at all, far beyond its queues, and still serves.
    for number in 0..2000_u32 {
        a.net().publish_metric(number.to_be_bytes().to_vec()).await;
    }
    within("a stream", b.net().open_rpc(a.id())).await.unwrap();
    assert_eq!(b.net().connected(), [a.id()]);
}

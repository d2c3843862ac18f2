//! Peers that come, go, move, or do not belong here.

use libp2p::TransportError;

use super::*;
use crate::net::advice::Topic;

#[tokio::test]
async fn a_lost_peer_is_dialled_again() {
    let b = Peer::start(|_| {}).await;
    let (id, place) = (b.id(), b.address());
    let mut a = Peer::beside(&[&b]).await;
    a.connected_to(id).await;
    let (mut config, directory) = b.stop().await;
    a.event("the loss", |event| (event == NetEvent::Disconnected { peer: id }).then_some(())).await;
    assert_eq!(a.net().connected(), []);
    config.listen = vec![addresses::split(&place).0];
    let mut b = Peer::with(config, directory).await;
    a.connected_to(id).await;
    b.connected_to(a.id()).await;
}

#[tokio::test]
async fn a_peer_is_found_again_from_the_peerstore_alone() {
    let mut b = Peer::start(|_| {}).await;
    let a = Peer::beside(&[&b]).await;
    b.connected_to(a.id()).await;
    let (mut config, directory) = a.stop().await;
    let text = std::fs::read_to_string(&config.peerstore).unwrap();
    assert_eq!(text, format!("{}\n", b.address()));
    config.bootstrap = Vec::new();
    let mut a = Peer::with(config, directory).await;
    a.connected_to(b.id()).await;
}

#[tokio::test]
async fn whoever_connects_is_remembered_by_the_addresses_it_tells() {
    let mut b = Peer::start(|_| {}).await;
    let a = Peer::beside(&[&b]).await;
    b.connected_to(a.id()).await;
    let path = b.config.peerstore.clone();
    let line = format!("{}\n", a.address());
    until("an address", || b.net().addresses_of(&a.id()) == [a.address()]).await;
    until("a line of the peerstore", || {
        std::fs::read_to_string(&path).is_ok_and(|text| text == line)
    })
    .await;
}

#[tokio::test]
async fn another_secret_gives_one_line_on_each_side() {
    let a = Peer::start(|_| {}).await;
    let place = a.address();
    let b = Peer::start(|config| {
        config.secret = [8; 32];
        config.bootstrap = vec![place];
    })
    .await;
    let here = Topic::Secret(Some("127.0.0.1".parse().unwrap()));
    until("advice", || a.net().advice.given() == [here.clone()]).await;
    until("advice", || b.net().advice.given() == [here.clone()]).await;
    assert_eq!((a.net().connected(), b.net().connected()), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_port_scan_gives_no_advice() {
    let a = Peer::start(|_| {}).await;
    let mut b = Peer::beside(&[&a]).await;
    let place = a.address().to_string();
    let port: u16 = place.split('/').nth(4).unwrap().parse().unwrap();
    drop(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    // Something that comes later than the end of that connection.
    b.subscribed_by(a.id()).await;
    within("a stream", b.net().open_rpc(a.id())).await.unwrap();
    assert_eq!(a.net().advice.given(), []);
}

#[tokio::test]
async fn another_cluster_name_gives_one_line() {
    let mut a = Peer::start(|_| {}).await;
    let place = a.address();
    let b = Peer::start(|config| {
        config.cluster_name = "another".to_owned();
        config.bootstrap = vec![place];
    })
    .await;
    a.subscribed_by(b.id()).await;
    let other = Topic::ClusterName(*b.id().inner());
    until("advice", || a.net().advice.given() == [other.clone()]).await;
}

#[tokio::test]
async fn another_peer_at_the_address_gives_one_line_and_the_address_is_dropped() {
    let a = Peer::start(|_| {}).await;
    let expected = libp2p::PeerId::random();
    let b = Peer::start(|_| {}).await;
    b.net().add_addresses(PeerId::from(expected), vec![addresses::split(&a.address()).0]).await;
    until("advice", || b.net().advice.given() == [Topic::OtherPeer(expected)]).await;
    let unknown = within("an answer", b.net().open_rpc(PeerId::from(expected))).await;
    assert!(matches!(unknown, Err(OpenError::Unreachable(_))), "{unknown:?}");
}

#[tokio::test]
async fn our_own_address_among_the_bootstrap_peers_is_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(&directory);
    let me = config.keypair.public().to_peer_id();
    config.bootstrap = vec![format!("/ip4/127.0.0.1/tcp/1/p2p/{me}").parse().unwrap()];
    let a = Peer::with(config, directory).await;
    let b = Peer::beside(&[&a]).await;
    until("a connection", || a.net().connected() == [b.id()]).await;
}

#[tokio::test]
async fn a_port_in_use_is_an_error_that_says_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let a = Peer::start(|_| {}).await;
    for place in
        [format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap(), addresses::split(&a.address()).0]
    {
        let directory = tempfile::tempdir().unwrap();
        let mut config = config(&directory);
        config.listen = vec![place];
        let words = start(config, Arc::<Shelf>::default()).unwrap_err().to_string();
        assert!(
            words.contains("the port is in use") && words.contains("listen in [peers]"),
            "{words}"
        );
    }
}

#[tokio::test]
async fn announced_addresses_take_the_place_of_others() {
    let announced: Multiaddr = "/dns4/a.example/tcp/9096".parse().unwrap();
    let a =
        Peer::start(|config| config.announce = vec!["/dns4/a.example/tcp/9096".parse().unwrap()])
            .await;
    assert_eq!(addresses::split(&a.address()).0, announced);
}

#[tokio::test]
async fn connections_above_the_limit_are_refused() {
    let a = Peer::start(|config| config.connections_max = 4).await;
    let place = a.net().own_addresses().remove(0);
    let mut others = Vec::new();
    for _ in 0..3 {
        let place = place.clone();
        let mut other = Peer::start(|config| config.bootstrap = vec![place]).await;
        other.connected_to(a.id()).await;
        others.push(other);
    }
    // Three of four places are for those who come by themselves.
    let late = Peer::start(|_| {}).await;
    late.net().add_addresses(a.id(), vec![place]).await;
    let refused = within("an answer", late.net().open_rpc(a.id())).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(a.net().connected().len(), 3);
    // The last place is for whom we look for.
    a.net().add_addresses(late.id(), late.net().own_addresses()).await;
    until("the last place", || a.net().connected().len() == 4).await;
}

#[test]
fn only_failures_after_the_first_bytes_are_taken_for_another_secret() {
    let failure =
        |error: transport::ConnectError| TransportError::Other(std::io::Error::other(error));
    assert!(transport::is_handshake_failure(&failure(transport::ConnectError::Handshake(
        String::new()
    ))));
    assert!(!transport::is_handshake_failure(&failure(transport::ConnectError::Unreachable(
        String::new()
    ))));
    assert!(!transport::is_handshake_failure(&failure(transport::ConnectError::Silent(
        String::new()
    ))));
}

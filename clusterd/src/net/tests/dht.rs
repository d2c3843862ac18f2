//! A peer whose address nobody told is found through a server of the DHT.

use futures_util::StreamExt;
use libp2p::identify;
use libp2p::kad::store::MemoryStore;
use libp2p::kad::{self, Mode};
use libp2p::swarm::{Config, NetworkBehaviour, Swarm, SwarmEvent};

use super::*;
use crate::net::behaviour::DHT_PROTOCOL;
use crate::net::traffic::Meter;

/// What a Go peer does, as far as it matters here.
#[derive(NetworkBehaviour)]
struct Server {
    identify: identify::Behaviour,
    dht: kad::Behaviour<MemoryStore>,
}

/// Starts a server that knows one peer, and returns its address.
async fn server(peer: libp2p::PeerId, place: Multiaddr) -> Multiaddr {
    let keypair = Keypair::generate_ed25519();
    let id = keypair.public().to_peer_id();
    let mut dht =
        kad::Behaviour::with_config(id, MemoryStore::new(id), kad::Config::new(DHT_PROTOCOL));
    dht.set_mode(Some(Mode::Server));
    dht.add_address(&peer, place);
    let identify = identify::Config::new(String::new(), keypair.public());
    let behaviour = Server { identify: identify::Behaviour::new(identify), dht };
    let transport = transport::build(&keypair, SECRET, Meter::default()).unwrap();
    let settings = Config::with_tokio_executor().with_idle_connection_timeout(DEADLINE);
    let mut swarm = Swarm::new(transport, behaviour, id, settings);
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            tokio::spawn(async move {
                loop {
                    swarm.select_next_some().await;
                }
            });
            return address.with(libp2p::multiaddr::Protocol::P2p(id));
        }
    }
}

#[tokio::test]
async fn a_member_without_a_known_address_is_found_through_the_dht() {
    let b = Peer::start(|_| {}).await;
    let (peer, place) = (*b.id().inner(), addresses::split(&b.address()).0);
    let server = within("a server", server(peer, place)).await;
    let a = Peer::start(|config| {
        config.bootstrap = vec![server];
        config.dht = true;
    })
    .await;
    until("a connection", || !a.net().connected().is_empty()).await;
    // Until the server has said what it speaks, nobody can be asked.
    let mut pause = tokio::time::interval(Duration::from_millis(100));
    let opened = async {
        while a.net().open_rpc(b.id()).await.is_err() {
            pause.tick().await;
        }
    };
    within("a stream", opened).await;
    assert!(a.net().connected().contains(&b.id()));
    let nobody =
        within("an answer", a.net().open_rpc(PeerId::from(libp2p::PeerId::random()))).await;
    assert!(matches!(nobody, Err(OpenError::Unreachable(_))), "{nobody:?}");
}

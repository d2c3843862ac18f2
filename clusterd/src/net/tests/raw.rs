//! A swarm that speaks one protocol only, with limits of its own: the other side of a test.

use futures_util::StreamExt;
use libp2p::StreamProtocol;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{Config, Swarm, SwarmEvent};
use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::net::streams::{Behaviour, Incoming, StreamLimits};
use crate::net::traffic::Meter;
use crate::net::transport;

/// It runs until this is dropped.
pub(in crate::net) struct Raw {
    pub(in crate::net) id: libp2p::PeerId,
    pub(in crate::net) address: Multiaddr,
    pub(in crate::net) incoming: Incoming,
    orders: mpsc::Sender<Order>,
}

/// What it is told to do; in order, so that a stream finds the dial before it.
enum Order {
    Dial(Multiaddr),
    Open(libp2p::PeerId, oneshot::Sender<Result<PeerStream, OpenError>>),
    Refused(oneshot::Sender<u64>),
}

pub(in crate::net) const LIMITS: StreamLimits = StreamLimits {
    inbound_per_peer: 400,
    outbound_per_peer: 400,
    waiting: 16,
    negotiation: Duration::from_secs(30),
};

impl Raw {
    pub(in crate::net) async fn start(protocol: &'static str, limits: StreamLimits) -> Self {
        Self::with(Keypair::generate_ed25519(), protocol, limits).await
    }

    pub(in crate::net) async fn with(
        keypair: Keypair,
        protocol: &'static str,
        limits: StreamLimits,
    ) -> Self {
        let (behaviour, incoming) = Behaviour::new(StreamProtocol::new(protocol), limits);
        let transport = transport::build(&keypair, SECRET, Meter::default()).unwrap();
        let id = keypair.public().to_peer_id();
        let mut swarm = Swarm::new(transport, behaviour, id, Config::with_tokio_executor());
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
        let place = within("listening", async {
            loop {
                if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                    return address;
                }
            }
        })
        .await;
        let address = place.with(Protocol::P2p(id));
        let (orders, mut order) = mpsc::channel(16);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = swarm.select_next_some() => {}
                    order = order.recv() => match order {
                        Some(Order::Dial(address)) => swarm.dial(address).unwrap(),
                        Some(Order::Open(peer, reply)) => swarm.behaviour_mut().open(peer, reply),
                        Some(Order::Refused(reply)) => reply.send(swarm.behaviour().refused()).unwrap(),
                        None => return,
                    },
                }
            }
        });
        Self { id, address, incoming, orders }
    }

    pub(in crate::net) async fn dial(&self, address: Multiaddr) {
        self.orders.send(Order::Dial(address)).await.unwrap();
    }

    pub(in crate::net) async fn open(&self, peer: libp2p::PeerId) -> Result<PeerStream, OpenError> {
        let (reply, stream) = oneshot::channel();
        self.orders.send(Order::Open(peer, reply)).await.unwrap();
        within("a stream", stream).await.unwrap()
    }

    pub(in crate::net) async fn refused(&self) -> u64 {
        let (reply, count) = oneshot::channel();
        self.orders.send(Order::Refused(reply)).await.unwrap();
        count.await.unwrap()
    }

    /// The next stream that the other side opened.
    pub(in crate::net) async fn accept(&mut self) -> PeerStream {
        within("a stream of the other side", self.incoming.recv()).await.unwrap().1
    }
}

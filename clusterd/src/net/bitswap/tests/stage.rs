//! Swarms that run by themselves, and a store that can grow.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clusterd_core::pinset::codec::BlockId;
use libp2p::futures::StreamExt;
use libp2p::swarm::{NetworkBehaviour, Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId, SwarmBuilder, noise, tcp, yamux};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::net::bitswap::{Behaviour, Counts, Event, Limits};
use crate::net::blocks::Blocks;

/// What takes longer has failed.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);

/// Blocks in memory.
#[derive(Debug, Default)]
pub(super) struct Shelf(Mutex<BTreeMap<BlockId, Vec<u8>>>);

impl Shelf {
    pub(super) fn put(&self, bytes: &[u8]) -> BlockId {
        let id = BlockId::of(bytes);
        self.0.lock().unwrap().insert(id, bytes.to_vec());
        id
    }

    pub(super) fn put_as(&self, id: BlockId, bytes: &[u8]) {
        self.0.lock().unwrap().insert(id, bytes.to_vec());
    }
}

impl Blocks for Shelf {
    fn block(&self, id: &BlockId) -> Option<Vec<u8>> {
        self.0.lock().unwrap().get(id).cloned()
    }

    fn has(&self, id: &BlockId) -> bool {
        self.0.lock().unwrap().contains_key(id)
    }
}

/// A swarm of any behaviour.
pub(super) fn swarm<B: NetworkBehaviour>(behaviour: B) -> Swarm<B> {
    let config = tcp::Config::default();
    SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(config, noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|_| behaviour)
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(DEADLINE * 10))
        .build()
}

/// Lets a swarm listen on loopback.
pub(super) async fn listen<B: NetworkBehaviour>(swarm: &mut Swarm<B>) -> Multiaddr {
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    let listens = async {
        loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                return address;
            }
        }
    };
    timeout(DEADLINE, listens).await.unwrap()
}

type Command = Box<dyn FnOnce(&mut Swarm<Behaviour>) + Send>;

/// A peer with our behaviour, running as a task.
pub(super) struct Peer {
    pub(super) id: PeerId,
    pub(super) address: Multiaddr,
    pub(super) shelf: Arc<Shelf>,
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<Event>,
    connections: mpsc::Receiver<(PeerId, bool)>,
}

impl Peer {
    pub(super) async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    pub(super) async fn with(limits: Limits) -> Self {
        let shelf = Arc::new(Shelf::default());
        let mut swarm = swarm(Behaviour::new(Arc::<Shelf>::clone(&shelf), limits));
        let address = listen(&mut swarm).await;
        let id = *swarm.local_peer_id();
        let (commands, received) = mpsc::channel(4096);
        let (told, events) = mpsc::channel(1 << 16);
        let (met, connections) = mpsc::channel(1024);
        tokio::spawn(run(swarm, received, told, met));
        Self { id, address, shelf, commands, events, connections }
    }

    /// Does something inside, and waits for it.
    pub(super) async fn with_swarm<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Swarm<Behaviour>) -> T + Send + 'static,
    ) -> T {
        let (done, outcome) = oneshot::channel();
        let command: Command = Box::new(move |swarm| drop(done.send(act(swarm))));
        assert!(self.commands.send(command).await.is_ok(), "the swarm has ended");
        timeout(DEADLINE, outcome).await.unwrap().unwrap()
    }

    pub(super) async fn want(&self, id: BlockId) {
        self.with_swarm(move |swarm| swarm.behaviour_mut().want(id)).await.unwrap();
    }

    /// As `want`, without waiting until it has begun.
    pub(super) async fn want_soon(&self, id: BlockId) {
        let command: Command = Box::new(move |swarm| swarm.behaviour_mut().want(id).unwrap());
        assert!(self.commands.send(command).await.is_ok(), "the swarm has ended");
    }

    pub(super) async fn counts(&self) -> Counts {
        self.with_swarm(|swarm| swarm.behaviour().counts()).await
    }

    /// A block is stored after the peers have asked for it.
    pub(super) async fn store(&self, bytes: &[u8]) -> BlockId {
        let id = self.shelf.put(bytes);
        self.with_swarm(move |swarm| swarm.behaviour_mut().have(&id)).await;
        id
    }

    /// Connects to another peer and waits until both know.
    pub(super) async fn connect(&mut self, other: &mut Peer) {
        self.dial(other.address.clone(), other.id).await;
        other.met(self.id, true).await;
    }

    pub(super) async fn dial(&mut self, address: Multiaddr, peer: PeerId) {
        self.with_swarm(move |swarm| swarm.dial(address)).await.unwrap();
        self.met(peer, true).await;
    }

    /// Waits until a peer is connected, or no more.
    pub(super) async fn met(&mut self, peer: PeerId, is_there: bool) {
        let met = async {
            while let Some(change) = self.connections.recv().await {
                if change == (peer, is_there) {
                    return;
                }
            }
            panic!("the swarm has ended");
        };
        timeout(DEADLINE, met).await.expect("a peer came or left in time");
    }

    pub(super) async fn event(&mut self) -> Event {
        timeout(DEADLINE, self.events.recv()).await.expect("an event in time").unwrap()
    }

    /// Waits for a block, which must be the next event.
    pub(super) async fn block(&mut self) -> (BlockId, Vec<u8>, PeerId) {
        match self.event().await {
            Event::Block { id, bytes, from } => (id, bytes, from),
            rejected @ Event::Rejected { .. } => panic!("{rejected:?}"),
        }
    }
}

async fn run(
    mut swarm: Swarm<Behaviour>,
    mut commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
    connections: mpsc::Sender<(PeerId, bool)>,
) {
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(command) => command(&mut swarm),
                None => return,
            },
            event = swarm.select_next_some() => {
                if let SwarmEvent::Behaviour(event) = event {
                    events.send(event).await.ok();
                } else if let SwarmEvent::ConnectionEstablished { peer_id, .. } = event {
                    connections.send((peer_id, true)).await.ok();
                } else if let SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } = event
                {
                    connections.send((peer_id, false)).await.ok();
                }
            }
        }
    }
}

/// Different bytes for each number.
pub(super) fn bytes(number: u32, length: usize) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.resize(length.max(4), 0x5a);
    bytes
}

//! Which peer is connected, and which streams wait for a connection.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::behaviour::ConnectionEstablished;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionId, DialError, DialFailure, FromSwarm,
    NetworkBehaviour, NotifyHandler, StreamProtocol, THandlerInEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::mpsc;

use super::handler::Handler;
use super::{Counter, Incoming, OpenError, Opening, Reply, Shared, StreamLimits};

/// Streams of one protocol with all peers.
#[derive(Debug)]
pub(in crate::net) struct Behaviour {
    shared: Arc<Shared>,
    peers: HashMap<PeerId, Peer>,
    /// Bounded by the limit of each peer and the number of peers asked for at a time.
    actions: VecDeque<ToSwarm<Infallible, Opening>>,
}

#[derive(Debug, Default)]
struct Peer {
    connections: usize,
    inbound: Counter,
    outbound: Counter,
    /// Streams that wait for a connection.
    waiting: Vec<Opening>,
}

impl Behaviour {
    /// Streams of `protocol`, and the queue of those that peers open.
    pub(in crate::net) fn new(protocol: StreamProtocol, limits: StreamLimits) -> (Self, Incoming) {
        let (incoming, queue) = mpsc::channel(limits.waiting);
        let shared = Arc::new(Shared { protocol, limits, incoming, refused: AtomicU64::new(0) });
        (Self { shared, peers: HashMap::new(), actions: VecDeque::new() }, queue)
    }

    /// Opens a stream, over a new connection if there is none. Every request is answered.
    pub(in crate::net) fn open(&mut self, id: PeerId, reply: Reply) {
        let limit = self.shared.limits.outbound_per_peer;
        let peer = self.peers.entry(id).or_default();
        let Some(slot) = peer.outbound.take(limit) else {
            // An error means that who asked has given up.
            return drop(reply.send(Err(OpenError::TooMany(limit))));
        };
        let opening = Opening { reply, slot };
        if peer.connections > 0 {
            self.actions.push_back(on_connection(id, opening));
            return;
        }
        peer.waiting.push(opening);
        if peer.waiting.len() == 1 {
            let opts = DialOpts::peer_id(id).allocate_new_port().build();
            self.actions.push_back(ToSwarm::Dial { opts });
        }
    }

    /// Streams of peers that were reset because their peer had too many open.
    pub(in crate::net) fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    fn on_connected(&mut self, id: PeerId) {
        let peer = self.peers.entry(id).or_default();
        peer.connections += 1;
        let waiting = peer.waiting.drain(..).map(|opening| on_connection(id, opening));
        self.actions.extend(waiting);
    }

    fn on_disconnected(&mut self, id: PeerId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.connections = peer.connections.saturating_sub(1);
            // Without a connection no stream lives, so the counts are not needed either.
            if peer.connections == 0 && peer.waiting.is_empty() {
                self.peers.remove(&id);
            }
        }
    }

    fn on_dial_failed(&mut self, id: PeerId, error: &DialError) {
        // Another dial is under way; its end is told as well.
        if matches!(error, DialError::DialPeerConditionFalse(_)) {
            return;
        }
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.connections == 0) else {
            return;
        };
        for opening in peer.waiting.drain(..) {
            drop(opening.reply.send(Err(OpenError::Unreachable(error.to_string()))));
        }
        self.peers.remove(&id);
    }
}

fn on_connection(peer_id: PeerId, event: Opening) -> ToSwarm<Infallible, Opening> {
    ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::Any, event }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        let inbound = self.peers.entry(peer).or_default().inbound.clone();
        Ok(Handler::new(Arc::clone(&self.shared), peer, inbound))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        let inbound = self.peers.entry(peer).or_default().inbound.clone();
        Ok(Handler::new(Arc::clone(&self.shared), peer, inbound))
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all else is of no concern to streams")]
    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { peer_id, .. }) => {
                self.on_connected(peer_id);
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, .. }) => {
                self.on_disconnected(peer_id);
            }
            FromSwarm::DialFailure(DialFailure { peer_id: Some(peer), error, .. }) => {
                self.on_dial_failed(peer, error);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: Infallible) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        match self.actions.pop_front() {
            Some(action) => Poll::Ready(action),
            // Whoever fills the queue runs on the task that polls us next.
            None => Poll::Pending,
        }
    }
}

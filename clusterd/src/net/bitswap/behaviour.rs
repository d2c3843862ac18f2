//! Joins the client, the peers' lanes and the swarm.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use clusterd_core::pinset::codec::BlockId;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::Semaphore;
use tokio::time::{Sleep, sleep_until};

use super::client::{Client, Counts, Event, Say, WantsFull, Word};
use super::handler::{Content, Handler, Order, OrderKind, Report, ReportKind};
use super::lane::Lane;
use super::limits::Limits;
use super::serve::Source;
use crate::net::blocks::Blocks;

/// Bitswap as a part of a swarm. Needs a tokio runtime.
pub struct Behaviour {
    limits: Limits,
    source: Arc<Source>,
    memory_in: Arc<Semaphore>,
    peers: BTreeMap<PeerId, Seat>,
    client: Client,
    orders: VecDeque<(PeerId, ConnectionId, Order)>,
    timer: Option<(Instant, Pin<Box<Sleep>>)>,
}

/// A connected peer that takes part.
struct Seat {
    lane: Arc<Lane>,
    /// The first one leads.
    connections: Vec<ConnectionId>,
}

impl Behaviour {
    /// Serves `blocks`, which are read on threads where that may take its time.
    pub fn new(blocks: Arc<dyn Blocks>, limits: Limits) -> Self {
        let memory = Arc::new(Semaphore::new(limits.permits_out()));
        Self {
            source: Arc::new(Source { blocks, memory }),
            memory_in: Arc::new(Semaphore::new(limits.permits_in())),
            peers: BTreeMap::new(),
            client: Client::new(&limits),
            orders: VecDeque::new(),
            timer: None,
            limits,
        }
    }

    /// Fetches a block from whoever has it, for as long as it takes: [`Event::Block`] follows once,
    /// or never. To want it again changes nothing. The swarm is to be polled after it.
    ///
    /// # Errors
    /// [`WantsFull`] when [`Limits::wants`] other blocks are wanted.
    pub fn want(&mut self, id: BlockId) -> Result<(), WantsFull> {
        let wanted = self.client.want(id, Instant::now());
        self.pass_words();
        wanted
    }

    /// Wants a block no more. An event for it may be on its way already.
    pub fn cancel(&mut self, id: BlockId) {
        self.client.cancel(&id);
        self.pass_words();
    }

    /// A block can be read from now on: peers that wait for it get it.
    pub fn have(&mut self, id: &BlockId) {
        for seat in self.peers.values() {
            if seat.lane.state().ledger.came(id) {
                seat.lane.leader.wake();
            }
        }
    }

    /// What happened since the start.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.client.counts()
    }

    /// Puts what the client says into the lanes.
    fn pass_words(&mut self) {
        for Word { peer, id, say } in self.client.words() {
            let Some(seat) = self.peers.get(&peer) else { continue };
            match say {
                Say::Ask(ask) => {
                    seat.lane.state().outbox.ask(id, ask);
                    seat.lane.leader.wake();
                }
                Say::Settle => seat.lane.state().outbox.settle(&id),
            }
        }
    }

    fn connected(&mut self, peer: PeerId, connection: ConnectionId) {
        let is_full = self.peers.len() >= self.limits.peers;
        let mut order = |kind| self.orders.push_back((peer, connection, Order(kind)));
        if let Some(seat) = self.peers.get_mut(&peer) {
            seat.connections.push(connection);
            order(OrderKind::Join(Arc::clone(&seat.lane)));
        } else if is_full {
            tracing::debug!(%peer, "exchanges no blocks with a peer: there are too many");
            order(OrderKind::Leave);
        } else {
            let lane = Arc::new(Lane::new(self.limits.wants_per_peer));
            order(OrderKind::Join(Arc::clone(&lane)));
            order(OrderKind::Lead);
            self.peers.insert(peer, Seat { lane, connections: vec![connection] });
            self.client.peer_came(peer, Instant::now());
            self.pass_words();
        }
    }

    fn disconnected(&mut self, peer: PeerId, connection: ConnectionId) {
        let Some(seat) = self.peers.get_mut(&peer) else { return };
        let was_leading = seat.connections.first() == Some(&connection);
        seat.connections.retain(|other| *other != connection);
        match seat.connections.first() {
            Some(next) if was_leading => {
                let mut lane = seat.lane.state();
                lane.outbox.restart();
                lane.ledger.restart();
                self.orders.push_back((peer, *next, Order(OrderKind::Lead)));
            }
            Some(_) => {}
            None => {
                self.peers.remove(&peer);
                self.client.peer_left(&peer, Instant::now());
                self.pass_words();
            }
        }
    }

    fn received(&mut self, peer: PeerId, content: Content) {
        let now = Instant::now();
        self.client.presences(peer, &content.presences, now);
        self.client.blocks(peer, content.blocks, content.foreign, now);
        self.pass_words();
    }

    /// Ready when the client's time has come.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(alarm) = self.client.next_alarm() else { return Poll::Pending };
        // Armed anew only for an earlier time: a timer that goes off too soon costs less.
        let (_, timer) = match &mut self.timer {
            Some(armed) if armed.0 <= alarm => armed,
            timer => timer.insert((alarm, Box::pin(sleep_until(alarm.into())))),
        };
        let gone_off = timer.as_mut().poll(cx);
        if gone_off.is_ready() {
            self.timer = None;
        }
        gone_off
    }

    /// The connection that leads.
    #[cfg(test)]
    pub(super) fn leader(&self, peer: &PeerId) -> Option<ConnectionId> {
        self.peers.get(peer)?.connections.first().copied()
    }

    fn handler(&self, peer: PeerId) -> Handler {
        let (source, memory) = (Arc::clone(&self.source), Arc::clone(&self.memory_in));
        Handler::new(peer, source, memory, self.limits.inbound_streams)
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(self.handler(peer))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(self.handler(peer))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        // The other events are of no use here.
        if let FromSwarm::ConnectionEstablished(established) = event {
            let ConnectionEstablished { peer_id, connection_id, .. } = established;
            self.connected(peer_id, connection_id);
        } else if let FromSwarm::ConnectionClosed(closed) = event {
            let ConnectionClosed { peer_id, connection_id, .. } = closed;
            self.disconnected(peer_id, connection_id);
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, _: ConnectionId, report: Report) {
        match report.0 {
            ReportKind::Received(content) => self.received(peer, content),
            ReportKind::Unsupported => {
                tracing::debug!(%peer, "a peer does not speak bitswap 1.2.0");
                self.client.peer_left(&peer, Instant::now());
                self.pass_words();
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Event, Order>> {
        loop {
            if let Some((peer_id, connection, event)) = self.orders.pop_front() {
                let handler = NotifyHandler::One(connection);
                return Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler, event });
            }
            if let Some(event) = self.client.next_event() {
                return Poll::Ready(ToSwarm::GenerateEvent(event));
            }
            if self.poll_timer(cx).is_pending() {
                return Poll::Pending;
            }
            self.client.tick(Instant::now());
            self.pass_words();
        }
    }
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behaviour").field("peers", &self.peers.len()).finish_non_exhaustive()
    }
}

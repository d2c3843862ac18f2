//! Streams on one connection.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use libp2p::PeerId;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, StreamProtocol, StreamUpgradeError,
    SubstreamProtocol,
};
use tokio::sync::mpsc::OwnedPermit;
use tokio::sync::mpsc::error::SendError;

use super::{Counter, OpenError, Opening, PeerStream, Shared};

type Permit = OwnedPermit<(PeerId, PeerStream)>;

/// A place in the queue of incoming streams that is waited for.
type Reserving = Pin<Box<dyn Future<Output = Result<Permit, SendError<()>>> + Send>>;

/// Opens and accepts streams on one connection.
pub(in crate::net) struct Handler {
    shared: Arc<Shared>,
    peer: PeerId,
    inbound: Counter,
    openings: VecDeque<Opening>,
    /// At most as many as the peer may have open.
    arrived: VecDeque<PeerStream>,
    reserving: Option<Reserving>,
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Handler {
    pub(super) fn new(shared: Arc<Shared>, peer: PeerId, inbound: Counter) -> Self {
        let (openings, arrived) = (VecDeque::new(), VecDeque::new());
        Self { shared, peer, inbound, openings, arrived, reserving: None }
    }

    fn accept(&mut self, stream: libp2p::Stream) {
        let limit = self.shared.limits.inbound_per_peer;
        let Some(slot) = self.inbound.take(limit) else {
            let count = self.shared.refused.fetch_add(1, Ordering::Relaxed) + 1;
            // The first one, and then ever rarer: a peer may do this thousands of times.
            if count.is_power_of_two() {
                tracing::warn!(peer = %self.peer, count, "a peer has too many streams open; refused its next one");
            }
            return;
        };
        self.arrived.push_back(PeerStream::new(stream, slot));
    }

    /// Hands arrived streams on, as far as there is room in the queue.
    fn poll_hand_on(&mut self, cx: &mut Context<'_>) {
        while !self.arrived.is_empty() {
            let reserving = self
                .reserving
                .get_or_insert_with(|| Box::pin(self.shared.incoming.clone().reserve_owned()));
            let Poll::Ready(reserved) = reserving.as_mut().poll(cx) else { return };
            self.reserving = None;
            match (reserved, self.arrived.pop_front()) {
                (Ok(permit), Some(stream)) => drop(permit.send((self.peer, stream))),
                // Nobody takes streams any more: all are reset.
                (Err(_), _) => self.arrived.clear(),
                (Ok(_), None) => return,
            }
        }
    }
}

/// Answers who asked for the stream; when nobody waits any more, the stream is reset.
fn answer(opening: Opening, stream: libp2p::Stream) {
    let Opening { reply, slot } = opening;
    drop(reply.send(Ok(PeerStream::new(stream, slot))));
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Opening;
    type ToBehaviour = Infallible;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Opening;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(self.shared.protocol.clone()), ())
            .with_timeout(self.shared.limits.negotiation)
    }

    /// Members stay connected, whether they have something to say or not.
    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn on_behaviour_event(&mut self, opening: Opening) {
        self.openings.push_back(opening);
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Opening, Infallible>> {
        self.poll_hand_on(cx);
        while let Some(opening) = self.openings.pop_front() {
            // Who asked may have given up meanwhile.
            if opening.reply.is_closed() {
                continue;
            }
            let upgrade = ReadyUpgrade::new(self.shared.protocol.clone());
            let protocol = SubstreamProtocol::new(upgrade, opening)
                .with_timeout(self.shared.limits.negotiation);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "others' protocols, and failures of streams that were never ours"
    )]
    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol, (), Opening>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: stream,
                ..
            }) => self.accept(stream),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: opening,
            }) => answer(opening, stream),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: opening, error }) => {
                drop(opening.reply.send(Err(self.why(error))));
            }
            _ => {}
        }
    }
}

impl Handler {
    fn why(&self, error: StreamUpgradeError<Infallible>) -> OpenError {
        match error {
            StreamUpgradeError::Timeout => OpenError::Failed("time-out".to_owned()),
            StreamUpgradeError::Apply(never) => match never {},
            StreamUpgradeError::NegotiationFailed => {
                OpenError::Unsupported(self.shared.protocol.to_string())
            }
            StreamUpgradeError::Io(error) => OpenError::Failed(error.to_string()),
        }
    }
}

//! One connection: reads what the peer sends, and, where it leads, sends what is due.

mod sending;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use clusterd_core::pinset::codec::BlockId;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::futures::stream::{self, BoxStream, SelectAll};
use libp2p::futures::{StreamExt, TryStreamExt};
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, StreamProtocol, StreamUpgradeError,
    SubstreamProtocol,
};
use libp2p::{PeerId, Stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::sending::Sending;
use super::frames::{FrameError, READ_TIMEOUT, Reader, Received};
use super::lane::Lane;
use super::message::Presence;
use super::serve::Source;

/// The protocol. Go offers older ones too, which it uses only where this one is refused.
/// Source: wire.md 5.
const PROTOCOL: StreamProtocol = StreamProtocol::new("/ipfs/bitswap/1.2.0");

/// Handler of one connection.
pub struct Handler {
    peer: PeerId,
    lane: Option<Arc<Lane>>,
    /// Whether this connection is shut out: over the limit of peers.
    is_mute: bool,
    /// `Some` where this connection leads.
    sending: Option<Sending>,
    source: Arc<Source>,
    memory_in: Arc<Semaphore>,
    inbound: SelectAll<BoxStream<'static, Result<Received, FrameError>>>,
    inbound_max: usize,
    reports: VecDeque<Report>,
}

/// What the behaviour tells a connection.
#[derive(Debug)]
pub struct Order(pub(super) OrderKind);

#[derive(Debug)]
pub(super) enum OrderKind {
    /// This is the lane of the peer: start to read.
    Join(Arc<Lane>),
    /// Send from now on.
    Lead,
    /// There are too many peers: neither read nor send.
    Leave,
}

/// What a connection tells the behaviour.
#[derive(Debug)]
pub struct Report(pub(super) ReportKind);

#[derive(Debug)]
pub(super) enum ReportKind {
    /// The peer sent blocks or words on blocks.
    Received(Content),
    /// The peer does not speak our bitswap.
    Unsupported,
}

/// What a message held for our side.
#[derive(Debug)]
pub(super) struct Content {
    /// Blocks with the hash of their bytes.
    pub(super) blocks: Vec<(BlockId, Vec<u8>)>,
    pub(super) presences: Vec<(BlockId, Presence)>,
    /// Blocks of another kind.
    pub(super) foreign: usize,
    _share: OwnedSemaphorePermit,
}

/// What a stream of ours is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Our wants.
    Wants,
    /// Blocks for the peer.
    Replies,
}

impl Handler {
    /// A handler that neither reads nor sends until it is told to join.
    pub(super) fn new(
        peer: PeerId,
        source: Arc<Source>,
        memory_in: Arc<Semaphore>,
        inbound_max: usize,
    ) -> Self {
        Self {
            peer,
            lane: None,
            is_mute: false,
            sending: None,
            source,
            memory_in,
            inbound: SelectAll::new(),
            inbound_max,
            reports: VecDeque::new(),
        }
    }

    fn accept(&mut self, stream: Stream) {
        if self.is_mute || self.inbound.len() >= self.inbound_max {
            tracing::debug!(peer = %self.peer, "refused a stream of a peer, which has too many");
            return;
        }
        let reader = Reader::new(stream, Arc::clone(&self.memory_in), READ_TIMEOUT);
        let messages = stream::try_unfold(reader, |mut reader| async move {
            Ok(reader.next().await?.map(|received| (received, reader)))
        });
        self.inbound.push(messages.into_stream().boxed());
    }

    fn received(&mut self, received: Received, lane: &Lane) {
        let Received { message, share } = received;
        if message.full || !message.entries.is_empty() {
            let dropped = lane.state().ledger.read(&message);
            if dropped > 0 {
                tracing::debug!(peer = %self.peer, count = dropped, "a peer wants too many blocks");
            }
            lane.leader.wake();
        }
        let (presences, foreign) = (message.presences, message.foreign);
        // Hashed here, so that the peers' connections share the work and the swarm has none of it.
        let hashed = message.blocks.into_iter().map(|bytes| (BlockId::of(&bytes), bytes));
        let blocks: Vec<_> = hashed.collect();
        if !blocks.is_empty() || !presences.is_empty() || foreign > 0 {
            let content = Content { blocks, presences, foreign, _share: share };
            self.reports.push_back(Report(ReportKind::Received(content)));
        }
    }

    fn failed_to_open<E>(&mut self, purpose: Purpose, error: &StreamUpgradeError<E>) {
        let Some(sending) = &mut self.sending else { return };
        if matches!(error, StreamUpgradeError::NegotiationFailed) {
            sending.refuse(purpose);
            if let Some(lane) = &self.lane {
                lane.state().ledger.clear();
            }
            self.reports.push_back(Report(ReportKind::Unsupported));
        } else {
            sending.fail_to_open(purpose);
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Order;
    type ToBehaviour = Report;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Purpose;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<ReadyUpgrade<StreamProtocol>, Purpose, Report>> {
        let Some(lane) = self.lane.clone() else { return Poll::Pending };
        loop {
            if let Some(report) = self.reports.pop_front() {
                return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(report));
            }
            if let Some(sending) = &mut self.sending
                && let Poll::Ready(purpose) = sending.poll(&lane, cx)
            {
                let protocol = SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), purpose);
                return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
            }
            match self.inbound.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(received))) => self.received(received, &lane),
                Poll::Ready(Some(Err(error))) => {
                    tracing::debug!(peer = %self.peer, %error, "closed a stream of a peer");
                }
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn on_behaviour_event(&mut self, order: Order) {
        match order.0 {
            OrderKind::Join(lane) => self.lane = Some(lane),
            OrderKind::Lead => {
                let source = Arc::clone(&self.source);
                self.sending.get_or_insert_with(|| Sending::new(self.peer, source));
            }
            OrderKind::Leave => {
                self.is_mute = true;
                self.inbound.clear();
            }
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<
            ReadyUpgrade<StreamProtocol>,
            ReadyUpgrade<StreamProtocol>,
            (),
            Purpose,
        >,
    ) {
        // The other events are of no use here.
        if let ConnectionEvent::FullyNegotiatedInbound(inbound) = event {
            let FullyNegotiatedInbound { protocol: stream, info: () } = inbound;
            self.accept(stream);
        } else if let ConnectionEvent::FullyNegotiatedOutbound(outbound) = event {
            let FullyNegotiatedOutbound { protocol: stream, info: purpose } = outbound;
            if let Some(sending) = &mut self.sending {
                sending.opened(purpose, stream);
            }
        } else if let ConnectionEvent::DialUpgradeError(failure) = event {
            self.failed_to_open(failure.info, &failure.error);
        }
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").field("peer", &self.peer).finish_non_exhaustive()
    }
}

//! A peer that says on its streams whatever a test wants.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::futures::StreamExt;
use libp2p::futures::io::AsyncReadExt;
use libp2p::swarm::handler::ConnectionEvent;
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
    NetworkBehaviour, StreamProtocol, SubstreamProtocol, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, Stream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::stage::{DEADLINE, listen, swarm};
use crate::net::bitswap::frames::{READ_TIMEOUT, Reader, WRITE_TIMEOUT, write};
use crate::net::bitswap::message::Message;

/// A peer of which a test holds the streams.
pub(super) struct Raw {
    pub(super) id: PeerId,
    pub(super) address: Multiaddr,
    pub(super) inbound: mpsc::Receiver<Stream>,
    pub(super) outbound: mpsc::Receiver<Stream>,
    /// What is read of the streams that the other side opened.
    reader: Option<Reader<Stream>>,
    replies: Option<Stream>,
}

impl Raw {
    /// Opens so many streams on each connection, as `protocol` (bitswap 1.2.0 if `None`).
    pub(super) async fn start(streams: usize, protocol: Option<&'static str>) -> Self {
        let protocol = StreamProtocol::new(protocol.unwrap_or("/ipfs/bitswap/1.2.0"));
        let (told_in, inbound) = mpsc::channel(1024);
        let (told_out, outbound) = mpsc::channel(1024);
        let mut swarm = swarm(RawBehaviour { streams, protocol, told_in, told_out });
        let address = listen(&mut swarm).await;
        let id = *swarm.local_peer_id();
        tokio::spawn(async move {
            loop {
                drop(swarm.select_next_some().await);
            }
        });
        Self { id, address, inbound, outbound, reader: None, replies: None }
    }

    /// The next stream of ours that is open.
    pub(super) async fn outbound(&mut self) -> Stream {
        timeout(DEADLINE, self.outbound.recv()).await.expect("a stream in time").unwrap()
    }

    /// The next stream that the other side opened.
    pub(super) async fn inbound(&mut self) -> Stream {
        timeout(DEADLINE, self.inbound.recv()).await.expect("a stream in time").unwrap()
    }

    /// The next message on the first stream that the other side opened.
    pub(super) async fn read(&mut self) -> Message {
        if self.reader.is_none() {
            let memory = Arc::new(Semaphore::new(1 << 20));
            self.reader = Some(Reader::new(self.inbound().await, memory, READ_TIMEOUT));
        }
        let message = timeout(DEADLINE, self.reader.as_mut().unwrap().next()).await;
        message.expect("a message in time").unwrap().expect("a stream that is open").message
    }

    /// Sends a message on the first stream of ours.
    pub(super) async fn send(&mut self, message: &Message) {
        let stream = match self.replies.take() {
            Some(stream) => stream,
            None => self.outbound().await,
        };
        self.replies = Some(write(stream, &message.to_frame(), WRITE_TIMEOUT).await.unwrap());
    }
}

/// Waits until the other side has closed or reset a stream.
pub(super) async fn closed(mut stream: Stream) {
    let end = timeout(DEADLINE, stream.read(&mut [0])).await.expect("an end in time");
    assert!(matches!(end, Ok(0) | Err(_)), "bytes on a stream that is ours");
}

struct RawBehaviour {
    streams: usize,
    protocol: StreamProtocol,
    told_in: mpsc::Sender<Stream>,
    told_out: mpsc::Sender<Stream>,
}

impl RawBehaviour {
    fn handler(&self) -> RawHandler {
        RawHandler {
            streams: self.streams,
            protocol: self.protocol.clone(),
            told_in: self.told_in.clone(),
            told_out: self.told_out.clone(),
        }
    }
}

impl NetworkBehaviour for RawBehaviour {
    type ConnectionHandler = RawHandler;
    type ToSwarm = ();

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<RawHandler, ConnectionDenied> {
        Ok(self.handler())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<RawHandler, ConnectionDenied> {
        Ok(self.handler())
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, (): ()) {}

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<(), ()>> {
        Poll::Pending
    }
}

struct RawHandler {
    streams: usize,
    protocol: StreamProtocol,
    told_in: mpsc::Sender<Stream>,
    told_out: mpsc::Sender<Stream>,
}

impl ConnectionHandler for RawHandler {
    type FromBehaviour = ();
    type ToBehaviour = ();
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(self.protocol.clone()), ())
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<ReadyUpgrade<StreamProtocol>, (), ()>> {
        if self.streams == 0 {
            return Poll::Pending;
        }
        self.streams -= 1;
        let protocol = SubstreamProtocol::new(ReadyUpgrade::new(self.protocol.clone()), ());
        Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
    }

    fn on_behaviour_event(&mut self, (): ()) {}

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<ReadyUpgrade<StreamProtocol>, ReadyUpgrade<StreamProtocol>>,
    ) {
        if let ConnectionEvent::FullyNegotiatedInbound(inbound) = event {
            self.told_in.try_send(inbound.protocol).unwrap();
        } else if let ConnectionEvent::FullyNegotiatedOutbound(outbound) = event {
            self.told_out.try_send(outbound.protocol).unwrap();
        }
    }
}

/// Messages that a test read, one after another, until one fits.
pub(super) async fn read_until(
    raw: &mut Raw,
    fits: impl Fn(&Message) -> bool,
) -> VecDeque<Message> {
    let mut read = VecDeque::new();
    loop {
        let message = raw.read().await;
        let is_last = fits(&message);
        read.push_back(message);
        if is_last {
            return read;
        }
    }
}

//! The addresses of peers: from the configuration, the peerstore, and what peers say of themselves.

use std::collections::HashMap;
use std::convert::Infallible;
use std::task::{Context, Poll};

use libp2p::PeerId;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandlerInEvent, ToSwarm, dummy,
};
use multiaddr::{Multiaddr, Protocol};

use super::addresses;

/// Peers whose addresses are kept; above it the one not seen for longest is forgotten.
const PEERS_MAX: usize = 1024;

/// Addresses of one peer; above it the oldest is forgotten.
const ADDRESSES_MAX: usize = 16;

/// Who is where. As a behaviour it tells the swarm where a peer can be dialled.
#[derive(Debug)]
pub(super) struct Book {
    me: PeerId,
    peers: HashMap<PeerId, Entry>,
    /// Counts sightings.
    clock: u64,
    changed: bool,
}

#[derive(Debug, Default)]
struct Entry {
    /// The best first, without `/p2p`.
    addresses: Vec<Multiaddr>,
    /// From the configuration: not forgotten.
    fixed: Vec<Multiaddr>,
    seen: u64,
}

impl Entry {
    fn all(&self) -> impl Iterator<Item = &Multiaddr> {
        let learnt = self.addresses.iter().filter(|address| !self.fixed.contains(address));
        self.fixed.iter().chain(learnt)
    }
}

impl Book {
    /// An empty book of this peer.
    pub(super) fn new(me: PeerId) -> Self {
        Self { me, peers: HashMap::new(), clock: 0, changed: false }
    }

    /// Takes an address of the configuration. False when it is our own or cannot be dialled.
    pub(super) fn add_fixed(&mut self, peer: PeerId, address: &Multiaddr) -> bool {
        if !self.accepts(&peer, address) {
            return false;
        }
        let fixed = &mut self.peers.entry(peer).or_default().fixed;
        if !fixed.contains(address) {
            fixed.push(address.clone());
        }
        true
    }

    /// Takes an address that was learnt. False when it is our own or cannot be dialled.
    pub(super) fn add(&mut self, peer: PeerId, address: &Multiaddr) -> bool {
        let (address, named) = addresses::split(address);
        if named.is_some_and(|named| named != peer) || !self.accepts(&peer, &address) {
            return false;
        }
        self.make_room(&peer);
        let known = &mut self.peers.entry(peer).or_default().addresses;
        if !known.contains(&address) {
            known.insert(0, address);
            known.truncate(ADDRESSES_MAX);
            self.changed = true;
        }
        true
    }

    /// The peer was reached at this address: it is tried first from now on.
    pub(super) fn reached(&mut self, peer: PeerId, address: &Multiaddr) {
        if !self.add(peer, address) {
            return;
        }
        let (address, _) = addresses::split(address);
        self.clock += 1;
        if let Some(entry) = self.peers.get_mut(&peer) {
            entry.seen = self.clock;
            if entry.addresses.first() != Some(&address) {
                entry.addresses.retain(|known| *known != address);
                entry.addresses.insert(0, address);
                self.changed = true;
            }
        }
    }

    /// Another peer answers there (perhaps ourselves): the address is dropped unless it is configured.
    pub(super) fn wrong(&mut self, peer: &PeerId, address: &Multiaddr) {
        let (address, _) = addresses::split(address);
        if let Some(entry) = self.peers.get_mut(peer) {
            entry.addresses.retain(|known| *known != address);
            self.changed = true;
            if entry.addresses.is_empty() && entry.fixed.is_empty() {
                self.peers.remove(peer);
            }
        }
    }

    /// Forgets a peer, configured or not; `true` when it was known.
    pub(super) fn forget(&mut self, peer: &PeerId) -> bool {
        let was_known = self.peers.remove(peer);
        if was_known.as_ref().is_some_and(|entry| !entry.fixed.is_empty()) {
            tracing::warn!(%peer, "a removed peer is named in bootstrap of [peers]: take it out, or it is known again after a restart");
        }
        self.changed |= was_known.is_some();
        was_known.is_some()
    }

    /// Addresses of a peer, best first, without `/p2p`.
    pub(super) fn of(&self, peer: &PeerId) -> Vec<Multiaddr> {
        self.peers.get(peer).map(|entry| entry.all().cloned().collect()).unwrap_or_default()
    }

    /// Whether an address of this peer is known.
    pub(super) fn knows(&self, peer: &PeerId) -> bool {
        self.peers.contains_key(peer)
    }

    /// Whether something changed since the last call.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// All of it with `/p2p`, last seen first: the peerstore.
    pub(super) fn lines(&self) -> Vec<Multiaddr> {
        let mut peers: Vec<_> = self.peers.iter().collect();
        peers.sort_by_key(|(peer, entry)| (std::cmp::Reverse(entry.seen), **peer));
        let lines = peers.into_iter().flat_map(|(peer, entry)| {
            // Names first: they outlive addresses.
            let (names, rest): (Vec<_>, Vec<_>) =
                entry.all().partition(|address| addresses::is_name(address));
            let both = names.into_iter().chain(rest);
            both.map(|address| address.clone().with(Protocol::P2p(*peer))).collect::<Vec<_>>()
        });
        lines.collect()
    }

    fn accepts(&self, peer: &PeerId, address: &Multiaddr) -> bool {
        *peer != self.me && addresses::is_dialable(address)
    }

    /// Forgets the peer not seen for longest when a new one would be too many.
    fn make_room(&mut self, newcomer: &PeerId) {
        if self.peers.len() < PEERS_MAX || self.peers.contains_key(newcomer) {
            return;
        }
        let learnt = self.peers.iter().filter(|(_, entry)| entry.fixed.is_empty());
        if let Some(oldest) = learnt.min_by_key(|(_, entry)| entry.seen).map(|(peer, _)| *peer) {
            self.peers.remove(&oldest);
        }
    }
}

impl NetworkBehaviour for Book {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        Ok(peer.map(|peer| self.of(&peer)).unwrap_or_default())
    }

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<dummy::ConnectionHandler, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<dummy::ConnectionHandler, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: Infallible) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn our_own_and_undialable_addresses_are_not_taken() {
        let (me, other) = (PeerId::random(), PeerId::random());
        let mut book = Book::new(me);
        assert!(!book.add(me, &address("/ip4/10.0.0.1/tcp/9096")));
        assert!(!book.add_fixed(me, &address("/ip4/10.0.0.1/tcp/9096")));
        assert!(!book.add(other, &address("/ip4/10.0.0.1/udp/9096/quic-v1")));
        let of_another = address("/ip4/10.0.0.1/tcp/9096").with(Protocol::P2p(me));
        assert!(!book.add(other, &of_another));
        assert!(!book.knows(&other) && !book.take_changed());
    }

    #[test]
    fn where_a_peer_was_reached_is_tried_first_and_written_first() {
        let (a, b) = (PeerId::random(), PeerId::random());
        let mut book = Book::new(PeerId::random());
        for text in ["/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/2", "/dns4/a.example/tcp/3"] {
            assert!(book.add(a, &address(text)));
        }
        book.add(b, &address("/ip4/10.0.0.2/tcp/1"));
        book.reached(a, &address("/ip4/10.0.0.1/tcp/1"));
        assert_eq!(book.of(&a)[0], address("/ip4/10.0.0.1/tcp/1"));
        let lines = book.lines();
        assert_eq!(lines[0], address("/dns4/a.example/tcp/3").with(Protocol::P2p(a)));
        assert_eq!(lines[3], address("/ip4/10.0.0.2/tcp/1").with(Protocol::P2p(b)));
    }

    #[test]
    fn configured_peers_are_not_forgotten_when_the_book_is_full() {
        let mut book = Book::new(PeerId::random());
        let configured = PeerId::random();
        book.add_fixed(configured, &address("/ip4/10.0.0.1/tcp/1"));
        for _ in 0..PEERS_MAX + 10 {
            book.add(PeerId::random(), &address("/ip4/10.0.0.3/tcp/1"));
        }
        assert_eq!(book.peers.len(), PEERS_MAX);
        book.wrong(&configured, &address("/ip4/10.0.0.1/tcp/1"));
        assert!(book.knows(&configured));
        book.take_changed();
        assert!(book.forget(&configured) && !book.forget(&configured));
        assert!(!book.knows(&configured) && book.take_changed());
    }
}

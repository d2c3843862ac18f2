//! Connections that come and go, and what their failures say.

use common::ids::PeerId as Member;
use libp2p::core::ConnectedPoint;
use libp2p::swarm::{DialError, ListenError, SwarmEvent};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use super::{Silence, Task};
use crate::net::behaviour::BehaviourEvent;
use crate::net::{NetEvent, addresses, transport};

impl Task {
    #[expect(clippy::wildcard_enum_match_arm, reason = "steps on the way to what is handled here")]
    pub(super) fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_message(event),
            SwarmEvent::ConnectionEstablished { peer_id, endpoint, num_established, .. } => {
                self.on_connected(peer_id, &endpoint, num_established.get() == 1);
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, cause, .. } => {
                let why = cause.map(|cause| cause.to_string()).unwrap_or_default();
                self.on_disconnected(peer_id, &why);
            }
            SwarmEvent::OutgoingConnectionError { peer_id, error, .. } => {
                self.on_dial_failed(peer_id, &error, Instant::now());
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                self.on_accept_failed(&send_back_addr, &error);
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                tracing::info!(%address, "listening for peers");
                self.note_own_addresses();
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                tracing::info!(%address, "no longer listening for peers");
                self.note_own_addresses();
            }
            SwarmEvent::ListenerClosed { reason: Err(error), .. } => {
                tracing::error!(%error, "a listener for peers has failed: restart the daemon");
                self.note_own_addresses();
            }
            SwarmEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "a connection of a peer could not be accepted");
            }
            _ => {}
        }
    }

    fn on_connected(&mut self, peer: PeerId, endpoint: &ConnectedPoint, first: bool) {
        let address = endpoint.get_remote_address();
        if endpoint.is_dialer() {
            self.swarm.behaviour_mut().book.reached(peer, address);
        }
        self.redial.remove(&peer);
        if !first {
            return;
        }
        let (place, _) = addresses::split(address);
        tracing::info!(%peer, address = %place, "connected to a peer");
        self.seen().connected.insert(Member::from(peer), place);
        self.silent.insert(peer, Silence { since: Instant::now(), subscribed: false });
        self.outlet.push(NetEvent::Connected { peer: Member::from(peer) });
    }

    fn on_disconnected(&mut self, peer: PeerId, why: &str) {
        tracing::info!(%peer, error = why, "lost the connection to a peer");
        self.seen().connected.remove(&Member::from(peer));
        self.silent.remove(&peer);
        if self.swarm.behaviour().book.knows(&peer) {
            self.redial.lost(peer, Instant::now());
        }
        self.outlet.push(NetEvent::Disconnected { peer: Member::from(peer) });
    }

    pub(super) fn on_dial_failed(&mut self, peer: Option<PeerId>, error: &DialError, now: Instant) {
        match error {
            DialError::LocalPeerId { address } => self.on_wrong_address(peer, None, address),
            DialError::WrongPeerId { obtained, address } => {
                self.on_wrong_address(peer, Some(*obtained), address);
            }
            DialError::Transport(attempts) => {
                let dead = attempts.iter().filter(|(_, why)| transport::is_handshake_failure(why));
                for (address, why) in dead {
                    let (place, _) = addresses::split(address);
                    self.advice.secret(addresses::ip(&place), &place, why);
                }
            }
            DialError::NoAddresses
            | DialError::DialPeerConditionFalse(_)
            | DialError::Aborted
            | DialError::Denied { .. } => {}
        }
        let Some(peer) = peer else {
            tracing::debug!(%error, "cannot connect to an address");
            return;
        };
        tracing::debug!(%peer, %error, "cannot connect to a peer");
        if self.swarm.behaviour().book.knows(&peer) && !self.swarm.is_connected(&peer) {
            self.redial.failed(&peer, now);
        } else {
            self.redial.remove(&peer);
        }
    }

    /// Another peer, or this one, answers at an address.
    fn on_wrong_address(
        &mut self,
        peer: Option<PeerId>,
        found: Option<PeerId>,
        address: &Multiaddr,
    ) {
        let Some(peer) = peer else { return };
        self.swarm.behaviour_mut().book.wrong(&peer, address);
        if let Some(found) = found {
            self.advice.other_peer(peer, found, &addresses::split(address).0);
        }
    }

    fn on_accept_failed(&mut self, from: &Multiaddr, error: &ListenError) {
        match error {
            ListenError::Transport(why) if transport::is_handshake_failure(why) => {
                self.advice.secret(addresses::ip(from), from, why);
            }
            ListenError::Denied { cause } => {
                tracing::debug!(address = %from, error = %cause, "refused a connection");
            }
            ListenError::Transport(_)
            | ListenError::Aborted
            | ListenError::WrongPeerId { .. }
            | ListenError::LocalPeerId { .. } => {
                tracing::debug!(address = %from, %error, "a connection did not come about");
            }
        }
    }
}

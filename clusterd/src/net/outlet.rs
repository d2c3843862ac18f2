//! Events on their way out, when whoever takes them is slow: the network never waits for it.
//!
//! What can be had again is dropped, oldest first: announcements are repeated every minute, metrics
//! every 15 seconds. What cannot is kept, and is little: at most two events for each peer.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use super::NetEvent;

/// Announcements and metrics that wait.
const GOSSIP_WAITING_MAX: usize = 512;

/// A queue before the channel.
#[derive(Debug)]
pub(super) struct Outlet {
    events: mpsc::Sender<NetEvent>,
    /// Connections and subscriptions.
    peers: VecDeque<NetEvent>,
    gossip: VecDeque<NetEvent>,
    dropped: u64,
}

impl Outlet {
    /// Sends into `events`.
    pub(super) fn new(events: mpsc::Sender<NetEvent>) -> Self {
        Self { events, peers: VecDeque::new(), gossip: VecDeque::new(), dropped: 0 }
    }

    /// Takes an event. Does not wait.
    pub(super) fn push(&mut self, event: NetEvent) {
        match event {
            NetEvent::Heads { .. } | NetEvent::Metric { .. } => {
                if self.gossip.len() >= GOSSIP_WAITING_MAX {
                    self.gossip.pop_front();
                    self.dropped += 1;
                    if self.dropped.is_power_of_two() {
                        tracing::warn!(
                            count = self.dropped,
                            "this peer is too busy for the gossip of the others; some was dropped and will be repeated"
                        );
                    }
                }
                self.gossip.push_back(event);
            }
            NetEvent::Disconnected { peer } => {
                let unseen = self.peers.contains(&NetEvent::Connected { peer });
                self.peers.retain(|event| {
                    let came = NetEvent::Connected { peer };
                    *event != came && *event != NetEvent::Subscribed { peer }
                });
                // That it came was not told yet: neither is that it went.
                if !unseen {
                    self.peers.push_back(NetEvent::Disconnected { peer });
                }
            }
            NetEvent::Connected { peer } => self.peers.push_back(NetEvent::Connected { peer }),
            NetEvent::Subscribed { peer } => {
                if !self.peers.contains(&NetEvent::Subscribed { peer }) {
                    self.peers.push_back(NetEvent::Subscribed { peer });
                }
            }
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.peers.is_empty() && self.gossip.is_empty()
    }

    /// Hands one event on as soon as there is room. Cancel-safe: the event stays.
    pub(super) async fn hand_on(&mut self) {
        match self.events.reserve().await {
            Ok(permit) => {
                if let Some(event) = self.peers.pop_front().or_else(|| self.gossip.pop_front()) {
                    permit.send(event);
                }
            }
            // Nobody takes events any more: the daemon is ending.
            Err(_) => {
                self.peers.clear();
                self.gossip.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use common::ids::PeerId;

    use super::*;

    fn peer() -> PeerId {
        PeerId::from(libp2p::PeerId::random())
    }

    async fn all(outlet: &mut Outlet, queue: &mut mpsc::Receiver<NetEvent>) -> Vec<NetEvent> {
        let mut taken = Vec::new();
        while !outlet.is_empty() {
            outlet.hand_on().await;
            taken.push(queue.recv().await.unwrap());
        }
        taken
    }

    #[tokio::test]
    async fn old_gossip_gives_way_and_connections_stay() {
        let (sender, mut queue) = mpsc::channel(1);
        let (mut outlet, a) = (Outlet::new(sender), peer());
        outlet.push(NetEvent::Connected { peer: a });
        for number in 0..GOSSIP_WAITING_MAX + 3 {
            outlet.push(NetEvent::Metric { from: a, payload: number.to_be_bytes().to_vec() });
        }
        let taken = all(&mut outlet, &mut queue).await;
        assert_eq!(taken.len(), GOSSIP_WAITING_MAX + 1);
        assert_eq!(taken[0], NetEvent::Connected { peer: a });
        assert_eq!(taken[1], NetEvent::Metric { from: a, payload: 3_usize.to_be_bytes().to_vec() });
    }

    #[tokio::test]
    async fn a_peer_that_comes_and_goes_unseen_takes_no_room() {
        let (sender, mut queue) = mpsc::channel(1);
        let (mut outlet, a, b) = (Outlet::new(sender), peer(), peer());
        for _ in 0..1000 {
            outlet.push(NetEvent::Connected { peer: a });
            outlet.push(NetEvent::Subscribed { peer: a });
            outlet.push(NetEvent::Disconnected { peer: a });
        }
        // B was told before; it went and came back.
        outlet.push(NetEvent::Disconnected { peer: b });
        outlet.push(NetEvent::Connected { peer: b });
        let expected = [NetEvent::Disconnected { peer: b }, NetEvent::Connected { peer: b }];
        assert_eq!(all(&mut outlet, &mut queue).await, expected);
    }
}

//! Keeps our Kubo connected to the Kubos of all members, so that what they hold is found without a search.
//!
//! Source: `ConnectSwarms` of Go ipfs-cluster, which does it when a peer joins.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use common::ids::PeerId;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use multiaddr::{Multiaddr, Protocol};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::network::Pings;
use crate::api::kubo::Kubo;
use crate::api::others::Others;
use crate::net::Net;
use crate::net::addresses;
use crate::net::gorpc::metric::Ping;

mod plan;

use plan::Plan;

/// Members that are connected to at a time; each may keep Kubo dialling for a while.
const RUNNING_MAX: usize = 4;

/// Kubo gives an address up on its own; this is for one that hangs.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);

/// A member says who its Kubo is in this time, or only the addresses of its ping are used.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Addresses of one Kubo that are tried.
const ADDRESSES_MAX: usize = 16;

/// After so many failures in a row the log says so, once.
const TOLD_AFTER: u32 = 4;

/// Connects.
pub struct Links {
    /// Tells where members are.
    pub net: Net,
    /// The Kubo beside us.
    pub kubo: Arc<dyn Kubo>,
    /// To ask members for all addresses of their Kubos.
    pub others: Arc<dyn Others>,
    /// Who is a member.
    pub members: watch::Receiver<BTreeSet<PeerId>>,
    /// What the members say of their Kubos.
    pub pings: Pings,
}

impl Links {
    /// Runs until the node has gone.
    pub async fn run(self) {
        let mut members = self.members.clone();
        let mut plan = Plan::default();
        let mut running = FuturesUnordered::new();
        loop {
            plan.see(self.kubos(), Instant::now());
            for (peer, ping) in plan.start(RUNNING_MAX - running.len(), Instant::now()) {
                running.push(self.connect(peer, ping));
            }
            let next = plan.next().filter(|_| running.len() < RUNNING_MAX);
            let idle = async {
                match next {
                    Some(next) => sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = members.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = self.pings.changed() => {}
                Some((peer, is_linked)) = running.next() => {
                    let failures = plan.ended(&peer, is_linked, Instant::now());
                    if failures == TOLD_AFTER {
                        tracing::info!(%peer, "ipfs cannot connect to the ipfs of a member: see that their swarm ports are open to each other");
                    }
                }
                () = idle => {}
            }
        }
    }

    /// The members whose Kubo is known, and is not ours.
    fn kubos(&self) -> BTreeMap<PeerId, Ping> {
        let (own, ours) = (self.net.me(), self.kubo.known_id());
        let others = self.members.borrow().clone().into_iter().filter(|peer| *peer != own);
        let known = others.filter_map(|peer| {
            let ping = self.pings.of(&peer)?;
            // The name of the peer does not matter here.
            Some((peer, Ping { peer_name: String::new(), ..ping }))
        });
        known.filter(|(_, ping)| ping.ipfs_id.is_some() && ping.ipfs_id != ours).collect()
    }

    async fn connect(&self, peer: PeerId, ping: Ping) -> (PeerId, bool) {
        let Some(kubo) = ping.ipfs_id else { return (peer, false) };
        let is_here = self.is_on_this_machine(&peer);
        let mut told = ping.ipfs_addresses;
        if is_here || told.is_empty() {
            // A ping leaves out what only its own machine can use.
            if let Ok(Ok(id)) = timeout(ANSWER_WITHIN, self.others.id(peer)).await
                && id.ipfs.id == Some(kubo)
            {
                told.extend(id.ipfs.addresses);
            }
        }
        let usable = usable(told, kubo, is_here);
        if usable.is_empty() {
            tracing::debug!(%peer, "no address of a member's ipfs can be used here");
            return (peer, false);
        }
        let connected = timeout(CONNECT_WITHIN, self.kubo.connect(usable)).await;
        match connected {
            Ok(Ok(())) => {
                tracing::debug!(%peer, "ipfs is connected to that of a member");
                (peer, true)
            }
            Ok(Err(error)) => {
                tracing::debug!(%peer, %error, "ipfs does not connect to that of a member");
                (peer, false)
            }
            Err(_) => (peer, false),
        }
    }

    /// Whether a member reaches us from an address of this machine.
    fn is_on_this_machine(&self, peer: &PeerId) -> bool {
        let Some(ip) = self.net.address_of(peer).and_then(|address| addresses::ip(&address)) else {
            return false;
        };
        let own = self.net.own_addresses();
        ip.is_loopback() || own.iter().any(|address| addresses::ip(address) == Some(ip))
    }
}

/// The addresses at which another machine's Kubo, or with `is_here` one of this machine, may answer.
fn usable(told: Vec<Multiaddr>, kubo: PeerId, is_here: bool) -> Vec<Multiaddr> {
    let mut usable = Vec::new();
    for address in told {
        let reachable = match address.iter().next() {
            Some(Protocol::Ip4(ip)) => !ip.is_link_local() && is_reachable(ip.into(), is_here),
            Some(Protocol::Ip6(ip)) => {
                !ip.is_unicast_link_local() && is_reachable(ip.into(), is_here)
            }
            Some(
                Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_) | Protocol::Dnsaddr(_),
            ) => true,
            Some(_) | None => false,
        };
        let address = match address.iter().last() {
            Some(Protocol::P2p(peer)) if PeerId::from(peer) == kubo => address,
            Some(Protocol::P2p(_)) => continue,
            Some(_) | None => address.with(Protocol::P2p(*kubo.inner())),
        };
        if reachable && !usable.contains(&address) && usable.len() < ADDRESSES_MAX {
            usable.push(address);
        }
    }
    usable
}

fn is_reachable(ip: IpAddr, is_here: bool) -> bool {
    !ip.is_unspecified() && !ip.is_multicast() && (is_here || !ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBO: &str = "12D3KooWPU2wk6iUQAcXnhcPm7z5TzpGe6fe9HZYrmDfWz3FJCHt";
    const OTHER: &str = "12D3KooWSUmugQVfogFSJyTSqNpXmGmreFgPncRsbcuQyASKoN6G";

    fn used(told: &[&str], is_here: bool) -> Vec<String> {
        let told = told.iter().map(|text| text.parse().unwrap()).collect();
        let usable = usable(told, KUBO.parse().unwrap(), is_here);
        let suffix = format!("/p2p/{KUBO}");
        usable.iter().map(|one| one.to_string().strip_suffix(&suffix).unwrap().to_owned()).collect()
    }

    #[test]
    fn an_address_of_a_machine_is_used_on_that_machine_alone() {
        let told = ["/ip4/127.0.0.1/tcp/4001", "/ip6/::1/tcp/4001", "/ip4/10.0.0.7/tcp/4001"];
        assert_eq!(used(&told, false), ["/ip4/10.0.0.7/tcp/4001"]);
        assert_eq!(used(&told, true), told);
    }

    #[test]
    fn what_leads_nowhere_or_to_another_is_left_out() {
        let other = format!("/ip4/10.0.0.7/tcp/4001/p2p/{OTHER}");
        let own = format!("/dns4/ipfs.example/udp/4001/quic-v1/p2p/{KUBO}");
        let told = [
            "/ip4/0.0.0.0/tcp/1",
            "/ip4/169.254.1.1/tcp/1",
            "/ip6/fe80::1/tcp/1",
            "/memory/7",
            other.as_str(),
            own.as_str(),
            "/dns4/ipfs.example/udp/4001/quic-v1",
        ];
        assert_eq!(used(&told, true), ["/dns4/ipfs.example/udp/4001/quic-v1"]);
        let many: Vec<String> = (1..40).map(|port| format!("/ip4/10.0.0.7/tcp/{port}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(used(&many, false).len(), ADDRESSES_MAX);
    }
}

//! Finds peers on the local network as Go ipfs-cluster does, and lets itself be found.
//!
//! Source: `mdns` of go-libp2p, with the service name of Go ipfs-cluster: each peer offers the
//! service with its addresses as `dnsaddr=` texts.

use std::net::IpAddr;

use libp2p::PeerId;
use mdns_sd::{Receiver, ResolvedService, ServiceDaemon, ServiceEvent, ServiceInfo, TxtProperty};
use multiaddr::{Multiaddr, Protocol};

use super::addresses;

const SERVICE: &str = "_ipfs-cluster-discovery._udp.local.";

/// Longest name of a service that the library allows; ours has 22 letters, seven too many by the RFC.
const SERVICE_NAME_MAX: u8 = 30;

/// The key of the texts.
const KEY: &str = "dnsaddr";

/// Addresses that are offered: with all of them the packet would grow past one frame.
const OFFERED_MAX: usize = 8;

/// Answers that are read at a time.
const ANSWERS_MAX: usize = 64;

/// The port in the service record. Nobody reads it: Go's peers write this one too.
const PORT: u16 = 4001;

/// A search that runs for as long as this lives.
pub(super) struct Mdns {
    daemon: ServiceDaemon,
    answers: Receiver<ServiceEvent>,
    me: PeerId,
    offered: Vec<Multiaddr>,
}

impl Mdns {
    /// Starts searching.
    ///
    /// # Errors
    /// When the system refuses the sockets.
    pub(super) fn start(me: PeerId) -> mdns_sd::Result<Self> {
        let daemon = ServiceDaemon::new()?;
        daemon.set_service_name_len_max(SERVICE_NAME_MAX)?;
        let answers = daemon.browse(SERVICE)?;
        Ok(Self { daemon, answers, me, offered: Vec::new() })
    }

    /// Offers these addresses (without `/p2p`) from now on.
    ///
    /// # Errors
    /// When they cannot be put into a record.
    pub(super) fn offer(&mut self, own: &[Multiaddr]) -> mdns_sd::Result<()> {
        let own = own.iter().filter(|address| !addresses::is_loopback(address));
        let own: Vec<Multiaddr> = own.take(OFFERED_MAX).cloned().collect();
        if own == self.offered || own.is_empty() {
            return Ok(());
        }
        self.daemon.register(record(self.me, &own)?)?;
        self.offered = own;
        Ok(())
    }

    /// Peers that were found since the last call, with addresses to try. Does not wait.
    pub(super) fn found(&self) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let answers = self.answers.try_iter().take(ANSWERS_MAX);
        let resolved = answers.filter_map(|answer| {
            if let ServiceEvent::ServiceResolved(service) = answer { read(&service) } else { None }
        });
        resolved.filter(|(peer, _)| *peer != self.me).collect()
    }
}

impl Drop for Mdns {
    fn drop(&mut self) {
        if let Err(error) = self.daemon.shutdown() {
            tracing::debug!(%error, "the search on the local network did not end in order");
        }
    }
}

fn record(me: PeerId, own: &[Multiaddr]) -> mdns_sd::Result<ServiceInfo> {
    let texts = own.iter().map(|address| {
        let full = address.clone().with(Protocol::P2p(me)).to_string();
        TxtProperty::from(&(KEY, full))
    });
    let ips: Vec<IpAddr> = own.iter().filter_map(addresses::ip).collect();
    let host = format!("{me}.local.");
    ServiceInfo::new(
        SERVICE,
        &me.to_string(),
        &host,
        ips.as_slice(),
        PORT,
        texts.collect::<Vec<_>>(),
    )
}

/// The library keeps the first text only, which may be an address of no use here (Go offers
/// 127.0.0.1 too); the port in it holds for the host's other addresses as well.
fn read(service: &ResolvedService) -> Option<(PeerId, Vec<Multiaddr>)> {
    let first: Multiaddr = service.get_property_val_str(KEY)?.parse().ok()?;
    let ips = service.get_addresses().iter().map(mdns_sd::ScopedIp::to_ip_addr);
    candidates(&first, ips)
}

fn candidates(
    first: &Multiaddr,
    ips: impl Iterator<Item = IpAddr>,
) -> Option<(PeerId, Vec<Multiaddr>)> {
    let (place, peer) = addresses::split(first);
    let tcp = |part| if let Protocol::Tcp(port) = part { Some(port) } else { None };
    let port = place.iter().find_map(tcp)?;
    let mut all: Vec<Multiaddr> = ips
        .filter(|ip| !ip.is_loopback())
        .map(|ip| Multiaddr::from(ip).with(Protocol::Tcp(port)))
        .filter(addresses::is_dialable)
        .take(OFFERED_MAX)
        .collect();
    if addresses::is_dialable(&place) && !addresses::is_loopback(&place) && !all.contains(&place) {
        all.push(place);
    }
    Some((peer?, all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_is_what_go_reads() {
        let me = PeerId::random();
        let own: Vec<Multiaddr> = ["/ip4/10.0.0.1/tcp/9096", "/ip6/2001:db8::1/tcp/9096"]
            .map(|text| text.parse().unwrap())
            .into();
        let record = record(me, &own).unwrap();
        assert_eq!(record.get_type(), SERVICE);
        let texts: Vec<String> = record
            .get_properties()
            .iter()
            .map(|text| format!("{}={}", text.key(), text.val_str()))
            .collect();
        let expected = own.iter().map(|address| format!("dnsaddr={address}/p2p/{me}"));
        assert_eq!(texts, expected.collect::<Vec<_>>());
    }

    #[test]
    fn a_loopback_text_still_gives_the_port_for_the_hosts_addresses() {
        let peer = PeerId::random();
        let first = format!("/ip4/127.0.0.1/tcp/9096/p2p/{peer}").parse().unwrap();
        let ips = ["127.0.0.1", "10.0.0.7", "fe80::1"].map(|ip| ip.parse().unwrap());
        let found = candidates(&first, ips.into_iter()).unwrap();
        assert_eq!(found, (peer, vec!["/ip4/10.0.0.7/tcp/9096".parse().unwrap()]));
        assert_eq!(candidates(&"/ip4/10.0.0.7/tcp/1".parse().unwrap(), ips.into_iter()), None);
    }
}

//! Which addresses can be dialled, and their parts.

use std::net::IpAddr;

use libp2p::PeerId;
use multiaddr::{Multiaddr, Protocol};

/// Longest address that is kept, in bytes: a host name has 253 at most.
const ADDRESS_BYTES_MAX: usize = 512;

/// Splits `/…/p2p/ID`; the id is `None` for an address without one.
pub(crate) fn split(address: &Multiaddr) -> (Multiaddr, Option<PeerId>) {
    let mut place = address.clone();
    match place.pop() {
        Some(Protocol::P2p(peer)) => (place, Some(peer)),
        Some(_) | None => (address.clone(), None),
    }
}

/// Whether our transport can dial it: TCP on an address or a name, or a `dnsaddr`.
pub(crate) fn is_dialable(address: &Multiaddr) -> bool {
    if address.len() > ADDRESS_BYTES_MAX {
        return false;
    }
    let (place, _) = split(address);
    let mut parts = place.iter();
    let host = match parts.next() {
        Some(Protocol::Ip4(ip)) => !ip.is_unspecified() && !ip.is_multicast(),
        // Addresses of the link have no meaning without the interface.
        Some(Protocol::Ip6(ip)) => {
            !ip.is_unspecified() && !ip.is_multicast() && !ip.is_unicast_link_local()
        }
        Some(Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name)) => !name.is_empty(),
        Some(Protocol::Dnsaddr(name)) => return !name.is_empty() && parts.next().is_none(),
        Some(_) | None => false,
    };
    let port = matches!(parts.next(), Some(Protocol::Tcp(port)) if port != 0);
    host && port && parts.next().is_none()
}

/// Whether it leads to this machine only.
pub(crate) fn is_loopback(address: &Multiaddr) -> bool {
    ip(address).is_some_and(|ip| ip.is_loopback())
}

/// The IP address it begins with.
pub(crate) fn ip(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => Some(ip.into()),
        Some(Protocol::Ip6(ip)) => Some(ip.into()),
        Some(_) | None => None,
    }
}

/// Whether it is a `dnsaddr`, whose record holds whole addresses with ids.
pub(crate) fn is_dnsaddr(address: &Multiaddr) -> bool {
    matches!(address.iter().next(), Some(Protocol::Dnsaddr(_)))
}

/// Whether it begins with a name, which outlives addresses.
pub(crate) fn is_name(address: &Multiaddr) -> bool {
    ip(address).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "12D3KooWPU2wk6iUQAcXnhcPm7z5TzpGe6fe9HZYrmDfWz3FJCHt";

    fn dialable(text: &str) -> bool {
        is_dialable(&text.parse().unwrap())
    }

    #[test]
    fn tcp_on_addresses_and_names_can_be_dialled() {
        for place in [
            "/ip4/10.0.0.1/tcp/9096",
            "/ip6/::1/tcp/1",
            "/dns4/a.example/tcp/9096",
            "/dnsaddr/a.example",
        ] {
            assert!(dialable(place), "{place}");
            assert!(dialable(&format!("{place}/p2p/{ID}")), "{place} with an id");
        }
    }

    #[test]
    fn what_our_transport_cannot_do_is_not_dialled() {
        for place in [
            "/ip4/0.0.0.0/tcp/9096",
            "/ip4/10.0.0.1/tcp/0",
            "/ip4/10.0.0.1/udp/9096/quic-v1",
            "/ip4/10.0.0.1/tcp/9096/ws",
            "/ip6/fe80::1/tcp/9096",
            "/ip4/10.0.0.1",
            &format!("/ip4/10.0.0.1/tcp/9096/p2p/{ID}/p2p-circuit"),
            "/unix/run",
        ] {
            assert!(!dialable(place), "{place}");
        }
    }

    #[test]
    fn an_address_is_split_at_its_peer() {
        let full: Multiaddr = format!("/ip4/10.0.0.1/tcp/9096/p2p/{ID}").parse().unwrap();
        let (place, peer) = split(&full);
        assert_eq!(place.to_string(), "/ip4/10.0.0.1/tcp/9096");
        assert_eq!(peer.unwrap().to_string(), ID);
        assert_eq!(split(&place), (place.clone(), None));
    }
}

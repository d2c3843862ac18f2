//! Addresses at which other machines can reach this one.

use std::net::IpAddr;

use multiaddr::{Multiaddr, Protocol};
use nix::ifaddrs::getifaddrs;

/// The addresses of this machine's interfaces that others may reach.
pub(super) fn of_interfaces() -> Vec<IpAddr> {
    let Ok(interfaces) = getifaddrs() else { return Vec::new() };
    let mut found: Vec<IpAddr> = interfaces
        .filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::from(v6.ip())))
        })
        .filter(|ip| is_reachable(*ip))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn is_reachable(ip: IpAddr) -> bool {
    let is_link_local = match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !ip.is_loopback() && !ip.is_unspecified() && !is_link_local
}

/// Writes listening addresses as others must dial them: "all addresses" becomes those of the
/// interfaces; what only this machine or its link can dial stays only when there is nothing else.
pub(super) fn dialable(listen: &[Multiaddr], interfaces: &[IpAddr]) -> Vec<Multiaddr> {
    let mut found: Vec<Multiaddr> = Vec::new();
    for address in listen.iter().filter(|address| has_place(address)) {
        let mut all = match ip(address) {
            Some(ip) if ip.is_unspecified() => interfaces
                .iter()
                .filter(|own| own.is_ipv4() == ip.is_ipv4())
                .filter_map(|own| address.replace(0, |_| Some(Protocol::from(*own))))
                .collect(),
            Some(_) | None => vec![address.clone()],
        };
        all.retain(|address| !found.contains(address));
        found.append(&mut all);
    }
    if found.iter().any(is_for_others) {
        found.retain(is_for_others);
    }
    found
}

/// Whether an address leads to its peer from other machines, too, as far as can be told.
pub(super) fn is_for_others(address: &Multiaddr) -> bool {
    has_place(address) && ip(address).is_none_or(is_reachable)
}

/// Whether it is one that our peers dial: TCP on a port that is known, or a `dnsaddr`.
fn has_place(address: &Multiaddr) -> bool {
    let mut parts = address.iter();
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Protocol::Dnsaddr(_)), None | Some(Protocol::P2p(_)), None) => true,
        (Some(_), Some(Protocol::Tcp(port)), None | Some(Protocol::P2p(_))) => {
            port != 0 && parts.next().is_none()
        }
        (_, _, _) => false,
    }
}

fn ip(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next() {
        Some(Protocol::Ip4(v4)) => Some(IpAddr::from(v4)),
        Some(Protocol::Ip6(v6)) => Some(IpAddr::from(v6)),
        Some(_) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "/p2p/12D3KooWSZ2ZmmbwDEcQsJwM2QWHLhiQWc5hUAGivYC9fDYPEPha";

    fn all(texts: &[&str]) -> Vec<Multiaddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn all_addresses_become_those_of_the_interfaces() {
        let interfaces = ["10.0.0.7".parse().unwrap(), "2001:db8::7".parse().unwrap()];
        let listen = all(&["/ip4/0.0.0.0/tcp/9096", "/ip4/127.0.0.1/tcp/1", "/dns4/a/tcp/2"]);
        assert_eq!(
            dialable(&listen, &interfaces),
            all(&["/ip4/10.0.0.7/tcp/9096", "/dns4/a/tcp/2"])
        );
        assert_eq!(
            dialable(&all(&["/ip6/::/tcp/9"]), &interfaces),
            all(&["/ip6/2001:db8::7/tcp/9"])
        );
    }

    #[test]
    fn what_a_running_peer_listens_on_is_told_without_its_loopback_and_its_links() {
        let listen = [
            "/ip4/127.0.0.1/tcp/9096",
            "/ip4/10.0.0.7/tcp/9096",
            "/ip6/::1/tcp/9096",
            "/ip6/fe80::7/tcp/9096",
            "/ip4/169.254.1.1/tcp/9096",
            "/ip4/10.0.0.7/tcp/9096",
            "/ip6/2001:db8::7/tcp/9096",
        ];
        assert_eq!(
            dialable(&all(&listen), &[]),
            all(&["/ip4/10.0.0.7/tcp/9096", "/ip6/2001:db8::7/tcp/9096"])
        );
    }

    #[test]
    fn loopback_stays_where_nothing_else_is() {
        let listen = all(&["/ip4/127.0.0.1/tcp/1"]);
        assert_eq!(dialable(&listen, &[]), listen);
        assert!(of_interfaces().iter().all(|ip| !ip.is_loopback()));
    }

    #[test]
    fn what_our_peers_cannot_dial_is_not_for_others() {
        for good in ["/ip4/10.0.0.7/tcp/9096", "/dns/a.example/tcp/1", "/dnsaddr/a.example"] {
            assert!(is_for_others(&good.parse().unwrap()), "{good}");
            assert!(is_for_others(&format!("{good}{PEER}").parse().unwrap()), "{good}");
        }
        for bad in [
            "/ip4/0.0.0.0/tcp/9096",
            "/ip4/10.0.0.7/tcp/0",
            "/ip4/10.0.0.7/udp/9096/quic-v1",
            "/ip4/10.0.0.7/tcp/9096/ws",
            "/ip6/fe80::7/tcp/9096",
            "/dns4/a.example",
            &format!("/ip4/10.0.0.7/tcp/9096{PEER}/p2p-circuit"),
        ] {
            assert!(!is_for_others(&bad.parse().unwrap()), "{bad}");
        }
    }
}

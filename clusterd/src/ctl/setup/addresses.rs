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
/// interfaces; loopback stays only when there is nothing else.
pub(super) fn dialable(listen: &[Multiaddr], interfaces: &[IpAddr]) -> Vec<Multiaddr> {
    let mut found: Vec<Multiaddr> = Vec::new();
    for address in listen {
        let ip = match address.iter().next() {
            Some(Protocol::Ip4(v4)) => Some(IpAddr::from(v4)),
            Some(Protocol::Ip6(v6)) => Some(IpAddr::from(v6)),
            Some(_) | None => None,
        };
        match ip {
            Some(ip) if ip.is_unspecified() => found.extend(
                interfaces
                    .iter()
                    .filter(|own| own.is_ipv4() == ip.is_ipv4())
                    .filter_map(|own| address.replace(0, |_| Some(Protocol::from(*own)))),
            ),
            Some(_) | None => found.push(address.clone()),
        }
    }
    found.dedup();
    let others = |address: &&Multiaddr| !is_loopback(address);
    if found.iter().any(|address| others(&address)) {
        found.retain(|address| !is_loopback(address));
    }
    found
}

/// Whether only this machine can dial an address.
pub(super) fn is_loopback(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(v4)) => v4.is_loopback(),
        Some(Protocol::Ip6(v6)) => v6.is_loopback(),
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn loopback_stays_where_nothing_else_is() {
        let listen = all(&["/ip4/127.0.0.1/tcp/1"]);
        assert_eq!(dialable(&listen, &[]), listen);
        assert!(of_interfaces().iter().all(|ip| !ip.is_loopback()));
    }
}

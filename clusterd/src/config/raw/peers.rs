//! `[peers]` as it is written.

use common::config::Faults;
use common::ids::PeerId;
use common::units::Seconds;
use multiaddr::Multiaddr;
use serde::Deserialize;
use toml::Spanned;

use super::super::{Peers, Trusted};
use super::{all, duration, one};
use crate::net::addresses;

/// Fewer would not hold a small cluster, and each connection takes some 40 kB.
const CONNECTIONS: std::ops::RangeInclusive<u32> = 8..=10_000;

/// What a peer's address looks like.
const EXAMPLE: &str = "/ip4/ADDRESS/tcp/PORT or /dns4/NAME/tcp/PORT, and /p2p/ID";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPeers {
    listen: Option<Vec<Spanned<String>>>,
    announce: Option<Vec<Spanned<String>>>,
    bootstrap: Option<Vec<Spanned<String>>>,
    trusted: Option<Spanned<Vec<Spanned<String>>>>,
    follower: Option<bool>,
    connections_max: Option<Spanned<u32>>,
    fetch_timeout: Option<Spanned<Seconds>>,
    mdns: Option<bool>,
    dht: Option<bool>,
}

impl RawPeers {
    pub(super) fn check(self, peers: &mut Peers, faults: &mut Faults) {
        if let Some(listen) = self.listen {
            peers.listen = all(listen, faults);
        }
        if let Some(announce) = self.announce {
            peers.announce = addresses(announce, faults, |_| None);
        }
        if let Some(bootstrap) = self.bootstrap {
            peers.bootstrap = addresses(bootstrap, faults, without_id);
        }
        if let Some(most) = self.connections_max {
            if !CONNECTIONS.contains(most.as_ref()) {
                faults.add(most.span(), "cannot hold so many connections", "use 8 to 10000");
            }
            peers.connections_max = most.into_inner();
        }
        duration(self.fetch_timeout, &mut peers.fetch_timeout, faults);
        peers.follower = self.follower.unwrap_or(peers.follower);
        peers.mdns = self.mdns.unwrap_or(peers.mdns);
        peers.dht = self.dht.unwrap_or(peers.dht);
        if let Some(trusted) = self.trusted {
            peers.trusted = check_trusted(trusted, faults);
        }
    }
}

fn check_trusted(trusted: Spanned<Vec<Spanned<String>>>, faults: &mut Faults) -> Trusted {
    let span = trusted.span();
    let words = trusted.into_inner();
    let stars = words.iter().filter(|word| word.as_ref() == "*").count();
    if stars == 0 {
        return Trusted::Only(all::<PeerId>(words, faults));
    }
    if words.len() > 1 {
        faults.add(span, "\"*\" trusts everyone: it stands alone", "keep \"*\" or the ids");
    }
    Trusted::Everyone
}

/// Addresses that can be dialled, without a further fault.
fn addresses(
    raw: Vec<Spanned<String>>,
    faults: &mut Faults,
    fault: impl Fn(&Multiaddr) -> Option<&'static str>,
) -> Vec<Multiaddr> {
    let mut checked = Vec::new();
    for raw in raw {
        let Some(address) = one::<Multiaddr>(&raw, faults) else { continue };
        if !addresses::is_dialable(&address) {
            faults.add(raw.span(), "no peer can be reached at this address", EXAMPLE);
        } else if let Some(fault) = fault(&address) {
            faults.add(raw.span(), fault, EXAMPLE);
        }
        checked.push(address);
    }
    checked
}

/// Who answers at an address must be known beforehand; only a `dnsaddr` record brings the id itself.
fn without_id(address: &Multiaddr) -> Option<&'static str> {
    let (place, peer) = addresses::split(address);
    let names_itself = addresses::is_dnsaddr(&place);
    (peer.is_none() && !names_itself).then_some("the id of the peer is missing")
}

//! What the node and the network are told at the start, out of the configuration.

use std::path::PathBuf;
use std::time::Duration;

use clusterd_core::config::{Eligible, NodeConfig, RepinConfig};

use crate::config::{AllocateTo, Config, Trusted};
use crate::identity::{ClusterSecret, Identity};
use crate::net::NetConfig;

/// For the network.
pub(super) fn net_config(
    config: &Config,
    identity: &Identity,
    secret: &ClusterSecret,
) -> NetConfig {
    let peers = &config.peers;
    NetConfig {
        keypair: identity.keypair.clone(),
        secret: *secret.bytes(),
        cluster_name: config.cluster_name.clone(),
        listen: peers.listen.clone(),
        announce: peers.announce.clone(),
        bootstrap: peers.bootstrap.clone(),
        trusted: peers.trusted.clone(),
        peerstore: peerstore(config),
        connections_max: peers.connections_max,
        mdns: peers.mdns,
        dht: peers.dht,
        fetch_timeout: peers.fetch_timeout,
    }
}

/// For the node.
pub(super) fn node_config(config: &Config, identity: &Identity) -> NodeConfig {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    NodeConfig {
        follower: config.peers.follower,
        trusted: match &config.peers.trusted {
            Trusted::Everyone => None,
            Trusted::Only(peers) => Some(peers.iter().copied().collect()),
        },
        repin: RepinConfig {
            after: config.repin.is_on.then(|| millis(config.repin.after)),
            per_minute: config.repin.per_minute,
        },
        replication: config.replication,
        expects_others: expects_others(config),
        allocate_by: config.allocate_by.clone(),
        eligible: eligible(config, identity),
        batch_age: millis(config.pinset.batch_age),
        batch_pins: config.pinset.batch_pins,
        rebroadcast_every: millis(config.pinset.rebroadcast_every),
        pins_running_max: config.tracker.pins_running_max,
        retry_after: millis(config.tracker.retry_after),
        retry_after_max: millis(config.tracker.retry_after_max),
        audit_every: millis(config.tracker.audit_every),
        ..NodeConfig::new(identity.peer)
    }
}

/// Who may be given pins; a peer trusts itself, as in Go.
fn eligible(config: &Config, identity: &Identity) -> Eligible {
    let trusted = || match &config.peers.trusted {
        Trusted::Everyone => None,
        Trusted::Only(peers) => Some(peers.iter().copied().chain([identity.peer]).collect()),
    };
    let chosen = match config.allocate_to {
        AllocateTo::All => None,
        AllocateTo::Trusted => trusted().map(Eligible::Only),
        AllocateTo::Untrusted => trusted().map(Eligible::AllBut),
    };
    chosen.unwrap_or_default()
}

fn peerstore(config: &Config) -> PathBuf {
    config.state.join("peerstore")
}

/// Whether other peers are known from the configuration or from before.
fn expects_others(config: &Config) -> bool {
    let is_known = || std::fs::metadata(peerstore(config)).is_ok_and(|file| file.len() > 0);
    !config.peers.bootstrap.is_empty() || is_known()
}

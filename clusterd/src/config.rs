//! `clusterd.toml`: raw values, then checked ones; every mistake is reported at once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::config::{ConfigError, Faults};
use common::ids::PeerId;
use common::pin::Replication;
use multiaddr::Multiaddr;

use crate::ipfs::address::Address;

mod raw;
#[cfg(test)]
mod shipped;
#[cfg(test)]
mod tests;

use raw::RawConfig;

/// Where the configuration is looked for when no file is named.
pub const DEFAULT_FILE: &str = "/etc/clusterd/clusterd.toml";

/// The checked configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Members must share it; part of the gossip topics.
    pub cluster_name: String,
    /// How other peers and people see this one.
    pub peername: String,
    /// Directory of everything that must last.
    pub state: PathBuf,
    /// Unix sockets.
    pub sockets: Sockets,
    /// The Kubo beside us.
    pub ipfs: Ipfs,
    /// Other peers.
    pub peers: Peers,
    /// Default of pins that do not say.
    pub replication: Replication,
    /// When pins of peers that stay away go to others.
    pub repin: Repin,
    /// How changes become blocks and are announced.
    pub pinset: PinsetSettings,
    /// Metrics that a peer must have to be given pins, in the order in which they decide.
    pub allocate_by: Vec<String>,
    /// Which peers are given pins that are not for all.
    pub allocate_to: AllocateTo,
    /// What this peer says of itself, by name; pins are spread over peers of different values.
    pub tags: BTreeMap<String, String>,
    /// How pins are brought to Kubo.
    pub tracker: Tracker,
    /// Where the status page is served besides the control socket: an address of loopback.
    pub status_listen: Option<SocketAddr>,
    /// Where figures for Prometheus are served besides the control socket.
    pub metrics_listen: Option<SocketAddr>,
    /// The log.
    pub log: Log,
}

/// The two doors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sockets {
    /// For proxyd.
    pub proxy: PathBuf,
    /// For operators.
    pub control: PathBuf,
}

/// The connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ipfs {
    /// Kubo's RPC.
    pub api: Address,
    /// A pin that fetched nothing for so long is given up and tried again later.
    pub pin_timeout: Duration,
    /// A call that has one short answer is given up after so long.
    pub call_timeout: Duration,
    /// Bytes of Kubo's volume that stay free: others give no pins to this peer beyond that.
    pub reserve: u64,
    /// Blocks that were put without a pin hold collections of garbage off for so long; zero for not.
    pub gc_hold_off: Duration,
}

/// The replicated pinset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinsetSettings {
    /// Mean time between two announcements of the newest blocks.
    pub rebroadcast_every: Duration,
    /// How long changes are collected before they become a block; zero for not at all.
    pub batch_age: Duration,
    /// At so many changes a block is made sooner.
    pub batch_pins: usize,
}

/// Re-allocation of pins whose peers stay away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repin {
    /// Whether it happens.
    pub is_on: bool,
    /// How long a peer may be silent before.
    pub after: Duration,
    /// Most pins that this peer moves in a minute.
    pub per_minute: u32,
}

/// The network of peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peers {
    /// Addresses to listen on.
    pub listen: Vec<Multiaddr>,
    /// What others are told instead; empty: what is listened on.
    pub announce: Vec<Multiaddr>,
    /// Members to connect to first.
    pub bootstrap: Vec<Multiaddr>,
    /// Whose changes are taken.
    pub trusted: Trusted,
    /// Hold what others pin, and change nothing.
    pub follower: bool,
    /// Connections with peers at a time.
    pub connections_max: u32,
    /// A block of the history that no peer sent in this time is given up, and tried again later.
    pub fetch_timeout: Duration,
    /// Look for peers on the local network.
    pub mdns: bool,
    /// Ask the DHT of Go peers where others are.
    pub dht: bool,
}

/// Whose changes are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trusted {
    /// `["*"]`: every holder of the secret.
    Everyone,
    /// These and ourselves.
    Only(Vec<PeerId>),
}

impl Trusted {
    /// Whether another peer is trusted.
    #[must_use]
    pub fn includes(&self, peer: &PeerId) -> bool {
        match self {
            Self::Everyone => true,
            Self::Only(peers) => peers.contains(peer),
        }
    }
}

/// Which peers are given pins that are not for all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AllocateTo {
    /// All members.
    #[default]
    All,
    /// Those whose changes are taken, and ourselves.
    Trusted,
    /// The others.
    Untrusted,
}

/// The tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tracker {
    /// Operations on Kubo at a time.
    pub pins_running_max: u16,
    /// Wait after the first failure; doubles with each.
    pub retry_after: Duration,
    /// Longest wait between attempts.
    pub retry_after_max: Duration,
    /// How often Kubo's pins are compared with the pinset.
    pub audit_every: Duration,
}

/// The log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Log {
    /// Where to, in which form.
    pub format: common::log::Format,
    /// From which level.
    pub level: common::log::Level,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cluster_name: "ipfs-cluster".to_owned(),
            peername: host_name(),
            state: "/var/lib/clusterd".into(),
            sockets: Sockets {
                proxy: "/run/clusterd/proxy.sock".into(),
                control: "/run/clusterd/control.sock".into(),
            },
            ipfs: Ipfs {
                api: Address::Ip(std::net::Ipv4Addr::LOCALHOST.into(), 5001),
                pin_timeout: Duration::from_secs(2 * 60),
                call_timeout: Duration::from_secs(30),
                reserve: 1 << 30,
                gc_hold_off: Duration::from_secs(10 * 60),
            },
            peers: Peers {
                listen: "/ip4/0.0.0.0/tcp/9096".parse().into_iter().collect(),
                announce: Vec::new(),
                bootstrap: Vec::new(),
                trusted: Trusted::Everyone,
                follower: false,
                connections_max: 400,
                fetch_timeout: Duration::from_secs(2 * 60),
                mdns: false,
                dht: false,
            },
            replication: Replication::Everywhere,
            repin: Repin { is_on: false, after: Duration::from_secs(30 * 60), per_minute: 300 },
            pinset: PinsetSettings {
                rebroadcast_every: Duration::from_secs(60),
                batch_age: Duration::ZERO,
                batch_pins: 5000,
            },
            allocate_by: vec!["tag:group".to_owned(), "freespace".to_owned()],
            allocate_to: AllocateTo::All,
            tags: BTreeMap::from([("group".to_owned(), "default".to_owned())]),
            tracker: Tracker {
                pins_running_max: 10,
                retry_after: Duration::from_secs(30),
                retry_after_max: Duration::from_secs(6 * 3600),
                audit_every: Duration::from_secs(12 * 3600),
            },
            status_listen: None,
            metrics_listen: None,
            log: Log::default(),
        }
    }
}

/// The machine's name, as `hostname` prints it.
fn host_name() -> String {
    // Not from /proc: the unit hides that part of it.
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "clusterd".to_owned())
}

/// Loads the file named on the command line, or the default one if it is there.
///
/// # Errors
/// [`ConfigError`] with every mistake in it.
pub fn load(given: Option<&Path>) -> Result<Config, ConfigError> {
    common::config::load(given, Path::new(DEFAULT_FILE), |raw: RawConfig, faults: &mut Faults| {
        Some(raw.check(faults))
    })
}

//! Several peers of one cluster on this machine, ours and Go's, each with a Kubo of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::PeersSetup;
use crate::error::HarnessError;
use crate::go_cluster::{GoCluster, GoHome};
use crate::http::Client;
use crate::kubo::{self, Kubo};
use crate::ports::Port;
use crate::rpc::good;
use crate::stack::{Stack, StackSetup, temporary_directory};
use crate::wait;

mod peer;

use peer::GoState;
pub use peer::{GoPeer, RustPeer};

/// A pinset: each record as the REST API writes it, by CID.
pub type Pinset = BTreeMap<String, Value>;

/// The peers. All end when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    /// Ours.
    pub rust: Vec<RustPeer>,
    /// Go's.
    pub go: Vec<GoPeer>,
    setup: StackSetup,
    directory: TempDir,
}

impl Cluster {
    /// Starts so many of our peers and of Go's, all connected, with the shipped settings but for
    /// announcements, which come sooner at both.
    ///
    /// # Errors
    /// When one cannot be had or does not start.
    pub fn start(rust: usize, go: usize) -> Result<Self, HarnessError> {
        let clusterd = "[pinset]\nrebroadcast_every = \"3s\"\n".to_owned();
        Self::start_with(rust, go, StackSetup { clusterd, ..StackSetup::default() })
    }

    /// The same with other settings for ours.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn start_with(rust: usize, go: usize, setup: StackSetup) -> Result<Self, HarnessError> {
        let (ours, gos) = (Vec::new(), Vec::new());
        let mut cluster = Self { rust: ours, go: gos, setup, directory: temporary_directory()? };
        for _ in 0..go {
            cluster.add_go(&cluster.addresses()?)?;
        }
        for _ in 0..rust {
            cluster.add_rust(&cluster.addresses()?)?;
        }
        Ok(cluster)
    }

    /// Adds one of ours that connects to these addresses first; its place in [`Cluster::rust`].
    ///
    /// # Errors
    /// When it does not start.
    pub fn add_rust(&mut self, bootstrap: &[String]) -> Result<usize, HarnessError> {
        self.add_rust_with(bootstrap, "")
    }

    /// The same with more lines for its table `[peers]`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn add_rust_with(
        &mut self,
        bootstrap: &[String],
        more: &str,
    ) -> Result<usize, HarnessError> {
        let number = self.rust.len();
        let directory = self.make_directory(&format!("r{number}"))?;
        let swarm = Port::reserve()?;
        let peers = PeersSetup {
            name: format!("rust-{number}"),
            port: swarm.number(),
            bootstrap: bootstrap.to_vec(),
            more: format!("{}\n{more}", self.setup.peers.more),
            ..self.setup.peers.clone()
        };
        let setup = StackSetup { peers, ..self.setup.clone() };
        let stack = Stack::start_in(&directory, Port::reserve()?, &setup)?;
        self.rust.push(RustPeer { stack, swarm });
        Ok(number)
    }

    /// Adds one of Go's that connects to these addresses first; its place in [`Cluster::go`].
    ///
    /// # Errors
    /// When it does not start.
    pub fn add_go(&mut self, bootstrap: &[String]) -> Result<usize, HarnessError> {
        let number = self.go.len();
        let directory = self.make_directory(&format!("g{number}"))?;
        let kubo = Kubo::start_in(&directory)?;
        let home = GoHome::make(&directory, &kubo, &kubo.api())?;
        home.join(&format!("go-{number}"), bootstrap)?;
        self.go.push(GoPeer { kubo, state: GoState::Runs(home.start()?) });
        Ok(number)
    }

    /// Puts one of ours in the place of one of Go's, as an operator moves a machine over: the same
    /// Kubo, identity and list of peers; its place in [`Cluster::rust`].
    ///
    /// # Errors
    /// When Go's does not end, or ours does not start.
    pub fn move_over(&mut self, go: usize) -> Result<usize, HarnessError> {
        let number = self.rust.len();
        let directory = self.make_directory(&format!("r{number}"))?;
        let mut peer = self.go.remove(go);
        peer.stop()?;
        let missing =
            || HarnessError::Missing { what: "Go's files".into(), fix: "see its log".into() };
        let home = peer.home().ok_or_else(missing)?.directory().to_owned();
        let state = directory.join("state");
        std::fs::create_dir_all(&state).map_err(HarnessError::io("make a state directory"))?;
        for file in ["identity.json", "peerstore"] {
            std::fs::copy(home.join(file), state.join(file))
                .map_err(HarnessError::io(format!("take {file} over")))?;
        }
        let swarm = Port::reserve()?;
        let name = format!("rust-{number}");
        let peers = PeersSetup { name, port: swarm.number(), ..self.setup.peers.clone() };
        let setup = StackSetup { peers, ..self.setup.clone() };
        let stack = Stack::around(peer.kubo, &directory, Port::reserve()?, &setup)?;
        self.rust.push(RustPeer { stack, swarm });
        Ok(number)
    }

    /// Where the running peers are reached by others.
    ///
    /// # Errors
    /// When one does not say.
    pub fn addresses(&self) -> Result<Vec<String>, HarnessError> {
        let go = self.go.iter().filter_map(GoPeer::cluster).map(GoCluster::peer_address);
        go.chain(self.rust.iter().map(RustPeer::peer_address)).collect()
    }

    /// The REST APIs of all running peers.
    #[must_use]
    pub fn controls(&self) -> Vec<Client> {
        let ours = self.rust.iter().map(|peer| peer.stack.control());
        ours.chain(self.go.iter().filter_map(GoPeer::control)).collect()
    }

    /// Waits until all running peers have the same pinset; that pinset.
    ///
    /// # Errors
    /// When they still differ at the end of `limit`; the error shows the sizes.
    pub fn converge(&self, limit: Duration) -> Result<Pinset, HarnessError> {
        let mut last = String::new();
        let found = wait::until("equal pinsets", limit, || {
            let pinsets: Result<Vec<Pinset>, _> = self.controls().iter().map(pinset).collect();
            let pinsets = pinsets.ok()?;
            last = format!("{:?} pins", pinsets.iter().map(BTreeMap::len).collect::<Vec<_>>());
            let (first, others) = pinsets.split_first()?;
            others.iter().all(|other| other == first).then(|| first.clone())
        });
        found.map_err(|error| HarnessError::Unreadable {
            what: "the pinsets of all peers",
            found: format!("{error}: {last}"),
        })
    }

    /// Connects every Kubo to every other, as peers do by themselves where addresses are public.
    ///
    /// # Errors
    /// When one refuses.
    pub fn connect_kubos(&self) -> Result<(), HarnessError> {
        kubo::connect_all(&self.kubos().collect::<Vec<_>>())
    }

    /// The Kubos: those of our peers, then those of Go's.
    pub fn kubos(&self) -> impl Iterator<Item = &Kubo> {
        let ours = self.rust.iter().map(|peer| &peer.stack.kubo);
        ours.chain(self.go.iter().map(|peer| &peer.kubo))
    }

    /// Where all files are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn make_directory(&self, name: &str) -> Result<std::path::PathBuf, HarnessError> {
        let directory = self.directory.path().join(name);
        std::fs::create_dir_all(&directory).map_err(HarnessError::io("make a peer's directory"))?;
        Ok(directory)
    }
}

/// All records that a peer has.
///
/// # Errors
/// When it does not tell them.
pub fn pinset(control: &Client) -> Result<Pinset, HarnessError> {
    let answer = control.call("GET", "/allocations", "")?;
    // Status 204 stands for an empty list.
    let text = if answer.status == 204 { String::new() } else { good(answer)?.text() };
    let record = |line: &str| {
        let record: Value = serde_json::from_str(line).ok()?;
        Some((record["cid"].as_str()?.to_owned(), record))
    };
    let records: Option<Pinset> =
        text.lines().filter(|line| !line.is_empty()).map(record).collect();
    records.ok_or(HarnessError::Unreadable { what: "a pinset", found: text })
}

/// How many records a peer has.
///
/// # Errors
/// When it does not tell them.
pub fn count(control: &Client) -> Result<usize, HarnessError> {
    let answer = control.call("GET", "/allocations", "")?;
    if answer.status == 204 {
        return Ok(0);
    }
    Ok(good(answer)?.body.iter().filter(|byte| **byte == b'\n').count())
}

/// Pins through a REST API: answered when it is accepted.
///
/// # Errors
/// When it is refused.
pub fn pin(control: &Client, cid: &str, options: &str) -> Result<(), HarnessError> {
    good(control.call("POST", &format!("/pins/{cid}?{options}"), "")?).map(drop)
}

/// Unpins through a REST API.
///
/// # Errors
/// When it is refused.
pub fn unpin(control: &Client, cid: &str) -> Result<(), HarnessError> {
    good(control.call("DELETE", &format!("/pins/{cid}"), "")?).map(drop)
}

/// How many members a peer counts, itself among them; `None` when it does not say.
#[must_use]
pub fn members(control: &Client) -> Option<usize> {
    let answer = good(control.call("GET", "/id", "").ok()?).ok()?;
    let id: Value = serde_json::from_slice(&answer.body).ok()?;
    id["cluster_peers"].as_array().map(Vec::len)
}

/// The peers that a pin is allocated to, in the order of its record.
///
/// # Errors
/// When the peer does not tell its records, or has none of this pin.
pub fn allocations(control: &Client, cid: &str) -> Result<Vec<String>, HarnessError> {
    let pins = pinset(control)?;
    let ids = pins.get(cid).and_then(|record| record["allocations"].as_array());
    let ids = ids.and_then(|ids| ids.iter().map(|id| id.as_str().map(str::to_owned)).collect());
    let found = || format!("{cid} is not among {pins:?}");
    ids.ok_or_else(|| HarnessError::Unreadable { what: "a pin's allocations", found: found() })
}

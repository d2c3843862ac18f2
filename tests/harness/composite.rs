//! A cluster over clusters: each peer of the main cluster has the proxy of a sub-cluster for its
//! IPFS daemon.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::build;
use crate::cluster::{Cluster, members};
use crate::daemon::{Daemon, PeersSetup, control_socket};
use crate::error::HarnessError;
use crate::go_cluster::{GoCluster, GoHome};
use crate::http::Client;
use crate::ipfs::Ipfs;
use crate::kubo::Kubo;
use crate::peers;
use crate::ports::Port;
use crate::rpc::good;
use crate::stack::{StackSetup, daemons, temporary_directory};
use crate::wait;

/// Members hear of each other with the first pings.
const MET_MAX: Duration = Duration::from_secs(60);

/// One of our peers whose IPFS daemon is not a Kubo of its own.
#[derive(Debug)]
pub struct Upper {
    /// The proxy; ends first.
    pub proxyd: Daemon,
    /// The cluster daemon.
    pub clusterd: Daemon,
    port: Port,
    swarm: Port,
    ipfs: String,
    directory: PathBuf,
}

/// A sub-cluster that is to be started.
#[derive(Debug, Clone, Default)]
pub struct Sub {
    /// Peers of ours, each with a Kubo.
    pub rust: usize,
    /// Peers of Go's, each with a Kubo.
    pub go: usize,
    /// What differs from the shipped settings, at ours.
    pub setup: StackSetup,
}

/// The main cluster and all below it. All end when it is dropped, the main cluster first.
#[derive(Debug)]
pub struct Composite {
    /// Peers of the main cluster that are ours; the one at each place stands over the sub-cluster at
    /// that place.
    pub main: Vec<Upper>,
    /// Peers of the main cluster that are Go's; they stand over the sub-clusters after those.
    pub go_main: Vec<GoCluster>,
    /// The sub-clusters; each serves the main cluster by its first peer.
    pub subs: Vec<Cluster>,
    directory: TempDir,
}

impl Sub {
    /// So many peers of ours that pin with these factors (a table `[replication]`, or nothing).
    #[must_use]
    pub fn of(rust: usize, replication: &str) -> Self {
        Self { rust, setup: with_clusterd(replication), ..Self::default() }
    }
}

/// The shipped settings with more lines for `clusterd.toml`.
#[must_use]
pub fn with_clusterd(more: &str) -> StackSetup {
    StackSetup { clusterd: more.to_owned(), ..StackSetup::default() }
}

impl Upper {
    /// Starts clusterd and proxyd in `directory` before the IPFS daemon at a multiaddr.
    ///
    /// # Errors
    /// When one does not start.
    pub fn start_in(
        directory: &Path,
        ipfs: &str,
        setup: &StackSetup,
    ) -> Result<Self, HarnessError> {
        Self::start_at(Port::reserve()?, directory, ipfs, setup)
    }

    /// The same with the proxy on a port that others may know already.
    ///
    /// # Errors
    /// When one does not start.
    pub fn start_at(
        port: Port,
        directory: &Path,
        ipfs: &str,
        setup: &StackSetup,
    ) -> Result<Self, HarnessError> {
        std::fs::create_dir_all(directory).map_err(HarnessError::io("make a peer's directory"))?;
        let swarm = Port::reserve()?;
        let peers = PeersSetup { port: swarm.number(), ..setup.peers.clone() };
        let setup = StackSetup { peers, ..setup.clone() };
        let (clusterd, proxyd) = daemons(ipfs, directory, &port, &setup)?;
        let (ipfs, directory) = (ipfs.to_owned(), directory.to_owned());
        Ok(Self { proxyd, clusterd, port, swarm, ipfs, directory })
    }

    /// Gives both another IPFS daemon, as an operator does: they are stopped, their settings changed,
    /// and started again.
    ///
    /// # Errors
    /// When one does not end or start, or its settings cannot be changed.
    pub fn turn_to(&mut self, ipfs: &str) -> Result<(), HarnessError> {
        for (daemon, file) in
            [(&mut self.proxyd, "proxyd.toml"), (&mut self.clusterd, "clusterd.toml")]
        {
            daemon.stop()?;
            let path = self.directory.join(file);
            let text = std::fs::read_to_string(&path).map_err(HarnessError::io("read settings"))?;
            std::fs::write(&path, text.replace(&self.ipfs, ipfs))
                .map_err(HarnessError::io("change settings"))?;
            daemon.start()?;
        }
        self.ipfs = ipfs.to_owned();
        Ok(())
    }

    /// Raw requests to its proxyd.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::tcp(self.port.number())
    }

    /// The port that its proxyd serves.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The RPC address of its proxyd, for a cluster above.
    #[must_use]
    pub fn api(&self) -> String {
        format!("/ip4/127.0.0.1/tcp/{}", self.port.number())
    }

    /// Raw requests to its control socket.
    #[must_use]
    pub fn control(&self) -> Client {
        Client::unix(&control_socket(&self.directory))
    }

    /// The `ipfs` command line through its proxyd.
    ///
    /// # Errors
    /// When Kubo cannot be had.
    pub fn ipfs(&self) -> Result<Ipfs, HarnessError> {
        Ok(Ipfs::new(&peers::kubo()?, self.port.number(), &self.directory))
    }

    /// `clusterdctl`, pointed at its clusterd.
    ///
    /// # Errors
    /// When it has not been built.
    pub fn clusterdctl(&self) -> Result<Command, HarnessError> {
        let mut command = Command::new(build::find("clusterdctl")?);
        command.arg("--socket").arg(control_socket(&self.directory));
        Ok(command)
    }

    /// Its peer id.
    ///
    /// # Errors
    /// When it does not say.
    pub fn id(&self) -> Result<String, HarnessError> {
        let answer = good(self.control().call("GET", "/id", "")?)?;
        let id: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let id = id.as_ref().and_then(|id| id["id"].as_str()).map(str::to_owned);
        id.ok_or(HarnessError::Unreadable { what: "our id", found: answer.text() })
    }

    /// Where other peers reach it: a multiaddr with `/p2p/ID`.
    ///
    /// # Errors
    /// When it does not say who it is.
    pub fn peer_address(&self) -> Result<String, HarnessError> {
        Ok(format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", self.swarm.number(), self.id()?))
    }

    /// Where its files are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Composite {
    /// Starts these sub-clusters, and a peer of ours over each, with `main` as their settings. All
    /// Kubos are connected, as where addresses are public, and all members know each other.
    ///
    /// # Errors
    /// When one cannot be had or does not start.
    pub fn start(main: &StackSetup, subs: &[Sub]) -> Result<Self, HarnessError> {
        let mut all = Self::subs(subs)?;
        for place in 0..all.subs.len() {
            let bootstrap: Result<Vec<String>, _> =
                all.main.iter().map(Upper::peer_address).collect();
            let (name, cluster) = (format!("main-{place}"), "main".to_owned());
            let peers = PeersSetup { name, cluster, bootstrap: bootstrap?, ..main.peers.clone() };
            let setup = StackSetup { peers, ..main.clone() };
            let directory = all.directory.path().join(format!("m{place}"));
            let ipfs = all.ipfs_of(place)?;
            all.main.push(Upper::start_in(&directory, &ipfs, &setup)?);
        }
        all.meet()?;
        Ok(all)
    }

    /// The same with a peer of Go's over each; `edit` changes the `service.json` of each.
    ///
    /// # Errors
    /// When one cannot be had or does not start.
    pub fn start_go(subs: &[Sub], edit: impl Fn(&mut Value)) -> Result<Self, HarnessError> {
        let mut all = Self::subs(subs)?;
        for place in 0..all.subs.len() {
            let addresses: Result<Vec<String>, _> =
                all.go_main.iter().map(GoCluster::peer_address).collect();
            let directory = all.directory.path().join(format!("m{place}"));
            std::fs::create_dir_all(&directory)
                .map_err(HarnessError::io("make a peer's directory"))?;
            let ipfs = all.ipfs_of(place)?;
            let home = GoHome::over(&directory, &ipfs, &ipfs)?;
            home.join(&format!("main-{place}"), &addresses?)?;
            home.edit_config(&edit)?;
            all.go_main.push(home.start()?);
        }
        all.meet()?;
        Ok(all)
    }

    /// The sub-clusters alone, started side by side.
    fn subs(subs: &[Sub]) -> Result<Self, HarnessError> {
        let start = |(place, sub): (usize, &Sub)| {
            let peers = PeersSetup { cluster: format!("sub-{place}"), ..sub.setup.peers.clone() };
            let setup = StackSetup { peers, ..sub.setup.clone() };
            Cluster::start_with(sub.rust, sub.go, setup)
        };
        let started: Result<Vec<Cluster>, HarnessError> = thread::scope(|scope| {
            let start = &start;
            let threads: Vec<_> =
                subs.iter().enumerate().map(|sub| scope.spawn(move || start(sub))).collect();
            let panicked = || HarnessError::Missing {
                what: "a sub-cluster: its thread ended".to_owned(),
                fix: "see above".to_owned(),
            };
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| Err(panicked())))
                .collect()
        });
        let all = Self {
            main: Vec::new(),
            go_main: Vec::new(),
            subs: started?,
            directory: temporary_directory()?,
        };
        all.connect_kubos()?;
        Ok(all)
    }

    /// Where a sub-cluster serves as an IPFS daemon.
    fn ipfs_of(&self, place: usize) -> Result<String, HarnessError> {
        let sub = self.subs.get(place);
        let rust = sub.and_then(|sub| sub.rust.first());
        let rust = rust.map(|peer| format!("/ip4/127.0.0.1/tcp/{}", peer.stack.port()));
        let go = || sub.and_then(|sub| sub.go.first()).and_then(|peer| peer.proxy_address());
        rust.or_else(go).ok_or_else(|| HarnessError::Missing {
            what: format!("a peer in sub-cluster {place}"),
            fix: "give it one".to_owned(),
        })
    }

    /// Waits until all members of each cluster know each other.
    fn meet(&self) -> Result<(), HarnessError> {
        let ours = self.main.iter().map(Upper::control);
        let go = self.go_main.iter().map(|peer| Client::tcp(peer.rest_port()));
        let main: Vec<Client> = ours.chain(go).collect();
        let subs = self.subs.iter().map(Cluster::controls);
        for controls in std::iter::once(main).chain(subs) {
            let know_all =
                || controls.iter().all(|peer| members(peer) == Some(controls.len())).then_some(());
            wait::until("all members of a cluster", MET_MAX, know_all)?;
        }
        Ok(())
    }

    /// The Kubos of a sub-cluster: those of our peers, then those of Go's.
    pub fn kubos_of(&self, sub: usize) -> impl Iterator<Item = &Kubo> {
        self.subs.get(sub).into_iter().flat_map(kubos)
    }

    /// Connects every Kubo to every other.
    ///
    /// # Errors
    /// When one refuses.
    pub fn connect_kubos(&self) -> Result<(), HarnessError> {
        let all: Vec<&Kubo> = self.subs.iter().flat_map(kubos).collect();
        for (place, kubo) in all.iter().enumerate() {
            let address = kubo.swarm_address()?;
            for other in all.iter().skip(place + 1) {
                let target = format!("/api/v0/swarm/connect?arg={address}");
                good(Client::tcp(other.port()).post(&target)?)?;
            }
        }
        Ok(())
    }

    /// Where the files of the main cluster are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

fn kubos(cluster: &Cluster) -> impl Iterator<Item = &Kubo> {
    let ours = cluster.rust.iter().map(|peer| &peer.stack.kubo);
    ours.chain(cluster.go.iter().map(|peer| &peer.kubo))
}

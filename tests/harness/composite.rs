//! A cluster over clusters: each peer of the main cluster has the proxy of a sub-cluster for its
//! IPFS daemon.

use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::cluster::{Cluster, members};
use crate::daemon::PeersSetup;
use crate::error::HarnessError;
use crate::go_cluster::{GoCluster, GoHome};
use crate::http::Client;
use crate::kubo::{self, Kubo};
use crate::stack::{StackSetup, temporary_directory};
use crate::wait;

mod upper;

pub use upper::Upper;

/// Members hear of each other with the first pings.
const MET_MAX: Duration = Duration::from_secs(60);

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
        self.subs.get(sub).into_iter().flat_map(Cluster::kubos)
    }

    /// Connects every Kubo to every other.
    ///
    /// # Errors
    /// When one refuses.
    pub fn connect_kubos(&self) -> Result<(), HarnessError> {
        kubo::connect_all(&self.subs.iter().flat_map(Cluster::kubos).collect::<Vec<_>>())
    }

    /// Where the files of the main cluster are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

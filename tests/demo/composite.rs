//! A cluster over clusters on this machine: each peer of the main cluster has the proxy of a sub-cluster for
//! its IPFS daemon.

use std::path::Path;
use std::thread;
use std::time::Duration;

use harness::cluster::members;
use harness::composite::{Upper, with_clusterd};
use harness::daemon::{PeersSetup, Sockets};
use harness::error::HarnessError;
use harness::http::Client;
use harness::kubo::Kubo;
use harness::ports::Port;
use harness::program::Program;
use harness::rpc::good;
use harness::stack::{Stack, StackSetup};
use harness::wait;
use serde_json::Value;

/// The sub-clusters.
pub(crate) const SUBS: [&str; 3] = ["berlin", "oslo", "rome"];
/// Peers of each, with a Kubo each.
pub(crate) const PEERS_A_SUB: usize = 2;
/// The main cluster keeps each pin in so many sub-clusters, so that one can see that it chooses.
pub(crate) const COPIES: usize = 2;
/// The longest name of a directory of a peer.
pub(crate) const LONGEST: &str = "berlin-1";

/// Members hear of each other with the first pings.
const MET_MAX: Duration = Duration::from_secs(60);

/// All clusters; they end when this is dropped, the main cluster first.
pub(crate) struct Composite {
    /// The peers of the main cluster; each is over the sub-cluster at its place.
    pub(crate) main: Vec<Upper>,
    pub(crate) subs: Vec<Sub>,
}

/// A sub-cluster.
pub(crate) struct Sub {
    pub(crate) name: &'static str,
    pub(crate) peers: Vec<Stack>,
}

impl Composite {
    /// Starts all in `directory`: the sub-clusters side by side, then the main cluster, with its first proxy
    /// on `port`.
    ///
    /// # Errors
    /// When one does not start.
    pub(crate) fn start_in(directory: &Path, port: Port) -> Result<Self, HarnessError> {
        let started: Result<Vec<Sub>, HarnessError> = thread::scope(|scope| {
            let begun = SUBS.map(|name| scope.spawn(move || Sub::start_in(directory, name)));
            begun.into_iter().map(|sub| sub.join().unwrap_or_else(|_| Err(panicked()))).collect()
        });
        let mut all = Self { main: Vec::new(), subs: started? };
        all.connect_kubos()?;
        let mut chosen = Some(port);
        for (sub, place) in all.subs.iter().zip(0..) {
            let port = chosen.take().map_or_else(Port::reserve, Ok)?;
            let bootstrap: Result<Vec<_>, _> = all.main.iter().map(Upper::peer_address).collect();
            let name = format!("main-{}", sub.name);
            let peers = peers("main", name.clone(), 0, bootstrap?);
            let copies = format!("[replication]\nmin = {COPIES}\nmax = {COPIES}\n");
            let setup = StackSetup { peers, sockets: Sockets::Own, ..with_clusterd(&copies) };
            let ipfs = sub.api(place % PEERS_A_SUB)?;
            all.main.push(Upper::start_at(port, &directory.join(name), &ipfs, &setup)?);
        }
        all.meet()?;
        Ok(all)
    }

    /// Every Kubo, with the name of its peer.
    pub(crate) fn kubos(&self) -> impl Iterator<Item = (String, &Kubo)> {
        self.subs.iter().flat_map(|sub| {
            sub.peers.iter().zip(1..).map(|(peer, n)| (format!("{}-{n}", sub.name), &peer.kubo))
        })
    }

    /// Connects every Kubo to every other, as where their addresses are public.
    fn connect_kubos(&self) -> Result<(), HarnessError> {
        let all: Vec<&Kubo> = self.kubos().map(|(_, kubo)| kubo).collect();
        for (place, kubo) in all.iter().enumerate() {
            let target = format!("/api/v0/swarm/connect?arg={}", kubo.swarm_address()?);
            for other in all.iter().skip(place + 1) {
                good(Client::tcp(other.port()).post(&target)?)?;
            }
        }
        Ok(())
    }

    /// Waits until all members of each cluster know each other.
    fn meet(&self) -> Result<(), HarnessError> {
        let main: Vec<Client> = self.main.iter().map(Upper::control).collect();
        let subs = self.subs.iter().map(|sub| sub.peers.iter().map(Stack::control).collect());
        for controls in std::iter::once(main).chain(subs) {
            let all = Some(controls.len());
            let known = || controls.iter().all(|peer| members(peer) == all).then_some(());
            wait::until("all members of a cluster", MET_MAX, known)?;
        }
        Ok(())
    }

    /// Everything that runs.
    pub(crate) fn programs(&self) -> impl Iterator<Item = &Program> {
        let main =
            self.main.iter().flat_map(|peer| [peer.proxyd.program(), peer.clusterd.program()]);
        let subs =
            self.subs.iter().flat_map(|sub| &sub.peers).flat_map(|peer| {
                [peer.proxyd.program(), peer.clusterd.program(), peer.kubo.program()]
            });
        main.chain(subs).flatten()
    }

    /// Ends everything in order.
    ///
    /// # Errors
    /// When something does not end in time; it is killed then.
    pub(crate) fn end(self) -> Result<(), HarnessError> {
        for mut peer in self.main {
            peer.proxyd.stop()?;
            peer.clusterd.stop()?;
        }
        for mut peer in self.subs.into_iter().flat_map(|sub| sub.peers) {
            peer.proxyd.stop()?;
            peer.clusterd.stop()?;
            peer.kubo.stop()?;
        }
        Ok(())
    }
}

impl Sub {
    fn start_in(directory: &Path, name: &'static str) -> Result<Self, HarnessError> {
        let mut sub = Self { name, peers: Vec::new() };
        let mut first = Vec::new();
        for number in 1..=PEERS_A_SUB {
            let peer = format!("{name}-{number}");
            let place = directory.join(&peer);
            std::fs::create_dir_all(&place).map_err(HarnessError::io("make a peer's directory"))?;
            let swarm = Port::reserve()?;
            let peers = peers(name, peer, swarm.number(), first.clone());
            let setup = StackSetup { peers, sockets: Sockets::Own, ..StackSetup::default() };
            let stack = Stack::start_in(&place, Port::reserve()?, &setup)?;
            if first.is_empty() {
                first.push(format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", swarm.number(), id(&stack)?));
            }
            sub.peers.push(stack);
        }
        Ok(sub)
    }

    /// Where one of its peers serves as an IPFS daemon.
    fn api(&self, place: usize) -> Result<String, HarnessError> {
        let peer = self.peers.get(place).ok_or_else(panicked)?;
        Ok(format!("/ip4/127.0.0.1/tcp/{}", peer.port()))
    }
}

fn peers(cluster: &str, name: String, port: u16, bootstrap: Vec<String>) -> PeersSetup {
    PeersSetup { cluster: cluster.to_owned(), name, port, bootstrap, ..PeersSetup::default() }
}

/// The id of a peer.
fn id(stack: &Stack) -> Result<String, HarnessError> {
    let answer = good(stack.control().call("GET", "/id", "")?)?;
    let id: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let id = id.as_ref().and_then(|id| id["id"].as_str()).map(str::to_owned);
    id.ok_or(HarnessError::Unreadable { what: "a peer's id", found: answer.text() })
}

fn panicked() -> HarnessError {
    let what = "a sub-cluster: its thread ended".to_owned();
    HarnessError::Missing { what, fix: "see above".to_owned() }
}

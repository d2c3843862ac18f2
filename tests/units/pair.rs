//! Two machines with Kubo and the package, joined by a cable.

use std::collections::BTreeSet;
use std::time::Duration;

use harness::error::HarnessError;
use harness::wait;
use serde_json::Value;

use super::cable::{self, Network};
use super::machine::Machine;
use super::stage;

/// Where each machine is.
pub(crate) const ADDRESSES: [&str; 2] = ["10.77.0.1", "10.77.0.2"];

/// Peers that lost each other try again after 30 seconds at the latest; the rest is for a loaded machine.
pub(crate) const CONVERGED_MAX: Duration = Duration::from_secs(120);

/// The profile of servers keeps Kubo away from private networks, and this is one.
const KUBO_ON_CABLE: &str = "\
export IPFS_PATH=/var/lib/kubo\n\
ipfs config --json Addresses.Swarm '[\"/ip4/ADDRESS/tcp/4001\"]'\n\
ipfs config --json Addresses.NoAnnounce '[]'\n\
ipfs config --json Swarm.AddrFilters '[]'\n\
systemctl restart kubo\n";

/// The two machines.
pub(crate) struct Pair {
    /// At the first address.
    pub(crate) first: Machine,
    /// At the second one.
    pub(crate) second: Machine,
    /// Dropped after the machines.
    pub(crate) networks: [Network; 2],
}

impl Pair {
    /// Boots both, with the package installed. On the first one the daemons run.
    pub(crate) fn boot(names: [&'static str; 2]) -> Result<Self, HarnessError> {
        let networks = cable::joined(ADDRESSES)?;
        let machine = |at: usize| {
            let machine = stage::with_kubo_on(names[at], Some(&networks[at]))?;
            machine.sh(&KUBO_ON_CABLE.replace("ADDRESS", ADDRESSES[at]))?;
            stage::install(&machine)?;
            Ok::<_, HarnessError>(machine)
        };
        let (first, second) = (machine(0)?, machine(1)?);
        first.ok(&["systemctl", "enable", "--now", "clusterd", "proxyd"])?;
        let pair = Self { first, second, networks };
        pair.connect_kubos()?;
        Ok(pair)
    }

    /// Connects the second Kubo to the first, so that each can fetch from the other.
    pub(crate) fn connect_kubos(&self) -> Result<(), HarnessError> {
        let id = kubo(&self.first, &["id", "--format=<id>"])?;
        let address = format!("/ip4/{}/tcp/4001/p2p/{}", ADDRESSES[0], id.trim());
        wait::until("connected Kubos", CONVERGED_MAX, || {
            kubo(&self.second, &["swarm", "connect", &address]).ok()
        })
        .map(drop)
    }

    /// Waits until each machine shows both as its peers.
    pub(crate) fn wait_for_peers(&self) -> Result<(), HarnessError> {
        wait::until("both peers on both machines", CONVERGED_MAX, || {
            let (first, second) = (peers(&self.first)?, peers(&self.second)?);
            (first.len() == 2 && first == second).then_some(())
        })
    }

    /// Waits until both have the same history, all of it.
    pub(crate) fn wait_for_equal_heads(&self) -> Result<(), HarnessError> {
        wait::until("equal heads on both machines", CONVERGED_MAX, || {
            let heads = |machine: &Machine| machine.ok(&["clusterdctl", "state", "heads"]).ok();
            let (first, second) = (heads(&self.first)?, heads(&self.second)?);
            (first == second && first.contains("all blocks are here")).then_some(())
        })
    }
}

/// The peers that a machine lists and that answered it.
fn peers(machine: &Machine) -> Option<BTreeSet<String>> {
    let text = machine.ok(&["clusterdctl", "--json", "peers", "ls"]).ok()?;
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.map(|peer| (peer["error"] == "").then(|| peer["id"].as_str().unwrap().to_owned())).collect()
}

/// The `ipfs` command line inside, against Kubo itself.
pub(crate) fn kubo(machine: &Machine, args: &[&str]) -> Result<String, HarnessError> {
    machine.ok(&[&["ipfs", "--api", "/ip4/127.0.0.1/tcp/5001"], args].concat())
}

/// Waits until Kubo itself has pinned the one, and no longer pins the other.
pub(crate) fn wait_for_kubo(machine: &Machine, with: &[&str], without: &[&str]) {
    wait::until("what Kubo pins", CONVERGED_MAX, || {
        let pinned = kubo(machine, &["pin", "ls", "--type=recursive", "--quiet"]).ok()?;
        let holds = |cid: &&&str| pinned.lines().any(|line| line == **cid);
        (with.iter().filter(holds).count() == with.len() && !without.iter().any(|cid| holds(&cid)))
            .then_some(())
    })
    .unwrap_or_else(|error| panic!("{error}: with {with:?}, without {without:?}"));
}

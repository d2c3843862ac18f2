//! A machine with Kubo as a service and the package installed, as an operator leaves it.

use std::time::Duration;

use harness::error::HarnessError;
use harness::http::Client;
use harness::wait;

use super::cable::Network;
use super::machine::Machine;
use super::packages;

/// Kubo as its own users run it, cut off from the world.
const KUBO_UNIT: &str = "\
[Unit]\nDescription=Kubo\n\
[Service]\nType=notify\nEnvironment=IPFS_PATH=/var/lib/kubo IPFS_TELEMETRY=off\n\
ExecStart=/usr/local/bin/ipfs daemon\nRestart=on-failure\n\
[Install]\nWantedBy=multi-user.target\n";

const KUBO_SETUP: &str = "\
export IPFS_PATH=/var/lib/kubo\n\
mkdir -p $IPFS_PATH\n\
ipfs init --profile=server >/dev/null\n\
ipfs bootstrap rm --all >/dev/null\n\
ipfs config Routing.Type none\n\
ipfs config Addresses.Gateway ''\n\
ipfs config --json Addresses.Swarm '[\"/ip4/127.0.0.1/tcp/4001\"]'\n";

/// How long the daemons may take until they answer.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// The port of proxyd.
pub(crate) const PROXY: u16 = 9095;
/// The port of Kubo.
pub(crate) const KUBO: u16 = 5001;

/// Boots a machine with Kubo.
pub(crate) fn with_kubo(name: &'static str) -> Result<Machine, HarnessError> {
    with_kubo_on(name, None)
}

/// The same in a network that others may be in.
pub(crate) fn with_kubo_on(
    name: &'static str,
    network: Option<&Network>,
) -> Result<Machine, HarnessError> {
    let machine = Machine::boot(name, network)?;
    machine.write("/etc/systemd/system/kubo.service", KUBO_UNIT)?;
    machine.sh(KUBO_SETUP)?;
    machine.ok(&["systemctl", "enable", "--now", "kubo"])?;
    Ok(machine)
}

/// Installs the deb.
pub(crate) fn install(machine: &Machine) -> Result<String, HarnessError> {
    machine.ok(&["dpkg", "--install", &packages::inside(&packages::only("deb"))])
}

/// Boots a machine with Kubo and both daemons, running.
pub(crate) fn running(name: &'static str) -> Result<Machine, HarnessError> {
    let machine = with_kubo(name)?;
    install(&machine)?;
    machine.ok(&["systemctl", "enable", "--now", "clusterd", "proxyd"])?;
    Ok(machine)
}

/// Waits until a call through proxyd is answered with success.
pub(crate) fn wait_for_answer(machine: &Machine, target: &str) -> Result<(), HarnessError> {
    machine.in_network(|| {
        wait::until(target, ANSWER_MAX, || {
            let answer = Client::tcp(PROXY).post(target).ok()?;
            (answer.status == 200).then_some(())
        })
    })
}

/// The `ipfs` command line inside, against proxyd.
pub(crate) fn ipfs(machine: &Machine, args: &[&str]) -> Result<String, HarnessError> {
    let command = [&["ipfs", "--api", "/ip4/127.0.0.1/tcp/9095"], args].concat();
    Ok(machine.ok(&command)?.trim_end().to_owned())
}

/// A property of a unit.
pub(crate) fn property(machine: &Machine, unit: &str, name: &str) -> String {
    let shown = machine.ok(&["systemctl", "show", "--value", "--property", name, unit]);
    shown.unwrap().trim().to_owned()
}

/// Waits until a unit has been started anew: another process, active.
pub(crate) fn wait_for_new_process(machine: &Machine, unit: &str, old: &str) -> String {
    wait::until("another process", ANSWER_MAX, || {
        let new = property(machine, unit, "MainPID");
        let is_active = property(machine, unit, "ActiveState") == "active";
        (is_active && new != old && new != "0").then_some(new)
    })
    .unwrap()
}

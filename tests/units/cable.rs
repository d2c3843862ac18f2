//! Networks that machines keep over a reboot, two of them joined by a cable. The host's has no part in it.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::{self, Command};
use std::thread;

use harness::error::HarnessError;
use nix::sched::{CloneFlags, unshare};

use super::machine::{said, succeeded};

/// What both ends of the cable are called.
const END: &str = "cable";

/// A network of its own. It goes when this is dropped and nobody is in it any more.
pub(crate) struct Network(File);

impl Network {
    fn new() -> Result<Self, HarnessError> {
        let made = thread::spawn(|| {
            // This thread alone is in it, and only to open it.
            unshare(CloneFlags::CLONE_NEWNET)?;
            File::open("/proc/thread-self/ns/net")
        });
        let network = made.join().unwrap().map_err(HarnessError::io("make a network"))?;
        let network = Self(network);
        network.ip("link set lo up")?;
        Ok(network)
    }

    /// The file that stands for it.
    pub(crate) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.0.as_raw_fd())
    }

    /// Gives the end of the cable one more address.
    pub(crate) fn add_address(&self, ip: &str) -> Result<(), HarnessError> {
        self.ip(&format!("addr add {ip}/24 dev {END}"))
    }

    /// Runs ip(8) in it.
    fn ip(&self, words: &str) -> Result<(), HarnessError> {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path())).arg("ip").args(words.split_whitespace());
        said(words, &mut command).and_then(|said| succeeded(words, said)).map(drop)
    }
}

/// Two networks with a cable between them; each end has one of the addresses.
pub(crate) fn joined(addresses: [&str; 2]) -> Result<[Network; 2], HarnessError> {
    let networks = [Network::new()?, Network::new()?];
    let other = networks[1].path();
    networks[0].ip(&format!("link add name {END} type veth peer name {END} netns {other}"))?;
    for (network, address) in networks.iter().zip(addresses) {
        network.add_address(address)?;
        network.ip(&format!("link set {END} up"))?;
    }
    Ok(networks)
}

//! One peer of a main cluster: our two daemons, before the proxy of a sub-cluster.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::build;
use crate::daemon::{Daemon, PeersSetup, control_socket};
use crate::error::HarnessError;
use crate::http::Client;
use crate::ipfs::Ipfs;
use crate::peers;
use crate::ports::Port;
use crate::rpc::good;
use crate::stack::{StackSetup, daemons};

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

//! A whole machine: one Kubo, one clusterd, one proxyd, as an operator would set them up.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::build;
use crate::daemon::{
    ClusterdSetup, Daemon, PeersSetup, ProxydSetup, Sockets, control_socket, proxy_socket,
};
use crate::error::HarnessError;
use crate::http::Client;
use crate::ipfs::Ipfs;
use crate::kubo::Kubo;
use crate::ports::Port;

/// Kubo, clusterd and proxyd, running; all end when it is dropped.
#[derive(Debug)]
pub struct Stack {
    /// The proxy; ends first.
    pub proxyd: Daemon,
    /// The cluster daemon.
    pub clusterd: Daemon,
    /// The Kubo.
    pub kubo: Kubo,
    port: Port,
    directory: PathBuf,
    /// Removed last.
    _temporary: Option<TempDir>,
}

/// What differs from the shipped settings.
#[derive(Debug, Clone)]
pub struct StackSetup {
    /// Who makes the listening sockets.
    pub sockets: Sockets,
    /// The place of its clusterd among other peers.
    pub peers: PeersSetup,
    /// More lines for `clusterd.toml`: keys of `[ipfs]`, then further tables.
    pub clusterd: String,
    /// More lines for `proxyd.toml`.
    pub proxyd: String,
}

impl Default for StackSetup {
    fn default() -> Self {
        Self {
            sockets: Sockets::Handed,
            peers: PeersSetup::default(),
            clusterd: String::new(),
            proxyd: String::new(),
        }
    }
}

impl Stack {
    /// Starts all three with the shipped settings, in a temporary directory.
    ///
    /// # Errors
    /// When one cannot be had or does not start.
    pub fn start() -> Result<Self, HarnessError> {
        Self::start_with(&StackSetup::default())
    }

    /// Starts all three in a temporary directory.
    ///
    /// # Errors
    /// As [`Stack::start`].
    pub fn start_with(setup: &StackSetup) -> Result<Self, HarnessError> {
        let temporary = temporary_directory()?;
        let mut stack = Self::start_in(temporary.path(), Port::reserve()?, setup)?;
        stack._temporary = Some(temporary);
        Ok(stack)
    }

    /// Starts all three in `directory`, with the proxy on `port`.
    ///
    /// # Errors
    /// As [`Stack::start`].
    pub fn start_in(
        directory: &Path,
        port: Port,
        setup: &StackSetup,
    ) -> Result<Self, HarnessError> {
        Self::around(Kubo::start_in(directory)?, directory, port, setup)
    }

    /// Starts clusterd and proxyd in `directory` beside a Kubo that runs, with the proxy on `port`.
    ///
    /// # Errors
    /// As [`Stack::start`].
    pub fn around(
        kubo: Kubo,
        directory: &Path,
        port: Port,
        setup: &StackSetup,
    ) -> Result<Self, HarnessError> {
        let (clusterd, proxyd) = daemons(&kubo.api(), directory, &port, setup)?;
        let directory = directory.to_owned();
        Ok(Self { proxyd, clusterd, kubo, port, directory, _temporary: None })
    }

    /// Lets clusterd know of other peers, as an operator does: it is stopped, its list of peers is
    /// written, and it is started again.
    ///
    /// # Errors
    /// When it does not end or start, or the list cannot be written.
    pub fn join(&mut self, peers: &[String]) -> Result<(), HarnessError> {
        self.clusterd.stop()?;
        let file = self.directory.join("state/peerstore");
        std::fs::write(&file, peers.join("\n") + "\n")
            .map_err(HarnessError::io("write the list of peers"))?;
        self.clusterd.start()
    }

    /// The port that proxyd serves.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Where all files are; tests may put theirs there.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Raw requests to proxyd.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::tcp(self.port())
    }

    /// Raw requests to clusterd's control socket.
    #[must_use]
    pub fn control(&self) -> Client {
        Client::unix(&control_socket(&self.directory))
    }

    /// The `ipfs` command line through proxyd.
    #[must_use]
    pub fn ipfs(&self) -> Ipfs {
        Ipfs::new(self.kubo.binary(), self.port(), &self.directory)
    }

    /// `clusterdctl`, pointed at this clusterd.
    ///
    /// # Errors
    /// When it has not been built.
    pub fn clusterdctl(&self) -> Result<std::process::Command, HarnessError> {
        let mut command = std::process::Command::new(build::find("clusterdctl")?);
        command.arg("--socket").arg(control_socket(&self.directory));
        Ok(command)
    }
}

/// Starts clusterd and proxyd in `directory` before the IPFS daemon at a multiaddr.
pub(crate) fn daemons(
    ipfs: &str,
    directory: &Path,
    port: &Port,
    setup: &StackSetup,
) -> Result<(Daemon, Daemon), HarnessError> {
    let clusterd = ClusterdSetup {
        ipfs: ipfs.to_owned(),
        sockets: setup.sockets,
        peers: setup.peers.clone(),
        more: setup.clusterd.clone(),
    };
    let clusterd = Daemon::clusterd(directory, &clusterd)?;
    let proxyd = ProxydSetup {
        port: port.number(),
        ipfs: ipfs.to_owned(),
        cluster: proxy_socket(directory),
        sockets: setup.sockets,
        more: setup.proxyd.clone(),
    };
    Ok((clusterd, Daemon::proxyd(directory, &proxyd)?))
}

/// A directory whose path is short enough for Unix sockets in it.
///
/// # Errors
/// When it cannot be made.
pub fn temporary_directory() -> Result<TempDir, HarnessError> {
    tempfile::Builder::new()
        .prefix("composite-")
        .tempdir()
        .map_err(HarnessError::io("make a temporary directory"))
}

//! Our daemons: configured in a directory of their own, started, killed and started again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::build;
use crate::error::HarnessError;
use crate::notify::Notices;
use crate::program::Program;
use crate::sockets::{Socket, hand_over};
use crate::wait;

/// Longer than the drain of either daemon.
const STOP_MAX: Duration = Duration::from_secs(30);

/// The cluster secret of all peers, ours and Go's.
pub const SECRET: &str = "6c1f0a5e9b3d47281e7f60c2a4d8935b0f2e6d714c8a9b350d7e1f26a4c8b593";

/// Who makes the listening sockets of a daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sockets {
    /// The harness, as systemd does: they stay when the daemon ends.
    Handed,
    /// The daemon itself.
    Own,
}

/// One of our daemons. It ends when dropped; its directory stays.
#[derive(Debug)]
pub struct Daemon {
    name: &'static str,
    directory: PathBuf,
    handed: Vec<Socket>,
    program: Option<Program>,
    notices: Option<Notices>,
}

/// What clusterd is told.
#[derive(Debug, Clone)]
pub struct ClusterdSetup {
    /// Kubo's RPC, a multiaddr.
    pub ipfs: String,
    /// Who makes the sockets.
    pub sockets: Sockets,
    /// Its place among other peers.
    pub peers: PeersSetup,
    /// More lines of TOML: keys of `[ipfs]`, then further tables.
    pub more: String,
}

impl ClusterdSetup {
    /// A peer on its own, with the shipped settings.
    #[must_use]
    pub fn new(ipfs: String, sockets: Sockets) -> Self {
        Self { ipfs, sockets, peers: PeersSetup::default(), more: String::new() }
    }
}

/// How a clusterd meets other peers.
#[derive(Debug, Clone)]
pub struct PeersSetup {
    /// The name of their cluster.
    pub cluster: String,
    /// Its name among them.
    pub name: String,
    /// The port of 127.0.0.1 that it listens on for them; 0 for any.
    pub port: u16,
    /// Whom it connects to first: multiaddrs with `/p2p/ID`.
    pub bootstrap: Vec<String>,
    /// More lines of the table `[peers]`.
    pub more: String,
}

impl Default for PeersSetup {
    fn default() -> Self {
        let (bootstrap, more) = (Vec::new(), String::new());
        let cluster = "ipfs-cluster".to_owned();
        Self { cluster, name: "tester".to_owned(), port: 0, bootstrap, more }
    }
}

/// What proxyd is told.
#[derive(Debug, Clone)]
pub struct ProxydSetup {
    /// The port of 127.0.0.1 that it serves.
    pub port: u16,
    /// Kubo's RPC, a multiaddr.
    pub ipfs: String,
    /// clusterd's proxy socket.
    pub cluster: PathBuf,
    /// Who makes the socket.
    pub sockets: Sockets,
    /// More lines of TOML.
    pub more: String,
}

/// clusterd's socket for proxyd, in the directory that it was started in.
#[must_use]
pub fn proxy_socket(directory: &Path) -> PathBuf {
    directory.join("proxy.sock")
}

/// clusterd's socket for the operator.
#[must_use]
pub fn control_socket(directory: &Path) -> PathBuf {
    directory.join("control.sock")
}

impl Daemon {
    /// Configures and starts a clusterd whose state, sockets and log are in `directory`.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn clusterd(directory: &Path, setup: &ClusterdSetup) -> Result<Self, HarnessError> {
        let mut daemon = Self::clusterd_unstarted(directory, setup)?;
        daemon.start()?;
        Ok(daemon)
    }

    /// The same, not yet started.
    ///
    /// # Errors
    /// When its files cannot be written.
    pub fn clusterd_unstarted(
        directory: &Path,
        setup: &ClusterdSetup,
    ) -> Result<Self, HarnessError> {
        let state = directory.join("state");
        let (proxy, control) = (proxy_socket(directory), control_socket(directory));
        let peers = &setup.peers;
        let settings = format!(
            "cluster_name = {:?}\npeername = {:?}\nstate = {state:?}\n\
             [sockets]\nproxy = {proxy:?}\ncontrol = {control:?}\n\
             [peers]\nlisten = [\"/ip4/127.0.0.1/tcp/{}\"]\nbootstrap = {:?}\n{}\n\
             [ipfs]\napi = {:?}\n{}",
            peers.cluster,
            peers.name,
            peers.port,
            peers.bootstrap,
            peers.more,
            setup.ipfs,
            setup.more
        );
        write_file(&directory.join("clusterd.toml"), &settings)?;
        fs::create_dir_all(&state).map_err(HarnessError::io("make clusterd's state directory"))?;
        let secret = state.join("cluster-secret");
        write_file(&secret, SECRET)?;
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600))
            .map_err(HarnessError::io("protect the cluster secret"))?;
        let handed = match setup.sockets {
            Sockets::Handed => {
                vec![Socket::unix("proxy", &proxy)?, Socket::unix("control", &control)?]
            }
            Sockets::Own => Vec::new(),
        };
        Ok(Self::new("clusterd", directory, handed))
    }

    /// Configures and starts a proxyd whose configuration and log are in `directory`.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn proxyd(directory: &Path, setup: &ProxydSetup) -> Result<Self, HarnessError> {
        let mut daemon = Self::proxyd_unstarted(directory, setup)?;
        daemon.start()?;
        Ok(daemon)
    }

    /// The same, not yet started.
    ///
    /// # Errors
    /// When its files cannot be written.
    pub fn proxyd_unstarted(directory: &Path, setup: &ProxydSetup) -> Result<Self, HarnessError> {
        let settings = format!(
            "listen = [\"/ip4/127.0.0.1/tcp/{}\"]\nipfs = {:?}\ncluster = {:?}\n{}",
            setup.port, setup.ipfs, setup.cluster, setup.more
        );
        write_file(&directory.join("proxyd.toml"), &settings)?;
        let handed = match setup.sockets {
            Sockets::Handed => vec![Socket::tcp("listen", setup.port)?],
            Sockets::Own => Vec::new(),
        };
        Ok(Self::new("proxyd", directory, handed))
    }

    fn new(name: &'static str, directory: &Path, handed: Vec<Socket>) -> Self {
        Self { name, directory: directory.to_owned(), handed, program: None, notices: None }
    }

    /// Starts it (again) and waits until it says that it is ready.
    ///
    /// # Errors
    /// When it ends, or is not ready in time.
    pub fn start(&mut self) -> Result<(), HarnessError> {
        self.start_under(&[])
    }

    /// The same, by a program that gives its place to the one it is told of, as `sh -c 'exec "$@"'`.
    ///
    /// # Errors
    /// As [`Daemon::start`].
    pub fn start_under(&mut self, runner: &[&str]) -> Result<(), HarnessError> {
        let binary = build::find(self.name)?;
        let log = self.directory.join(format!("{}.log", self.name));
        let notices = Notices::listen(&self.directory.join(format!("{}.notify", self.name)))?;
        let first = runner.first().map_or(binary.as_path(), Path::new);
        let mut command = match self.handed.first() {
            Some(socket) => hand_over(first, socket, self.handed.get(1))?,
            None => Command::new(first),
        };
        command.args(runner.iter().skip(1));
        if !runner.is_empty() {
            command.arg(&binary);
        }
        command.arg("--config").arg(self.directory.join(format!("{}.toml", self.name)));
        command.env("NOTIFY_SOCKET", notices.path()).env_remove("CREDENTIALS_DIRECTORY");
        let mut program = if self.handed.is_empty() {
            Program::start(self.name, command, &log)?
        } else {
            Program::start_wired(self.name, command, &log)?
        };
        notices.wait_for("READY=1", &mut program, wait::START_MAX)?;
        self.program = Some(program);
        self.notices = Some(notices);
        Ok(())
    }

    /// Kills it as a crash would.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> Result<(), HarnessError> {
        self.program.take().map_or(Ok(()), Program::kill)
    }

    /// Ends it as systemd does.
    ///
    /// # Errors
    /// When it does not end in time, or is not running.
    pub fn stop(&mut self) -> Result<ExitStatus, HarnessError> {
        self.program.take().map_or_else(
            || {
                Err(HarnessError::Missing {
                    what: format!("{} does not run", self.name),
                    fix: "start it".into(),
                })
            },
            |program| program.stop(STOP_MAX),
        )
    }

    /// The running program.
    #[must_use]
    pub fn program(&self) -> Option<&Program> {
        self.program.as_ref()
    }

    /// The newest `STATUS=` line that it told since the last look.
    #[must_use]
    pub fn status(&self) -> Option<String> {
        self.notices.as_ref()?.status()
    }
}

fn write_file(path: &Path, text: &str) -> Result<(), HarnessError> {
    fs::write(path, text).map_err(HarnessError::io(format!("write {}", path.display())))
}

//! Go ipfs-cluster: its command line against our control socket, and its daemon as a peer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::error::HarnessError;
use crate::http::Client;
use crate::kubo::Kubo;
use crate::peers;
use crate::ports::Port;
use crate::program::Program;
use crate::wait;

/// The real `ipfs-cluster-ctl`, pointed at a control socket.
///
/// # Errors
/// When it cannot be had.
pub fn ctl(control_socket: &Path) -> Result<Command, HarnessError> {
    let mut command = Command::new(peers::cluster_ctl()?);
    // Its host is a multiaddr; a Unix path is its rest.
    command.arg("--host").arg(format!("/unix{}", control_socket.display()));
    Ok(command)
}

/// Files and ports of one `ipfs-cluster-service`: a cluster of its own, in CRDT mode.
#[derive(Debug)]
pub struct GoHome {
    binary: PathBuf,
    home: PathBuf,
    log: PathBuf,
    rest: Port,
    proxy: Port,
    swarm: Port,
}

impl GoHome {
    /// Makes one in `directory` for a cluster beside `kubo`; its proxy stands before `upstream`, a
    /// multiaddr.
    ///
    /// # Errors
    /// When the program cannot be had or fails.
    pub fn make(directory: &Path, kubo: &Kubo, upstream: &str) -> Result<Self, HarnessError> {
        let made = Self {
            binary: peers::cluster_service()?,
            home: directory.join("go-cluster"),
            log: directory.join("go-cluster.log"),
            rest: Port::reserve()?,
            proxy: Port::reserve()?,
            swarm: Port::reserve()?,
        };
        made.run(&["init", "--consensus", "crdt", "--randomports"])?;
        let ports = [&made.rest, &made.proxy, &made.swarm];
        configure(&made.home.join("service.json"), kubo, upstream, ports)?;
        Ok(made)
    }

    /// Replaces its pinset by the records of an exported state, as an operator does: while it is
    /// down.
    ///
    /// # Errors
    /// When it refuses.
    pub fn import(&self, state: &Path) -> Result<(), HarnessError> {
        self.run(&["state", "import", "--force", &state.to_string_lossy()])
    }

    /// Where it keeps everything.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.home
    }

    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// When it ends or does not answer in time.
    pub fn start(self) -> Result<GoCluster, HarnessError> {
        let mut command = Command::new(&self.binary);
        command.arg("--config").arg(&self.home).arg("daemon");
        let mut program = Program::start("ipfs-cluster-service", command, &self.log)?;
        let client = Client::tcp(self.rest.number());
        wait::until("Go ipfs-cluster's answer to `id`", Duration::from_secs(60), || {
            match (program.check_running(), client.call("GET", "/id", "")) {
                (Err(ended), _) => Some(Err(ended)),
                (Ok(()), Ok(answer)) if answer.status == 200 => Some(Ok(())),
                (Ok(()), Ok(_) | Err(_)) => None,
            }
        })??;
        Ok(GoCluster { program, home: self })
    }

    fn run(&self, args: &[&str]) -> Result<(), HarnessError> {
        let output = Command::new(&self.binary)
            .arg("--config")
            .arg(&self.home)
            .args(args)
            .output()
            .map_err(HarnessError::io("run ipfs-cluster-service"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(HarnessError::Failed {
            command: format!("ipfs-cluster-service {}", args.join(" ")),
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

/// A running `ipfs-cluster-service`, with its proxy and REST API.
#[derive(Debug)]
pub struct GoCluster {
    program: Program,
    home: GoHome,
}

impl GoCluster {
    /// Starts one beside `kubo`, with its files in `directory`.
    ///
    /// # Errors
    /// When it cannot be had or does not start.
    pub fn start(directory: &Path, kubo: &Kubo) -> Result<Self, HarnessError> {
        GoHome::make(directory, kubo, &kubo.api())?.start()
    }

    /// The port of its REST API.
    #[must_use]
    pub fn rest_port(&self) -> u16 {
        self.home.rest.number()
    }

    /// The port of its IPFS proxy.
    #[must_use]
    pub fn proxy_port(&self) -> u16 {
        self.home.proxy.number()
    }

    /// The running daemon.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }
}

/// Points its configuration at `kubo` and at our ports; nothing but 127.0.0.1 is used.
fn configure(
    file: &Path,
    kubo: &Kubo,
    upstream: &str,
    ports: [&Port; 3],
) -> Result<(), HarnessError> {
    let text = fs::read_to_string(file).map_err(HarnessError::io("read service.json"))?;
    let mut config: Value = serde_json::from_str(&text).map_err(|error| {
        HarnessError::Unreadable { what: "service.json", found: error.to_string() }
    })?;
    let [rest, proxy, swarm] = ports.map(|port| format!("/ip4/127.0.0.1/tcp/{}", port.number()));
    config["api"]["restapi"]["http_listen_multiaddress"] = json!(rest);
    config["api"]["ipfsproxy"]["listen_multiaddress"] = json!(proxy);
    config["api"]["ipfsproxy"]["node_multiaddress"] = json!(upstream);
    config["cluster"]["listen_multiaddress"] = json!([swarm]);
    config["cluster"]["mdns_interval"] = json!("0s");
    config["ipfs_connector"]["ipfshttp"]["node_multiaddress"] = json!(kubo.api());
    fs::write(file, format!("{config:#}")).map_err(HarnessError::io("write service.json"))
}

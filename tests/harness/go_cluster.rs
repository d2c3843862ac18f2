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
    command
        .arg("--host")
        .arg(format!("/unix{}", control_socket.display()));
    Ok(command)
}

/// One `ipfs-cluster-service` of a cluster of its own, in CRDT mode, with its proxy and REST API.
#[derive(Debug)]
pub struct GoCluster {
    program: Program,
    rest: Port,
    proxy: Port,
    _swarm: Port,
}

impl GoCluster {
    /// Starts one beside `kubo`, with its files in `directory`.
    ///
    /// # Errors
    /// When it cannot be had or does not start.
    pub fn start(directory: &Path, kubo: &Kubo) -> Result<Self, HarnessError> {
        let binary = peers::cluster_service()?;
        let home = directory.join("go-cluster");
        let (rest, proxy, swarm) = (Port::reserve()?, Port::reserve()?, Port::reserve()?);
        let init = Command::new(&binary)
            .args(["--config".as_ref(), home.as_os_str()])
            .args(["init", "--consensus", "crdt", "--randomports"])
            .output()
            .map_err(HarnessError::io("run ipfs-cluster-service init"))?;
        if !init.status.success() {
            return Err(HarnessError::Failed {
                command: "ipfs-cluster-service init".to_owned(),
                status: init.status.to_string(),
                output: String::from_utf8_lossy(&init.stderr).into_owned(),
            });
        }
        configure(&home.join("service.json"), kubo, [&rest, &proxy, &swarm])?;
        let mut command = Command::new(&binary);
        command.arg("--config").arg(&home).arg("daemon");
        let log: PathBuf = directory.join("go-cluster.log");
        let mut program = Program::start("ipfs-cluster-service", command, &log)?;
        let client = Client::tcp(rest.number());
        wait::until(
            "Go ipfs-cluster's answer to `id`",
            Duration::from_secs(60),
            || match (program.check_running(), client.call("GET", "/id", "")) {
                (Err(ended), _) => Some(Err(ended)),
                (Ok(()), Ok(answer)) if answer.status == 200 => Some(Ok(())),
                (Ok(()), Ok(_) | Err(_)) => None,
            },
        )??;
        Ok(Self {
            program,
            rest,
            proxy,
            _swarm: swarm,
        })
    }

    /// The port of its REST API.
    #[must_use]
    pub fn rest_port(&self) -> u16 {
        self.rest.number()
    }

    /// The port of its IPFS proxy.
    #[must_use]
    pub fn proxy_port(&self) -> u16 {
        self.proxy.number()
    }

    /// The running daemon.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }
}

/// Points its configuration at `kubo` and at our ports; nothing but 127.0.0.1 is used.
fn configure(file: &Path, kubo: &Kubo, ports: [&Port; 3]) -> Result<(), HarnessError> {
    let text = fs::read_to_string(file).map_err(HarnessError::io("read service.json"))?;
    let mut config: Value =
        serde_json::from_str(&text).map_err(|error| HarnessError::Unreadable {
            what: "service.json",
            found: error.to_string(),
        })?;
    let [rest, proxy, swarm] = ports.map(|port| format!("/ip4/127.0.0.1/tcp/{}", port.number()));
    config["api"]["restapi"]["http_listen_multiaddress"] = json!(rest);
    config["api"]["ipfsproxy"]["listen_multiaddress"] = json!(proxy);
    config["api"]["ipfsproxy"]["node_multiaddress"] = json!(kubo.api());
    config["cluster"]["listen_multiaddress"] = json!([swarm]);
    config["cluster"]["mdns_interval"] = json!("0s");
    config["ipfs_connector"]["ipfshttp"]["node_multiaddress"] = json!(kubo.api());
    fs::write(file, format!("{config:#}")).map_err(HarnessError::io("write service.json"))
}

//! Go ipfs-cluster: its command line against our control socket, and its daemon as a peer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::daemon::SECRET;
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

/// It asks its Kubo and looks for peers before it is ready.
const START_MAX: Duration = Duration::from_secs(120);

/// What it says when it is.
const READY: &str = "IPFS Cluster is READY";

/// It brings its store to rest before it ends.
const STOP_MAX: Duration = Duration::from_secs(60);

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
        Self::over(directory, &kubo.api(), upstream)
    }

    /// The same with another IPFS daemon than a Kubo, at a multiaddr.
    ///
    /// # Errors
    /// When the program cannot be had or fails.
    pub fn over(directory: &Path, ipfs: &str, upstream: &str) -> Result<Self, HarnessError> {
        let made = Self {
            binary: peers::cluster_service()?,
            home: directory.join("go-cluster"),
            log: directory.join("go-cluster.log"),
            rest: Port::reserve()?,
            proxy: Port::reserve()?,
            swarm: Port::reserve()?,
        };
        made.run(&["init", "--consensus", "crdt", "--randomports"])?;
        made.configure(ipfs, upstream)?;
        Ok(made)
    }

    /// Makes it a peer of others: whom it connects to first, and everything that a test waits for
    /// sooner than by default.
    ///
    /// # Errors
    /// When its configuration cannot be changed.
    pub fn join(&self, name: &str, peers: &[String]) -> Result<(), HarnessError> {
        self.edit_config(|config| {
            let cluster = &mut config["cluster"];
            cluster["peername"] = json!(name);
            cluster["peer_addresses"] = json!(peers);
            cluster["monitor_ping_interval"] = json!("2s");
            cluster["peer_watch_interval"] = json!("1s");
            cluster["pubsub"]["heartbeat_interval"] = json!("1s");
            config["consensus"]["crdt"]["rebroadcast_interval"] = json!("3s");
            config["monitor"]["pubsubmon"]["check_interval"] = json!("2s");
            for informer in ["disk", "tags", "pinqueue"] {
                config["informer"][informer]["metric_ttl"] = json!("6s");
            }
        })
    }

    /// Changes `service.json`; it holds from the next start on.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn edit_config(&self, edit: impl FnOnce(&mut Value)) -> Result<(), HarnessError> {
        let file = self.home.join("service.json");
        let text = fs::read_to_string(&file).map_err(HarnessError::io("read service.json"))?;
        let unreadable = |error: serde_json::Error| HarnessError::Unreadable {
            what: "service.json",
            found: error.to_string(),
        };
        let mut config = serde_json::from_str(&text).map_err(unreadable)?;
        edit(&mut config);
        fs::write(&file, format!("{config:#}")).map_err(HarnessError::io("write service.json"))
    }

    /// CIDs of its heads, sorted; it must not run.
    ///
    /// # Errors
    /// When the program fails or says something else.
    pub fn heads(&self) -> Result<Vec<String>, HarnessError> {
        let text = self.output(&["state", "crdt", "info"])?;
        let listed = text.split_once("Heads: [").and_then(|(_, rest)| rest.split_once(']'));
        let Some((cids, _)) = listed else {
            return Err(HarnessError::Unreadable { what: "`state crdt info`", found: text });
        };
        let mut heads: Vec<String> = cids.split_whitespace().map(str::to_owned).collect();
        heads.sort();
        Ok(heads)
    }

    /// Its pinset in Go's NDJSON, sorted by line; it must not run.
    ///
    /// # Errors
    /// When the program fails.
    pub fn export(&self) -> Result<Vec<String>, HarnessError> {
        let mut lines: Vec<String> =
            self.output(&["state", "export"])?.lines().map(str::to_owned).collect();
        lines.sort();
        Ok(lines)
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
        let said = fs::read(&self.log).map_or(0, |log| log.len());
        let mut program = Program::start("ipfs-cluster-service", command, &self.log)?;
        let client = Client::tcp(self.rest.number());
        // It listens before it can answer, and a request that comes too early makes it panic.
        let is_ready = || {
            let log = fs::read(&self.log).unwrap_or_default();
            String::from_utf8_lossy(log.get(said..).unwrap_or_default()).contains(READY)
        };
        wait::until("Go ipfs-cluster's answer to `id`", START_MAX, || {
            match program.check_running() {
                Err(ended) => Some(Err(ended)),
                Ok(()) if !is_ready() => None,
                Ok(()) => match client.call("GET", "/id", "") {
                    Ok(answer) if answer.status == 200 => Some(Ok(())),
                    Ok(_) | Err(_) => None,
                },
            }
        })??;
        Ok(GoCluster { program, home: self })
    }

    fn run(&self, args: &[&str]) -> Result<(), HarnessError> {
        self.output(args).map(drop)
    }

    fn output(&self, args: &[&str]) -> Result<String, HarnessError> {
        let output = Command::new(&self.binary)
            .arg("--config")
            .arg(&self.home)
            .args(args)
            .output()
            .map_err(HarnessError::io("run ipfs-cluster-service"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(HarnessError::Failed {
            command: format!("ipfs-cluster-service {}", args.join(" ")),
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Points its configuration at its IPFS daemon, our ports and our secret; nothing but 127.0.0.1 is used.
    fn configure(&self, ipfs: &str, upstream: &str) -> Result<(), HarnessError> {
        let ports = [&self.rest, &self.proxy, &self.swarm];
        let [rest, proxy, swarm] =
            ports.map(|port| format!("/ip4/127.0.0.1/tcp/{}", port.number()));
        self.edit_config(|config| {
            config["api"]["restapi"]["http_listen_multiaddress"] = json!(rest);
            config["api"]["ipfsproxy"]["listen_multiaddress"] = json!(proxy);
            config["api"]["ipfsproxy"]["node_multiaddress"] = json!(upstream);
            config["cluster"]["secret"] = json!(SECRET);
            config["cluster"]["listen_multiaddress"] = json!([swarm]);
            config["cluster"]["mdns_interval"] = json!("0s");
            config["ipfs_connector"]["ipfshttp"]["node_multiaddress"] = json!(ipfs);
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

    /// Where other peers reach it: a multiaddr with `/p2p/ID`.
    ///
    /// # Errors
    /// When it does not say.
    pub fn peer_address(&self) -> Result<String, HarnessError> {
        let answer = Client::tcp(self.rest_port()).call("GET", "/id", "")?;
        let id: Option<Value> = serde_json::from_slice(&answer.body).ok();
        match id.as_ref().and_then(|id| id["id"].as_str()) {
            Some(id) => Ok(format!("/ip4/127.0.0.1/tcp/{}/p2p/{id}", self.home.swarm.number())),
            None => Err(HarnessError::Unreadable { what: "Go's id", found: answer.text() }),
        }
    }

    /// Kills it as a crash would; its files may be read, and it may be started again.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(self) -> Result<GoHome, HarnessError> {
        self.program.kill()?;
        Ok(self.home)
    }

    /// Ends it as an operator does; its files may be read, and it may be started again.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn stop(self) -> Result<GoHome, HarnessError> {
        self.program.stop(STOP_MAX)?;
        Ok(self.home)
    }

    /// The running daemon.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }
}

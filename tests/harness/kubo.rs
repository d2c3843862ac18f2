//! A real Kubo with a repository of its own, alone on 127.0.0.1.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::error::HarnessError;
use crate::http::Client;
use crate::ipfs::Ipfs;
use crate::peers;
use crate::ports::Port;
use crate::program::Program;
use crate::rpc::good;
use crate::wait;

/// A Kubo daemon; it may be stopped and started again at the same address.
#[derive(Debug)]
pub struct Kubo {
    binary: PathBuf,
    repository: PathBuf,
    log: PathBuf,
    port: Port,
    program: Option<Program>,
}

impl Kubo {
    /// Makes a repository in `directory` (or takes the one there) and starts the daemon.
    ///
    /// # Errors
    /// When Kubo cannot be had or does not start.
    pub fn start_in(directory: &Path) -> Result<Self, HarnessError> {
        let mut kubo = Self {
            binary: peers::kubo()?,
            repository: directory.join("kubo"),
            log: directory.join("kubo.log"),
            port: Port::reserve()?,
            program: None,
        };
        if !kubo.repository.join("config").exists() {
            kubo.init()?;
        }
        kubo.configure()?;
        kubo.start()?;
        Ok(kubo)
    }

    fn init(&self) -> Result<(), HarnessError> {
        let output = Command::new(&self.binary)
            .args(["init", "--profile=test"])
            .env("IPFS_PATH", &self.repository)
            .output()
            .map_err(HarnessError::io("run ipfs init"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(HarnessError::Failed {
            command: "ipfs init --profile=test".to_owned(),
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Cuts it off from all networks but 127.0.0.1, and gives it our port.
    fn configure(&self) -> Result<(), HarnessError> {
        let api = format!("/ip4/127.0.0.1/tcp/{}", self.port.number());
        self.edit_config(|config| {
            config["Addresses"]["API"] = json!(api);
            config["Addresses"]["Gateway"] = json!([]);
            config["Addresses"]["Swarm"] = json!(["/ip4/127.0.0.1/tcp/0"]);
            config["Bootstrap"] = json!([]);
            config["Routing"]["Type"] = json!("none");
            config["Discovery"]["MDNS"]["Enabled"] = json!(false);
        })
    }

    /// Changes the configuration; it holds from the next start on.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn edit_config(&self, edit: impl FnOnce(&mut Value)) -> Result<(), HarnessError> {
        let file = self.repository.join("config");
        let text = fs::read_to_string(&file).map_err(HarnessError::io("read Kubo's config"))?;
        let unreadable = |error: serde_json::Error| HarnessError::Unreadable {
            what: "Kubo's config",
            found: error.to_string(),
        };
        let mut config = serde_json::from_str(&text).map_err(unreadable)?;
        edit(&mut config);
        fs::write(&file, format!("{config:#}")).map_err(HarnessError::io("write Kubo's config"))
    }

    /// Starts the daemon and waits until it answers.
    ///
    /// # Errors
    /// When it ends or does not answer in time.
    pub fn start(&mut self) -> Result<(), HarnessError> {
        let mut command = Command::new(&self.binary);
        command.arg("daemon").env("IPFS_PATH", &self.repository).env("IPFS_TELEMETRY", "off");
        let mut program = Program::start("Kubo", command, &self.log)?;
        let client = Client::tcp(self.port());
        // 403 is an answer too: that of a Kubo which demands a secret.
        let answered = wait::until("Kubo's answer to `id`", wait::START_MAX, || {
            match (program.check_running(), client.post("/api/v0/id")) {
                (Err(ended), _) => Some(Err(ended)),
                (Ok(()), Ok(answer)) if matches!(answer.status, 200 | 403) => Some(Ok(())),
                (Ok(()), Ok(_) | Err(_)) => None,
            }
        })?;
        answered?;
        self.program = Some(program);
        Ok(())
    }

    /// Ends the daemon as an operator would.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn stop(&mut self) -> Result<(), HarnessError> {
        match self.program.take() {
            Some(program) => program.stop(wait::START_MAX).map(drop),
            None => Ok(()),
        }
    }

    /// Stops it in its tracks: it accepts connections, and never answers.
    pub fn freeze(&self) {
        self.program.iter().for_each(|program| program.signal(Signal::SIGSTOP));
    }

    /// Lets it run again after [`Kubo::freeze`].
    pub fn thaw(&self) {
        self.program.iter().for_each(|program| program.signal(Signal::SIGCONT));
    }

    /// The running daemon.
    #[must_use]
    pub fn program(&self) -> Option<&Program> {
        self.program.as_ref()
    }

    /// The port of its RPC.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Its RPC address.
    #[must_use]
    pub fn api(&self) -> String {
        format!("/ip4/127.0.0.1/tcp/{}", self.port())
    }

    /// Where other nodes reach it: a multiaddr with `/p2p/ID`.
    ///
    /// # Errors
    /// When it does not say.
    pub fn swarm_address(&self) -> Result<String, HarnessError> {
        let answer = Client::tcp(self.port()).post("/api/v0/id")?;
        let id: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let first = id.as_ref().and_then(|id| id["Addresses"].as_array()?.first()?.as_str());
        first.map(str::to_owned).ok_or_else(|| HarnessError::Unreadable {
            what: "Kubo's addresses",
            found: answer.text(),
        })
    }

    /// The command line against it, run in `directory`.
    #[must_use]
    pub fn ipfs(&self, directory: &Path) -> Ipfs {
        Ipfs::new(&self.binary, self.port(), directory)
    }

    /// The program.
    #[must_use]
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// The directory of its repository.
    #[must_use]
    pub fn repository(&self) -> &Path {
        &self.repository
    }
}

/// Connects each of them to every other.
///
/// # Errors
/// When one refuses.
pub fn connect_all(kubos: &[&Kubo]) -> Result<(), HarnessError> {
    for (place, kubo) in kubos.iter().enumerate() {
        let address = kubo.swarm_address()?;
        for other in kubos.iter().skip(place + 1) {
            let target = format!("/api/v0/swarm/connect?arg={address}");
            good(Client::tcp(other.port()).post(&target)?)?;
        }
    }
    Ok(())
}

//! All proxies before the same upstream, each with one process.

use std::path::Path;

use harness::daemon::{Daemon, ProxydSetup, Sockets};
use harness::go_cluster::{GoCluster, GoHome};
use harness::kubo::Kubo;
use harness::ports::Port;
use harness::program::Program;

use crate::BenchError;
use crate::cpu;
use crate::figure::{Better, Figure, Side};
use crate::proxies::Proxy;

/// Our memory under load, as the list of figures has it.
const MEMORY_GOAL_MB: f64 = 12.0;

/// Every proxy, running.
#[derive(Debug)]
pub(crate) struct Sides {
    ours: (Daemon, Port),
    haproxy: Proxy,
    tuned: Proxy,
    nginx: Proxy,
    go: GoCluster,
    upstream: u16,
}

impl Sides {
    /// Starts all; the Go cluster needs a Kubo of its own beside the upstream.
    ///
    /// # Errors
    /// When one is missing or does not start.
    pub(crate) fn start(directory: &Path, kubo: &Kubo, upstream: u16) -> Result<Self, BenchError> {
        let tuned = ["tune.bufsize 131072", "option splice-request\n option splice-response"];
        let address = format!("/ip4/127.0.0.1/tcp/{upstream}");
        Ok(Self {
            ours: proxyd(directory, &address)?,
            haproxy: Proxy::haproxy(directory, upstream, ["", ""])?,
            tuned: Proxy::haproxy(directory, upstream, tuned)?,
            nginx: Proxy::nginx(directory, upstream)?,
            go: GoHome::make(directory, kubo, &address)?.start()?,
            upstream,
        })
    }

    /// The port that a side serves.
    pub(crate) fn port(&self, side: Side) -> u16 {
        match side {
            Side::Ours | Side::OursAccepted => self.ours.1.number(),
            Side::Haproxy => self.haproxy.port(),
            Side::HaproxyTuned => self.tuned.port(),
            Side::Nginx => self.nginx.port(),
            Side::Go => self.go.proxy_port(),
            Side::Upstream | Side::Kubo | Side::OneLevel | Side::TwoLevels => self.upstream,
        }
    }

    /// The process of a proxy; what stands behind them has none that counts.
    fn program(&self, side: Side) -> Option<&Program> {
        match side {
            Side::Ours | Side::OursAccepted => self.ours.0.program(),
            Side::Haproxy => Some(&self.haproxy.program),
            Side::HaproxyTuned => Some(&self.tuned.program),
            Side::Nginx => Some(&self.nginx.program),
            Side::Go => Some(self.go.program()),
            Side::Upstream | Side::Kubo | Side::OneLevel | Side::TwoLevels => None,
        }
    }

    /// Seconds of CPU that a proxy has used so far.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) fn cpu_seconds(&self, side: Side) -> Result<f64, BenchError> {
        self.program(side).map_or(Ok(0.0), cpu::seconds)
    }

    /// The most memory that each of `proxies` has needed so far.
    ///
    /// # Errors
    /// When one has ended.
    pub(crate) fn memory(&self, what: &str, proxies: &[Side]) -> Result<Figure, BenchError> {
        let mut samples = Vec::new();
        for side in proxies {
            if let Some(program) = self.program(*side) {
                samples.push((*side, vec![megabytes(program.memory()?.peak)]));
            }
        }
        Ok(Figure::new(what, "MB", Better::Lower, samples).with_value_goal(MEMORY_GOAL_MB))
    }
}

/// From KiB.
pub(crate) fn megabytes(kibibytes: u64) -> f64 {
    kibibytes as f64 * 1024.0 / 1e6
}

/// proxyd with its shipped settings and without a clusterd: what passes through needs none.
fn proxyd(directory: &Path, upstream: &str) -> Result<(Daemon, Port), BenchError> {
    let port = Port::reserve()?;
    let setup = ProxydSetup {
        port: port.number(),
        ipfs: upstream.to_owned(),
        cluster: directory.join("no-cluster.sock"),
        sockets: Sockets::Own,
        more: String::new(),
    };
    Ok((Daemon::proxyd(directory, &setup)?, port))
}

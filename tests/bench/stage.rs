//! One Kubo with both clusters beside it: ours and a Go one, each with its proxy.

use std::fs;
use std::path::Path;
use std::time::Duration;

use harness::daemon::{ClusterdSetup, Daemon, ProxydSetup, Sockets, control_socket, proxy_socket};
use harness::error::HarnessError;
use harness::go_cluster::{GoCluster, GoHome};
use harness::kubo::Kubo;
use harness::ports::Port;
use harness::wait;

use crate::BenchError;
use crate::figure::Side;
use crate::rpc;

/// All daemons of the rows that pin. They share a Kubo, so that none has a faster one.
#[derive(Debug)]
pub(crate) struct Stage {
    ours: (Daemon, Port),
    accepted: (Daemon, Port),
    /// Ours.
    pub(crate) clusterd: Daemon,
    /// The Go one.
    pub(crate) go: GoCluster,
    /// What both pin on.
    pub(crate) kubo: Kubo,
}

impl Stage {
    /// Starts all of them.
    ///
    /// # Errors
    /// When one is missing or does not start.
    pub(crate) fn start(directory: &Path) -> Result<Self, BenchError> {
        let kubo = Kubo::start_in(directory)?;
        let go = GoHome::make(directory, &kubo, &kubo.api())?.start()?;
        Self::around(directory, kubo, go)
    }

    /// Starts ours beside a Kubo and a Go cluster that run.
    ///
    /// # Errors
    /// When one does not start.
    pub(crate) fn around(directory: &Path, kubo: Kubo, go: GoCluster) -> Result<Self, BenchError> {
        let clusterd = clusterd(directory, &kubo)?;
        let ours = proxyd(directory, "pinned", &kubo, "")?;
        let accepted = proxyd(directory, "accepted", &kubo, "wait = \"accepted\"\n")?;
        Ok(Self { ours, accepted, clusterd, go, kubo })
    }

    /// The port of a side.
    pub(crate) fn port(&self, side: Side) -> u16 {
        match side {
            Side::Ours => self.ours.1.number(),
            Side::OursAccepted => self.accepted.1.number(),
            Side::Go => self.go.proxy_port(),
            Side::Kubo
            | Side::Upstream
            | Side::Haproxy
            | Side::HaproxyTuned
            | Side::Nginx
            | Side::OneLevel
            | Side::TwoLevels => self.kubo.port(),
        }
    }

    /// Waits until Kubo holds all of `cids`: a side that answers earlier has done no less work, and
    /// must not do it while the next one is measured.
    ///
    /// # Errors
    /// When some are not held within `limit`.
    pub(crate) fn settle(&self, cids: &[String], limit: Duration) -> Result<(), BenchError> {
        let what = format!("{} pins on Kubo", cids.len());
        let held = |cid: &String| {
            rpc::post(self.kubo.port(), &format!("/api/v0/pin/ls?type=recursive&arg={cid}"))
        };
        let mut next = 0;
        wait::until(&what, limit, || {
            while next < cids.len() && held(&cids[next]).is_ok() {
                next += 1;
            }
            (next == cids.len()).then_some(())
        })?;
        Ok(())
    }
}

/// Our cluster of one peer, with its shipped settings.
///
/// # Errors
/// When it does not start.
pub(crate) fn clusterd(directory: &Path, kubo: &Kubo) -> Result<Daemon, BenchError> {
    let setup = ClusterdSetup::new(kubo.api(), Sockets::Own);
    let daemon = Daemon::clusterd(directory, &setup)?;
    // The operator's socket is the last one to be bound.
    wait::until("clusterd's control socket", wait::START_MAX, || {
        control_socket(directory).exists().then_some(())
    })?;
    Ok(daemon)
}

fn proxyd(
    directory: &Path,
    name: &str,
    kubo: &Kubo,
    more: &str,
) -> Result<(Daemon, Port), BenchError> {
    let own = directory.join(name);
    fs::create_dir_all(&own).map_err(HarnessError::io("make a directory"))?;
    let port = Port::reserve()?;
    let setup = ProxydSetup {
        port: port.number(),
        ipfs: kubo.api(),
        cluster: proxy_socket(directory),
        sockets: Sockets::Own,
        more: more.to_owned(),
    };
    Ok((Daemon::proxyd(&own, &setup)?, port))
}

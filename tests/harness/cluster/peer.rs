//! One peer of a cluster of several: ours with its three programs, or Go's with its Kubo.

use serde_json::Value;

use crate::error::HarnessError;
use crate::go_cluster::{GoCluster, GoHome};
use crate::http::Client;
use crate::kubo::Kubo;
use crate::ports::Port;
use crate::rpc::good;
use crate::stack::Stack;

/// One of our peers: Kubo, clusterd and proxyd.
#[derive(Debug)]
pub struct RustPeer {
    /// Its programs.
    pub stack: Stack,
    pub(super) swarm: Port,
}

/// One of Go's peers, with its Kubo.
#[derive(Debug)]
pub struct GoPeer {
    /// The Kubo beside it.
    pub kubo: Kubo,
    pub(super) state: GoState,
}

#[derive(Debug)]
pub(super) enum GoState {
    Runs(GoCluster),
    Stopped(GoHome),
    /// Only while it changes between the two, or after that failed.
    Lost,
}

impl RustPeer {
    /// Where other peers reach it: a multiaddr with `/p2p/ID`.
    ///
    /// # Errors
    /// When it does not say who it is.
    pub fn peer_address(&self) -> Result<String, HarnessError> {
        Ok(format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", self.swarm.number(), self.id()?))
    }

    /// Its peer id.
    ///
    /// # Errors
    /// When it does not say.
    pub fn id(&self) -> Result<String, HarnessError> {
        let answer = good(self.stack.control().call("GET", "/id", "")?)?;
        let id: Option<Value> = serde_json::from_slice(&answer.body).ok();
        match id.as_ref().and_then(|id| id["id"].as_str()) {
            Some(id) => Ok(id.to_owned()),
            None => Err(HarnessError::Unreadable { what: "our id", found: answer.text() }),
        }
    }

    /// CIDs of its heads, sorted.
    ///
    /// # Errors
    /// When it does not say.
    pub fn heads(&self) -> Result<Vec<String>, HarnessError> {
        let answer = good(self.stack.control().call("GET", "/composite/heads", "")?)?;
        let parsed: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let heads = parsed.as_ref().and_then(|parsed| parsed["heads"].as_array());
        let cid = |head: &Value| head["cid"].as_str().map(str::to_owned);
        let cids: Option<Vec<String>> = heads.and_then(|heads| heads.iter().map(cid).collect());
        let unreadable = || HarnessError::Unreadable { what: "our heads", found: answer.text() };
        let mut cids = cids.ok_or_else(unreadable)?;
        cids.sort();
        Ok(cids)
    }
}

impl GoPeer {
    pub(super) fn cluster(&self) -> Option<&GoCluster> {
        match &self.state {
            GoState::Runs(cluster) => Some(cluster),
            GoState::Stopped(_) | GoState::Lost => None,
        }
    }

    /// Its peer id, while it runs.
    ///
    /// # Errors
    /// When it does not say.
    pub fn id(&self) -> Result<String, HarnessError> {
        let stopped = || HarnessError::Missing { what: "a Go peer".into(), fix: "start it".into() };
        let address = self.cluster().ok_or_else(stopped)?.peer_address()?;
        Ok(address.rsplit('/').next().unwrap_or_default().to_owned())
    }

    /// Where its REST API is, as a multiaddr, while it runs.
    #[must_use]
    pub fn rest_address(&self) -> Option<String> {
        self.cluster().map(|cluster| format!("/ip4/127.0.0.1/tcp/{}", cluster.rest_port()))
    }

    /// Where its IPFS proxy is, as a multiaddr, while it runs.
    #[must_use]
    pub fn proxy_address(&self) -> Option<String> {
        self.cluster().map(|cluster| format!("/ip4/127.0.0.1/tcp/{}", cluster.proxy_port()))
    }

    /// Its REST API, while it runs.
    #[must_use]
    pub fn control(&self) -> Option<Client> {
        self.cluster().map(|cluster| Client::tcp(cluster.rest_port()))
    }

    /// Its files, while it is stopped.
    #[must_use]
    pub fn home(&self) -> Option<&GoHome> {
        match &self.state {
            GoState::Stopped(home) => Some(home),
            GoState::Runs(_) | GoState::Lost => None,
        }
    }

    /// Ends it as an operator does, if it runs.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&mut self) -> Result<(), HarnessError> {
        self.end(GoCluster::stop)
    }

    /// Kills it as a crash would, if it runs.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> Result<(), HarnessError> {
        self.end(GoCluster::kill)
    }

    fn end(
        &mut self,
        end: impl FnOnce(GoCluster) -> Result<GoHome, HarnessError>,
    ) -> Result<(), HarnessError> {
        self.state = match std::mem::replace(&mut self.state, GoState::Lost) {
            GoState::Runs(cluster) => GoState::Stopped(end(cluster)?),
            other @ (GoState::Stopped(_) | GoState::Lost) => other,
        };
        Ok(())
    }

    /// Starts it again, if it is stopped.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&mut self) -> Result<(), HarnessError> {
        self.state = match std::mem::replace(&mut self.state, GoState::Lost) {
            GoState::Stopped(home) => GoState::Runs(home.start()?),
            other @ (GoState::Runs(_) | GoState::Lost) => other,
        };
        Ok(())
    }
}

//! The way to clusterd: which socket, and how long its silence is borne.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::api;
use common::api::client::{Call, Client, ClientError, Lines, PATIENCE, Reply};
use common::api::pins::GlobalPinInfo;
use serde::de::DeserializeOwned;

use super::args::CommonArgs;
use super::failure::Failure;
use super::render::Output;

/// Calls one clusterd.
#[derive(Debug)]
pub(super) struct Connection {
    client: Client,
    /// Bears a restart of clusterd.
    patient: Client,
    timeout: Duration,
    instance: Option<String>,
}

impl Connection {
    /// Nothing is connected yet. A socket that is missing is not waited for: who sits in front of
    /// it wants to know, and a socket unit keeps it there through a restart.
    pub(super) fn new(args: &CommonArgs) -> Self {
        Self {
            client: Client::new(&socket(args), Duration::ZERO),
            patient: Client::new(&socket(args), PATIENCE),
            timeout: args.timeout,
            instance: args.instance.clone(),
        }
    }

    /// The instance asked for; `None` for the one without a name.
    pub(super) fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    /// How long the silence of clusterd is borne.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The client, for calls that have no limit.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Waits for an answer, but not longer than the limit.
    pub(super) async fn within<T>(
        &self,
        answer: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Failure::Silent { seconds: self.timeout.as_secs() }),
        }
    }

    /// Sends a call and waits for the head of its answer.
    pub(super) async fn send(&self, call: &Call) -> Result<Reply, Failure> {
        self.within(self.client.send(call)).await
    }

    /// Sends a call that is answered with one object.
    pub(super) async fn ask<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Failure> {
        let reply = self.send(call).await?;
        self.within(reply.json()).await
    }

    /// Sends a call that is answered with one object a line.
    pub(super) async fn lines(&self, call: &Call) -> Result<Lines, Failure> {
        Ok(self.send(call).await?.lines())
    }

    /// The status of a pin that is waited for; a clusterd that restarts meanwhile is waited for too.
    pub(super) async fn follow(&self, cid: &str) -> Result<GlobalPinInfo, Failure> {
        let call = Call::new(api::STATUS, &[cid]);
        self.within(async { self.patient.send(&call).await?.json().await }).await
    }

    /// The status of one pin.
    pub(super) async fn status(&self, cid: &str, local: bool) -> Result<GlobalPinInfo, Failure> {
        self.ask(&with_local(Call::new(api::STATUS, &[cid]), local)).await
    }
}

/// Adds what asks this peer alone.
pub(super) fn with_local(call: Call, local: bool) -> Call {
    match local {
        true => call.query([("local", "true")]),
        false => call,
    }
}

/// The next event; for a program its line is passed on.
pub(super) async fn next_event<T: DeserializeOwned>(
    lines: &mut Lines,
    out: &mut Output,
) -> Result<Option<T>, Failure> {
    let Some(line) = lines.next().await? else {
        return Ok(None);
    };
    if out.json() {
        out.line(&line)?;
        out.flush()?;
    }
    let event = serde_json::from_slice(&line)
        .map_err(|e| ClientError::Unintelligible { reason: e.to_string() })?;
    Ok(Some(event))
}

/// The control socket that the options mean.
fn socket(args: &CommonArgs) -> PathBuf {
    match (&args.socket, &args.instance) {
        (Some(socket), _) => socket.clone(),
        (None, Some(name)) => {
            Path::new("/run").join(format!("clusterd-{name}")).join("control.sock")
        }
        (None, None) => PathBuf::from("/run/clusterd/control.sock"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::args::Args;
    use clap::Parser;

    #[test]
    fn the_socket_follows_the_instance() {
        for (words, path) in [
            (&["clusterdctl", "id"][..], "/run/clusterd/control.sock"),
            (&["clusterdctl", "id", "-i", "sub"], "/run/clusterd-sub/control.sock"),
            (&["clusterdctl", "--socket", "/x", "id"], "/x"),
        ] {
            let args = Args::try_parse_from(words).unwrap();
            assert_eq!(socket(&args.common), Path::new(path));
        }
        assert!(Args::try_parse_from(["clusterdctl", "-i", "a", "--socket", "b", "id"]).is_err());
    }
}

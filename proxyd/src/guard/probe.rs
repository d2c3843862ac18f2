//! Asks Kubo whether it admits a kind of caller.

use std::sync::Arc;
use std::time::Duration;

use common::kubo::path::Target;
use thiserror::Error;

use super::caller::Caller;
use super::refusal::Refusal;
use super::verdicts::Verdict;
use crate::h1::body::BodyError;
use crate::h1::reply::Line;
use crate::headers::KuboHeaders;
use crate::upstream::address::Address;
use crate::upstream::call::Call;
use crate::upstream::{Upstream, UpstreamError};

/// Kubo answers such a call without work; longer means that it is stopped. Holds for the head and
/// for the rest of the answer.
const WITHIN: Duration = Duration::from_secs(10);
/// Kubo's refusals are a line long.
const REFUSAL_BYTES_MAX: usize = 64 << 10;
/// What is asked about where the path does not count.
const ANY_PATH: &str = "/api/v0/repo/stat";
/// First segment of the paths that are ours: Kubo knows no such command.
const OURS: &str = "cluster";

/// Kubo has no verdict. The text is for the client.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// It cannot be asked.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// It neither admits nor refuses, such as while it starts.
    #[error(
        "Kubo at {address} answered {status} when asked whether it admits this caller; check the log of the IPFS daemon"
    )]
    Undecided {
        /// Where it was asked.
        address: Address,
        /// Its answer.
        status: u16,
    },
}

impl ProbeError {
    /// The status that tells a client: 502 or 504.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Upstream(error) => error.status(),
            Self::Undecided { .. } => 502,
        }
    }
}

/// Asks with a call that Kubo admits or refuses but cannot run: its time limit is no duration,
/// which Kubo answers with an empty 200 and its own headers.
pub(super) async fn ask(
    caller: &Caller,
    extra: &[String],
    upstream: &Arc<Upstream>,
) -> Result<Verdict, ProbeError> {
    ask_within(WITHIN, caller, extra, upstream).await
}

async fn ask_within(
    within: Duration,
    caller: &Caller,
    extra: &[String],
    upstream: &Arc<Upstream>,
) -> Result<Verdict, ProbeError> {
    let path = caller.path.as_deref().unwrap_or(ANY_PATH);
    let target = format!("{path}?arg=probe&arg=probe&timeout=probe");
    let fields: Vec<Line<'_>> =
        caller.fields.iter().map(|(name, value)| (*name, value.as_slice())).collect();
    let call = Call {
        method: "POST",
        target: &target,
        fields: &fields,
        body: b"",
        within,
        repeatable: true,
        alone: true,
    };
    let mut answer = upstream.call(call).await?;
    let address = upstream.address().clone();
    let body = match tokio::time::timeout(within, answer.whole(REFUSAL_BYTES_MAX)).await {
        Ok(body) => body.map_err(|error| cut(address.clone(), error))?,
        Err(_) => {
            let attempt = "end its answer";
            return Err(UpstreamError::TooSlow { address, attempt, limit: within }.into());
        }
    };
    let origin = caller.origin.as_deref();
    match answer.head.status() {
        200 => Ok(Verdict::Admitted(Arc::new(KuboHeaders::learn(&answer.head, extra, origin)))),
        // Kubo looks for the command after origin and token have passed; a proxyd in its place says 200.
        404 if is_ours(path) => {
            Ok(Verdict::Admitted(Arc::new(KuboHeaders::learn(&answer.head, extra, origin))))
        }
        400 | 401 | 403 => Ok(Verdict::Refused(Arc::new(Refusal::of(&answer.head, body, origin)))),
        status => Err(ProbeError::Undecided { address, status }),
    }
}

fn is_ours(path: &str) -> bool {
    let target = Target::parse(path);
    target.is_some_and(|target| target.segments().is_some_and(|all| all.first() == Some(&OURS)))
}

fn cut(address: Address, error: BodyError) -> UpstreamError {
    UpstreamError::Lost { address, source: std::io::Error::other(error) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::tests::Kubo;

    #[tokio::test]
    async fn a_kubo_that_stops_amid_its_answer_is_too_slow() {
        let kubo = Kubo::answering(&["200 OK\r\nContent-Length: 5"]).await;
        let within = Duration::from_millis(200);
        let asked = ask_within(within, &Caller::default(), &[], &kubo.upstream).await;
        assert_eq!(asked.unwrap_err().status(), 504);
    }

    #[tokio::test]
    async fn a_command_that_kubo_does_not_know_is_admitted_where_it_is_ours_alone() {
        const NOT_FOUND: &str = "404 Not Found\r\nContent-Length: 0\r\nConnection: close";
        let kubo = Kubo::answering(&[NOT_FOUND, NOT_FOUND]).await;
        let of = |path: &str| Caller { path: Some(path.to_owned()), ..Caller::default() };
        let ours = ask(&of("/api/v0/cluster/tree"), &[], &kubo.upstream).await.unwrap();
        assert!(matches!(ours, Verdict::Admitted(_)));
        let other = ask(&of("/api/v0/clusters"), &[], &kubo.upstream).await.unwrap_err();
        assert!(matches!(other, ProbeError::Undecided { status: 404, .. }), "{other}");
    }

    #[tokio::test]
    async fn the_path_of_the_request_is_asked_about() {
        let kubo = Kubo::answering(&["200 OK\r\nContent-Length: 0\r\nConnection: close"]).await;
        let path = Some("/api/v0/stats/repo".to_owned());
        let caller = Caller { path, ..Caller::default() };
        ask(&caller, &[], &kubo.upstream).await.unwrap();
        let target = "POST /api/v0/stats/repo?arg=probe&arg=probe&timeout=probe HTTP/1.1";
        assert_eq!(kubo.asked.await.unwrap(), [target]);
    }
}

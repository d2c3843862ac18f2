//! The verbs that proxyd calls.

use std::time::Duration;

use axum::body::Bytes;
use common::api::error::{ApiError, ErrorCode};
use common::ids::Cid;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::refusal::bad;
use super::room::Room;

pub(super) mod add;
pub(super) mod change;
pub(super) mod list;
pub(super) mod repo;
mod told;

fn decode<T: DeserializeOwned>(body: &Bytes) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| bad(format!("cannot read the request: {error}")))
}

/// When a client's `timeout` is over.
#[derive(Debug, Clone, Copy)]
struct Deadline(Option<Instant>);

impl Deadline {
    fn after(millis: Option<u64>) -> Self {
        Self(millis.and_then(|millis| Instant::now().checked_add(Duration::from_millis(millis))))
    }

    fn left(self) -> Option<Duration> {
        self.0.map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// Whether there is no time at all; to Kubo that is over before the first argument is looked at.
    fn is_over(self) -> bool {
        self.0.is_some_and(|until| until <= Instant::now())
    }

    /// The same moment on the node's clock.
    fn for_node(self, room: &Room) -> Option<clusterd_core::input::Time> {
        let left = self.left()?.as_millis();
        Some(room.door.now().plus_millis(u64::try_from(left).unwrap_or(u64::MAX)))
    }
}

/// Kubo's words when a `timeout` is over before a command got to its work.
fn exceeded() -> ApiError {
    ApiError::new(ErrorCode::DeadlineExceeded, "context deadline exceeded")
}

/// What the arguments lead to, in their order; the first that fails ends it.
async fn resolve_all(
    room: &Room,
    args: &[String],
    offline: bool,
    deadline: Deadline,
) -> Result<Vec<Cid>, ApiError> {
    let (cids, failure) = resolve_some(room, args, offline, deadline).await;
    failure.map_or(Ok(cids), Err)
}

/// What the arguments up to the first that fails lead to, and that failure.
async fn resolve_some(
    room: &Room,
    args: &[String],
    offline: bool,
    deadline: Deadline,
) -> (Vec<Cid>, Option<ApiError>) {
    if args.is_empty() {
        return (Vec::new(), Some(bad("argument \"ipfs-path\" is required")));
    }
    let mut cids = Vec::with_capacity(args.len());
    for arg in args {
        match resolve(room, arg, offline, deadline).await {
            Ok(cid) => cids.push(cid),
            Err(error) => return (cids, Some(error)),
        }
    }
    (cids, None)
}

/// What one argument leads to.
async fn resolve(
    room: &Room,
    arg: &str,
    offline: bool,
    deadline: Deadline,
) -> Result<Cid, ApiError> {
    let cid = room.kubo.resolve(arg, offline, deadline.left()).await?;
    if deadline.is_over() {
        return Err(ApiError::new(ErrorCode::DeadlineExceeded, "could not resolve name"));
    }
    Ok(cid)
}

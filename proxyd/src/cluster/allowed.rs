//! Whether the peer beside us changes pins at all, asked seldom and never waited for long.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use common::api;
use common::api::client::{Call, Client, ClientError};
use common::api::error::{ApiError, ErrorCode};
use tokio::time::Instant;

use super::Words;

/// Leave holds for so long: a pin that is refused meanwhile is refused at the end of its upload.
const LEAVE_HOLDS_FOR: Duration = Duration::from_secs(10);
/// A refusal holds for less: a ring of clusters may be mended at any time, a follower with a restart alone.
const REFUSAL_HOLDS_FOR: Duration = Duration::from_secs(2);
/// A clusterd that is slower is asked again later: what it refuses it refuses at the end as well.
const ASKED_FOR: Duration = Duration::from_secs(1);

/// The newest answer. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Allowed {
    client: Client,
    newest: Arc<Mutex<Option<Newest>>>,
}

/// When it was asked, and what was said.
type Newest = (Instant, Result<(), Words>);

impl Allowed {
    /// Nothing is known yet, and nothing connected. One that is away is not waited for.
    pub(super) fn new(socket: &Path) -> Self {
        Self { client: Client::new(socket, Duration::ZERO), newest: Arc::default() }
    }

    /// The answer.
    ///
    /// # Errors
    /// The words of the refusal.
    pub(super) async fn get(&self) -> Result<(), Words> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((asked, answer)) = newest
            && asked.elapsed() < holds_for(&answer)
        {
            return answer;
        }
        let answer = self.ask().await;
        let newest = Some((Instant::now(), answer.clone()));
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = newest;
        answer
    }

    async fn ask(&self) -> Result<(), Words> {
        let call = Call::new(api::PROXY_PIN_ALLOWED, &[]);
        match tokio::time::timeout(ASKED_FOR, self.client.send(&call)).await {
            Ok(Err(ClientError::Refused(ApiError {
                reason: ErrorCode::Follower | ErrorCode::Ring,
                message,
                ..
            }))) => Err(message),
            // Anything else is not for this question to judge.
            Ok(Ok(_) | Err(_)) | Err(_) => Ok(()),
        }
    }
}

/// How long an answer holds.
fn holds_for(answer: &Result<(), Words>) -> Duration {
    if answer.is_ok() { LEAVE_HOLDS_FOR } else { REFUSAL_HOLDS_FOR }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_asked_about_again_soon() {
        assert!(holds_for(&Err(Words::from("a ring"))) < holds_for(&Ok(())));
    }

    #[tokio::test]
    async fn a_clusterd_that_is_away_forbids_nothing() {
        assert_eq!(Allowed::new(Path::new("/nonexistent/a.sock")).get().await, Ok(()));
    }
}

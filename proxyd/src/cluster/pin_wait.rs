//! Waiting for pins, over restarts of clusterd.

use std::hash::{BuildHasher, RandomState};

use common::api;
use common::api::client::{Call, Client, ClientError, Lines};
use common::api::proxy::{PinAdd, PinAddEvent};
use common::ids::RequestId;
use tokio::time::Instant;

use super::{REPEAT_AFTER, REPEATS_MAX, STREAM_WITHIN, Words, in_time, json, words};

/// A wait for pins. It survives a restart of clusterd: asked again with the same id, clusterd finds its
/// own work done, and a pin that somebody withdrew meanwhile stays withdrawn.
#[derive(Debug)]
pub struct PinWait {
    client: Client,
    request: PinAdd,
    deadline: Option<Instant>,
    lines: Option<Lines>,
    repeats: u32,
}

impl PinWait {
    /// A wait that has not begun: the call is made with the first event that is asked for.
    pub(super) fn new(client: Client, mut request: PinAdd, deadline: Option<Instant>) -> Self {
        request.request_id = Some(fresh_id().to_string());
        Self { client, request, deadline, lines: None, repeats: 0 }
    }

    /// Next event; after `Pinned` or `Error` comes none. Not cancel-safe while a call is being made;
    /// dropping it leaves accepted pins accepted.
    ///
    /// # Errors
    /// What the client is told when clusterd cannot be asked.
    pub async fn next(&mut self) -> Result<PinAddEvent, Words> {
        loop {
            if self.lines.is_none() {
                self.lines = Some(self.send().await?);
            }
            let Some(lines) = &mut self.lines else {
                continue;
            };
            match lines.next_json::<PinAddEvent>().await {
                // What was accepted is in the pinset, or was withdrawn since.
                Ok(Some(PinAddEvent::Accepted)) => self.request.again = true,
                Ok(Some(event)) => return Ok(event),
                Err(error @ (ClientError::Unintelligible { .. } | ClientError::Refused(_))) => {
                    return Err(words(error));
                }
                Ok(None) | Err(_) if self.repeats < REPEATS_MAX => {
                    self.repeats += 1;
                    self.lines = None;
                    tokio::time::sleep(REPEAT_AFTER).await;
                }
                Ok(None) => return Err("clusterd broke off the call".to_owned()),
                Err(error) => return Err(words(error)),
            }
        }
    }

    /// Waits for the end, without looking at progress: the CIDs.
    ///
    /// # Errors
    /// What the client is told.
    pub async fn end(mut self) -> Result<Vec<String>, Words> {
        loop {
            match self.next().await? {
                PinAddEvent::Accepted | PinAddEvent::Progress { .. } => {}
                PinAddEvent::Pinned(cids) => return Ok(cids),
                PinAddEvent::Error(error) => return Err(error.message),
            }
        }
    }

    async fn send(&mut self) -> Result<Lines, Words> {
        self.request.timeout_ms = self.deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
        });
        let call = json(Call::new(api::PROXY_PIN_ADD, &[]), &self.request)?.repeatable();
        let asked = async { Ok(self.client.send(&call).await.map_err(words)?.lines()) };
        in_time(STREAM_WITHIN, asked).await
    }
}

/// An id that no other call has.
fn fresh_id() -> RequestId {
    // The standard library's hash keys are the process's own random bits, others each time.
    let random = RandomState::new();
    let half = |which: u8| u128::from(random.hash_one(which));
    RequestId::from_bits(half(0) << 64 | half(1))
}

//! Kubo's whole list of pins, streamed, at a pace that leaves Kubo free for others.

use std::time::Duration;

use clusterd_core::input::HeldPin;
use common::ids::Cid;
use common::pin::PinMode;
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use super::client::Client;
use super::error::ConnectorError;

/// Pins handed on at a time.
const BATCH_PINS: usize = 1000;

/// Pause after each batch of a paced reading: 100 000 pins a second at most.
const PAUSE: Duration = Duration::from_millis(10);

/// Wait for the next line. Kubo reads its list under a lock that a collection holds for minutes.
const LINE_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// How fast to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// In the background.
    Gentle,
    /// Somebody waits for it.
    Full,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "Cid")]
    cid: Cid,
    #[serde(rename = "Name", default)]
    name: String,
}

/// Reads all recursive and direct pins, in batches.
pub struct Audit {
    client: Client,
    pace: Pace,
    modes: std::vec::IntoIter<PinMode>,
    open: Option<(PinMode, super::lines::Lines)>,
}

impl Audit {
    /// An audit that has not begun.
    pub fn new(client: Client, pace: Pace) -> Self {
        let modes = vec![PinMode::Recursive, PinMode::Direct].into_iter();
        Self { client, pace, modes, open: None }
    }

    /// The next pins, never none; `None` when all were read. Not cancel-safe.
    ///
    /// # Errors
    /// [`ConnectorError`]; the list is then incomplete.
    pub async fn next(&mut self) -> Result<Option<Vec<HeldPin>>, ConnectorError> {
        let mut batch = Vec::new();
        loop {
            let Some((mode, lines)) = &mut self.open else {
                let Some(mode) = self.modes.next() else {
                    return Ok(Some(batch).filter(|batch| !batch.is_empty()));
                };
                self.open = Some((mode, self.list(mode).await?));
                continue;
            };
            let mode = *mode;
            let line = timeout(LINE_TIMEOUT, lines.next::<Line>()).await;
            match line.map_err(|_| self.client.stalled("list its pins", LINE_TIMEOUT))?? {
                Some(Line { cid, name }) => batch.push(HeldPin { cid, mode, name }),
                None => self.open = None,
            }
            if batch.len() == BATCH_PINS {
                if self.pace == Pace::Gentle {
                    sleep(PAUSE).await;
                }
                return Ok(Some(batch));
            }
        }
    }

    async fn list(&self, mode: PinMode) -> Result<super::lines::Lines, ConnectorError> {
        let query = [("stream", "true"), ("names", "true"), ("type", mode.as_str())];
        let opened = self.client.stream("list its pins", "pin/ls", &query);
        timeout(LINE_TIMEOUT, opened)
            .await
            .map_err(|_| self.client.stalled("list its pins", LINE_TIMEOUT))?
    }
}

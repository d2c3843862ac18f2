//! An upload that streams through to Kubo, and the lines with which it answers meanwhile.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::client::Client;
use super::error::ConnectorError;
use super::form::Form;
use super::lines::Lines;

/// Neither a byte taken nor a line written for so long: Kubo, or who sends, stands still. At the end of
/// an upload Kubo is silent while it walks what it pins.
const SILENCE_MAX: Duration = Duration::from_secs(30 * 60);

/// An upload under way. Dropped before its end it makes Kubo give up.
pub struct Upload {
    client: Client,
    attempt: &'static str,
    lines: Lines,
    moved: Arc<AtomicU64>,
}

impl Upload {
    /// Sends a form to a command, as fast as Kubo takes it, and waits for the head of the answer,
    /// which may come before the form is sent.
    ///
    /// # Errors
    /// [`ConnectorError`], also when Kubo refuses at once.
    pub async fn start(
        client: &Client,
        attempt: &'static str,
        command: &str,
        query: &[(&str, &str)],
        form: Form,
    ) -> Result<Self, ConnectorError> {
        let moved = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&moved);
        let body = form.body.map_frame(move |frame| {
            counter.fetch_add(1, Ordering::Relaxed);
            frame
        });
        let form = Form { content_type: form.content_type, body: body.boxed_unsync() };
        let opened = client.post(attempt, command, query, form);
        let lines = while_it_moves(SILENCE_MAX, client, attempt, &moved, opened).await?;
        Ok(Self { client: client.clone(), attempt, lines, moved })
    }

    /// The next line of the answer, without its line feed; `None` at a clean end. Cancel-safe.
    ///
    /// # Errors
    /// [`ConnectorError`], with Kubo's words when it fails on the way.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ConnectorError> {
        let line = self.lines.next_line();
        while_it_moves(SILENCE_MAX, &self.client, self.attempt, &self.moved, line).await
    }
}

async fn while_it_moves<T>(
    limit: Duration,
    client: &Client,
    attempt: &'static str,
    moved: &AtomicU64,
    work: impl Future<Output = Result<T, ConnectorError>>,
) -> Result<T, ConnectorError> {
    let mut work = pin!(work);
    let mut seen = moved.load(Ordering::Relaxed);
    loop {
        if let Ok(done) = timeout(limit, &mut work).await {
            return done;
        }
        let now = moved.load(Ordering::Relaxed);
        if now == seen {
            return Err(client.stalled(attempt, limit));
        }
        seen = now;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;
    use crate::ipfs::address::Address;

    fn client() -> Client {
        let nowhere: Address = "/unix/nonexistent/kubo.sock".parse().unwrap();
        Client::new(&nowhere, None, Duration::from_secs(1))
    }

    #[tokio::test]
    async fn an_upload_that_moves_is_waited_for_and_one_that_stands_still_is_not() {
        let (client, moved, limit) = (client(), AtomicU64::new(0), Duration::from_millis(1));
        let mut looks = 0;
        let slow = poll_fn(|_| {
            moved.fetch_add(1, Ordering::Relaxed);
            looks += 1;
            if looks < 5 { Poll::Pending } else { Poll::Ready(Ok(7)) }
        });
        assert_eq!(while_it_moves(limit, &client, "add", &moved, slow).await, Ok(7));
        let still = std::future::pending::<Result<(), _>>();
        let ended = while_it_moves(limit, &client, "add", &moved, still).await;
        assert!(matches!(ended, Err(ConnectorError::Stalled { .. })), "{ended:?}");
    }
}

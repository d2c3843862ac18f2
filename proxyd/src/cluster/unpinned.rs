//! Tells clusterd that Kubo was given blocks without a pin: to a collection of garbage they look like it.

use std::time::Duration;

use common::api;
use common::api::client::{Call, Client};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// clusterd counts minutes, so many blocks in a row need no more than this.
const APART: Duration = Duration::from_secs(1);
/// A clusterd that is not well holds nobody up for longer.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// What tells.
#[derive(Debug)]
pub struct Unpinned {
    client: Client,
    /// When it was told, or tried to be, for the last time.
    last: Mutex<Option<Instant>>,
}

impl Unpinned {
    pub(super) fn new(client: Client) -> Self {
        Self { client, last: Mutex::default() }
    }

    /// Tells of a block that Kubo has just taken; whoever comes at the same time waits along. When it
    /// comes back, no collection begins; a clusterd that cannot be told is named in the log.
    pub async fn tell(&self) {
        let mut last = self.last.lock().await;
        if last.is_some_and(|last| last.elapsed() < APART) {
            return;
        }
        let call = Call::new(api::PROXY_UNPINNED, &[]).repeatable();
        match tokio::time::timeout(TOLD_WITHIN, self.client.send(&call)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "clusterd is not told of unpinned blocks"),
            Err(_) => tracing::warn!("clusterd is not told of unpinned blocks: it does not answer"),
        }
        *last = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn blocks_in_a_row_are_told_of_once() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("c.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let (calls, called) = mpsc::sync_channel(8);
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let mut head = [0; 4096];
                let length = stream.read(&mut head).unwrap();
                calls.send(String::from_utf8_lossy(&head[..length]).into_owned()).unwrap();
                stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
            }
        });
        let unpinned = Unpinned::new(Client::new(&socket, Duration::ZERO));
        tokio::join!(unpinned.tell(), unpinned.tell(), unpinned.tell());
        let call = called.try_recv().unwrap();
        assert!(call.starts_with("POST /proxy/unpinned "), "{call}");
        assert!(called.try_recv().is_err(), "it was told of more than once");
    }

    #[tokio::test]
    async fn a_clusterd_that_is_away_is_not_asked_for_each_block() {
        let unpinned = Unpinned::new(Client::new("/nonexistent/c.sock".as_ref(), Duration::ZERO));
        unpinned.tell().await;
        let tried = *unpinned.last.lock().await;
        unpinned.tell().await;
        assert!(tried.is_some() && *unpinned.last.lock().await == tried);
    }
}

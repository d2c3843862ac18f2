//! Runs the server on one end of a stream.

use std::sync::Arc;
use std::time::Duration;

use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::super::server::{Patience, ServeError, serve};
use super::local::{Local, OTHER, peer};
use super::wire::{End, pair};

/// No test waits longer.
pub(super) const SOON: Duration = Duration::from_secs(20);

/// A call being served.
pub(super) struct Served {
    /// How it ends.
    pub(super) end: JoinHandle<Result<(), ServeError>>,
    /// Stops the server.
    pub(super) stop: oneshot::Sender<()>,
}

impl Served {
    /// Waits for its end.
    pub(super) async fn ended(self) -> Result<(), ServeError> {
        timeout(SOON, self.end).await.expect("it never ends").unwrap()
    }
}

/// Serves a stream with enough room, and gives the caller's end.
pub(super) fn served(local: &Arc<Local>) -> (End, Served) {
    served_with(local, 64 << 10, Patience::default(), false)
}

/// Serves a stream; a quiet one shows the server no breaks.
pub(super) fn served_with(
    local: &Arc<Local>,
    capacity: usize,
    patience: Patience,
    is_quiet: bool,
) -> (End, Served) {
    let (ours, theirs) = pair(capacity);
    let theirs = if is_quiet { theirs.quiet() } else { theirs };
    let (stop, stopped) = oneshot::channel::<()>();
    let local = Arc::clone(local);
    let end = tokio::spawn(async move {
        let stop = async {
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        serve(&*local, peer(OTHER), theirs, patience, stop).await
    });
    (ours, Served { end, stop })
}

/// Sends bytes, ends our side or not, and reads all that comes back.
pub(super) async fn exchange(mut stream: End, request: &[u8], is_ended: bool) -> Vec<u8> {
    let exchanged = async {
        stream.write_all(request).await.unwrap();
        if is_ended {
            stream.close().await.unwrap();
        }
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        if !is_ended {
            stream.close().await.unwrap();
        }
        answer
    };
    timeout(SOON, exchanged).await.expect("no answer")
}

//! The list that a streaming method answers with, read item by item: nothing is read ahead of the caller.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use futures_util::io::{AsyncReadExt, AsyncWriteExt, ReadHalf};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::super::methods::Method;
use super::super::msgpack::{Decode, Encode};
use super::{Pairs, RpcError, Stream, head, send};

/// How long the rest of a list that nobody wants is taken from its peer.
const DRAIN_WITHIN: Duration = Duration::from_secs(5 * 60);

/// Tells whether the connection below a stream still stands.
type IsConnected = Box<dyn Fn() -> bool + Send>;

/// A list of another peer.
///
/// It cannot be cancelled: Go ends a list only when we have ended our side, and yamux does not break a
/// stream whose side has ended. A peer whose list is not read waits with it as long as the connection
/// stands. So the rest of a list that is dropped is read in the background, within limits.
pub struct Answers<S: Stream, R> {
    method: Method,
    /// Gone once the list is over.
    pairs: Option<Pairs<ReadHalf<S>>>,
    is_connected: Option<IsConnected>,
    item: PhantomData<fn() -> R>,
}

impl<S: Stream, R> fmt::Debug for Answers<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("method", &self.method).finish_non_exhaustive()
    }
}

impl<S: Stream, R> Drop for Answers<S, R> {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl<S: Stream, R> Answers<S, R> {
    /// Takes what still comes, in the background.
    fn give_up(&mut self) {
        // Without a runtime no connection is served either.
        if let (Some(pairs), Ok(runtime)) = (self.pairs.take(), Handle::try_current()) {
            drop(runtime.spawn(timeout(DRAIN_WITHIN, pairs.drain())));
        }
    }
}

impl<S: Stream, R: Decode> Answers<S, R> {
    /// Calls a streaming method with one argument or none, and ends our side.
    pub(super) async fn of<A: Encode>(
        stream: S,
        method: Method,
        argument: Option<&A>,
    ) -> Result<Self, RpcError> {
        let (from, mut to) = stream.split();
        let mut request = head(method);
        if let Some(argument) = argument {
            request.put(argument);
        }
        let sent = send(&mut to, method, &request.into_bytes()).await;
        let ended = to.close().await.map_err(|error| RpcError::broken(method, &error));
        let pairs = Some(Pairs::new(from, method));
        let mut answers = Self { method, pairs, is_connected: None, item: PhantomData };
        match sent.and(ended) {
            Ok(()) => Ok(answers),
            // A peer that refuses by the head alone has said why.
            Err(unsent) => match answers.next().await {
                Err(error @ (RpcError::Unserved { .. } | RpcError::Denied { .. })) => Err(error),
                Ok(_) | Err(_) => Err(unsent),
            },
        }
    }

    /// Asks at the end of the list whether the connection still stands.
    ///
    /// A list ends with its stream, and yamux makes the same end of a stream whose connection broke:
    /// without this, half a list may pass for a whole one.
    #[must_use]
    pub fn while_connected(mut self, is_connected: impl Fn() -> bool + Send + 'static) -> Self {
        self.is_connected = Some(Box::new(is_connected));
        self
    }

    /// Waits for the next item; `None` at the end.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    ///
    /// # Errors
    /// [`RpcError`]; after one, nothing more comes.
    pub async fn next(&mut self) -> Result<Option<R>, RpcError> {
        let Some(pairs) = &mut self.pairs else {
            return Ok(None);
        };
        match pairs.next().await {
            Ok(Some(item)) => Ok(Some(item)),
            Ok(None) => {
                self.pairs = None;
                self.ended().map(|()| None)
            }
            Err(error) => {
                // What follows a value that cannot be read is of no use, but must be taken.
                self.give_up();
                Err(error)
            }
        }
    }

    fn ended(&self) -> Result<(), RpcError> {
        match &self.is_connected {
            Some(is_connected) if !is_connected() => {
                let reason = "it was lost before the list's end";
                Err(RpcError::broken(self.method, &reason))
            }
            Some(_) | None => Ok(()),
        }
    }
}

//! A streaming method that takes many arguments and answers with its end.

use std::pin::pin;

use futures_util::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use super::super::methods::Method;
use super::super::msgpack::{Encode, to_bytes};
use super::{Pairs, RpcError, Stream, head, send};

/// Arguments on their way to another peer. Dropped before [`Upload::finish`], the call is cancelled.
#[derive(Debug)]
pub struct Upload<S> {
    pairs: Pairs<ReadHalf<S>>,
    to: WriteHalf<S>,
}

impl<S: Stream> Upload<S> {
    /// Calls the method; arguments follow.
    pub(super) async fn of(stream: S, method: Method) -> Result<Self, RpcError> {
        let (from, mut to) = stream.split();
        send(&mut to, method, &head(method).into_bytes()).await?;
        Ok(Self { pairs: Pairs::new(from, method), to })
    }

    /// Sends one argument; waits while the peer cannot take more.
    ///
    /// # Cancel safety
    /// None: the argument may have been sent in part. Drop the upload as well.
    ///
    /// # Errors
    /// [`RpcError`], also when the peer gives up before it has all arguments.
    pub async fn send(&mut self, argument: &impl Encode) -> Result<(), RpcError> {
        let method = self.pairs.method();
        let bytes = to_bytes(argument);
        let mut sent = pin!(send(&mut self.to, method, &bytes));
        loop {
            tokio::select! {
                biased;
                told = self.pairs.next::<()>() => match told? {
                    // Some methods answer each argument.
                    Some(()) => {}
                    None => return Err(RpcError::unanswered(method)),
                },
                sent = &mut sent => return sent,
            }
        }
    }

    /// Says that there are no more arguments, and waits for the method to be done.
    ///
    /// # Errors
    /// [`RpcError`].
    pub async fn finish(mut self) -> Result<(), RpcError> {
        let ended = self.to.close().await;
        while self.pairs.next::<()>().await?.is_some() {}
        // The peer's own words, had there been any, say more.
        ended.map_err(|error| RpcError::broken(self.pairs.method(), &error))
    }
}

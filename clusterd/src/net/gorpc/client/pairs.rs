//! What a peer answers: pairs of a head and a value.

use futures_util::io::AsyncRead;

use super::super::heads::Answered;
use super::super::methods::Method;
use super::super::msgpack::{Decode, from_bytes};
use super::super::values::Values;
use super::RpcError;

/// Longest head of an answer in bytes: it holds the words of an error.
const ANSWER_HEAD_BYTES_MAX: usize = 64 << 10;

/// Longest value of an answer in bytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Longest report of a garbage collection in bytes: Go sends all removed blocks in one value, about
/// 43 bytes each.
const COLLECTION_BYTES_MAX: usize = 64 << 20;

/// Bytes of a list that nobody wants that are taken from its peer all the same.
const DRAINED_BYTES_MAX: usize = 512 << 20;

/// The pairs of one call.
#[derive(Debug)]
pub(super) struct Pairs<R> {
    values: Values<R>,
    method: Method,
    /// Whether a head was read, but not yet its value.
    is_between: bool,
}

impl<R: AsyncRead + Unpin> Pairs<R> {
    /// Reads what a method answers.
    pub(super) fn new(from: R, method: Method) -> Self {
        Self { values: Values::new(from), method, is_between: false }
    }

    /// Which method answers.
    pub(super) fn method(&self) -> Method {
        self.method
    }

    /// Waits for the next value; `None` where the stream ends before its head.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    ///
    /// # Errors
    /// [`RpcError`], also where the head says that the call failed.
    pub(super) async fn next<T: Decode>(&mut self) -> Result<Option<T>, RpcError> {
        if !self.is_between {
            if !self.head().await? {
                return Ok(None);
            }
            self.is_between = true;
        }
        let is_collection = self.method == Method::ClusterRepoGcLocal;
        let max = if is_collection { COLLECTION_BYTES_MAX } else { ANSWER_BYTES_MAX };
        let body = self.values.next(max).await;
        let body = body.map_err(|error| RpcError::unread(self.method, error))?;
        let body = body.ok_or_else(|| RpcError::unanswered(self.method))?;
        self.is_between = false;
        from_bytes(&body).map(Some).map_err(|error| RpcError::malformed(self.method, &error))
    }

    /// Passes over all that the peer still answers, up to a limit.
    pub(super) async fn drain(mut self) {
        // Nobody waits for it; a stream that broke is drained too.
        drop(self.values.end(DRAINED_BYTES_MAX).await);
    }

    /// Reads a head; `false` where the stream ends before.
    async fn head(&mut self) -> Result<bool, RpcError> {
        let head = self.values.next(ANSWER_HEAD_BYTES_MAX).await;
        let Some(head) = head.map_err(|error| RpcError::unread(self.method, error))? else {
            return Ok(false);
        };
        let head: Answered =
            from_bytes(&head).map_err(|error| RpcError::malformed(self.method, &error))?;
        if head.error.is_empty() { Ok(true) } else { Err(RpcError::told(self.method, head)) }
    }
}

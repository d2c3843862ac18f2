//! Calls another peer: one stream a call, opened by somebody else.
//!
//! Each call waits as long as its future is polled: put a deadline around it with [`within`]. Dropping
//! the future or an upload breaks the stream, which cancels the call at the other side. A list cannot be
//! cancelled, see [`Answers`].

mod answers;
pub mod calls;
mod error;
mod pairs;
mod upload;

use std::time::Duration;

use futures_util::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub use self::answers::Answers;
pub use self::error::RpcError;
use self::pairs::Pairs;
pub use self::upload::Upload;
use super::heads::Called;
use super::methods::Method;
use super::msgpack::{Decode, Encode, Writer};

/// A stream to another peer, on which nothing was sent yet.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

/// Waits for a call at most `limit`.
///
/// # Errors
/// Those of the call, and [`RpcError::TimedOut`].
pub async fn within<T>(
    limit: Duration,
    method: Method,
    call: impl Future<Output = Result<T, RpcError>>,
) -> Result<T, RpcError> {
    let waited = tokio::time::timeout(limit, call).await;
    waited.unwrap_or_else(|_| Err(RpcError::TimedOut { method, limit }))
}

/// Calls a unary method. Our side stays open until the answer is there: Go takes its end for a
/// cancellation.
///
/// # Errors
/// [`RpcError`].
async fn unary<S, A, R>(stream: S, method: Method, argument: &A) -> Result<R, RpcError>
where
    S: Stream,
    A: Encode,
    R: Decode,
{
    let (from, mut to) = stream.split();
    let mut request = head(method);
    request.put(argument);
    let sent = send(&mut to, method, &request.into_bytes()).await;
    let answer = match (Pairs::new(from, method).next().await, sent) {
        // A peer that refuses by the head alone need not read the rest.
        (Err(RpcError::Broken { .. }), Err(unsent)) => return Err(unsent),
        (answer, _) => answer?.ok_or_else(|| RpcError::unanswered(method))?,
    };
    // It has answered; whether it learns that we have read it does not matter.
    drop(to.close().await);
    Ok(answer)
}

/// The head of a request.
fn head(method: Method) -> Writer {
    let route = method.route();
    let mut writer = Writer::default();
    let (service, method) = (route.service.to_owned(), route.method.to_owned());
    writer.put(&Called { service, method });
    writer
}

async fn send<W>(to: &mut W, method: Method, bytes: &[u8]) -> Result<(), RpcError>
where
    W: AsyncWrite + Unpin,
{
    let sent = async {
        to.write_all(bytes).await?;
        to.flush().await
    };
    sent.await.map_err(|error| RpcError::broken(method, &error))
}

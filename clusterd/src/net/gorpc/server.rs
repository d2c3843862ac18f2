//! Serves one stream of another peer: finds the method, checks the caller, runs it, writes what comes.
//!
//! Whoever accepts streams limits how many are served at a time; each holds at most one argument being
//! read, a few that wait, and one buffer being written.

mod broken;
mod call;
mod dispatch;
mod error;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use common::ids::PeerId;
use futures_util::FutureExt;
use futures_util::io::{AsyncRead, AsyncWrite};

use self::broken::Broken;
use self::call::Call;
pub use self::error::ServeError;
use super::heads::Fault;
use super::methods::{Method, Named, Policy};
use super::peer::Peer;

/// How long a caller may take for its part. How long a method may take is its own affair.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For the head of its request.
    pub head: Duration,
    /// For the argument that a method cannot start without.
    pub argument: Duration,
    /// Between two arguments of many: somebody may be uploading slowly in front of it.
    pub next_argument: Duration,
    /// To take in bytes that we write: somebody may be reading slowly behind it.
    pub answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            argument: Duration::from_secs(30),
            next_argument: Duration::from_secs(10 * 60),
            answer: Duration::from_secs(5 * 60),
        }
    }
}

/// Serves the one call of a stream. Ends when the answer is written, the caller is gone, or after
/// `stop`, when it tells the caller so.
///
/// A caller that ends its side of a unary call before the answer is taken for gone, as in Go: over
/// yamux that looks the same as breaking the stream.
///
/// # Cancel safety
/// Dropped in the middle of a list whose caller has ended its side, yamux makes a clean end of it, and
/// the caller takes the list for whole: use `stop`, or close the connection first.
///
/// # Errors
/// [`ServeError`] for the log; the caller was told where that was possible. A method that refuses is
/// no error here.
pub async fn serve<S>(
    peer: &dyn Peer,
    caller: PeerId,
    stream: S,
    patience: Patience,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut call = Call::new(stream, patience);
    let served = {
        let whole = AssertUnwindSafe(answer(&mut call, peer, caller)).catch_unwind();
        tokio::select! {
            served = whole => served.unwrap_or(Err(Broken::Panicked)),
            () = stop => Err(Broken::Stopped),
        }
    };
    call.conclude(served).await
}

async fn answer<S>(call: &mut Call<S>, peer: &dyn Peer, caller: PeerId) -> Result<(), Broken>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (service, method) = call.head().await?;
    match Method::named(&service, &method) {
        Named::Served(served) => {
            let is_open = served.route().policy == Policy::Open;
            if is_open || peer.trusts(&caller) {
                dispatch::run(call, peer, caller, served).await
            } else {
                Err(Broken::Denied)
            }
        }
        Named::Closed => Err(Broken::Denied),
        Named::NoMethod => {
            Err(Broken::Told(Fault::Server, format!("rpc: can't find method {method}")))
        }
        Named::NoService => {
            Err(Broken::Told(Fault::Server, format!("rpc: can't find service {service}")))
        }
    }
}

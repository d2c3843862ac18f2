//! Arguments in a request's body, held in bounded memory.

use std::io;
use std::time::Duration;

use common::kubo::multipart::StdinArgs;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::{Fault, refused};
use crate::exchange::Exchange;
use crate::h1::body::BodyError;

/// Longest body that is read: some fifty thousand CIDs, which fit a call to clusterd.
const BYTES_MAX: usize = 3 << 20;
/// A body up to this is small: it waits for no other.
const SMALL_BYTES_MAX: usize = 64 << 10;
/// Larger bodies, with their arguments, that are in memory at a time.
const LARGE_MAX: usize = 4;
/// How long one waits for its turn, and then may take to arrive: slow clients must not keep others out.
const LARGE_WITHIN: Duration = Duration::from_secs(60);

static LARGE: Semaphore = Semaphore::const_new(LARGE_MAX);

/// What the body holds.
#[derive(Debug, Default)]
pub(super) struct Stdin {
    /// The arguments.
    pub(super) args: StdinArgs,
    /// Kept as long as they are.
    _turn: Option<SemaphorePermit<'static>>,
}

impl Stdin {
    /// Reads the body of a form with this boundary.
    pub(super) async fn read(exchange: &mut Exchange, boundary: &str) -> Result<Self, Fault> {
        let mut body = Vec::new();
        let is_whole = read_up_to(exchange, &mut body, SMALL_BYTES_MAX).await.map_err(unread)?;
        if is_whole {
            return Ok(Self { args: StdinArgs::read(&body, boundary), _turn: None });
        }
        let Ok(Ok(turn)) = timeout(LARGE_WITHIN, LARGE.acquire()).await else {
            return Err(refused("too many large bodies with arguments at a time; try again"));
        };
        match timeout(LARGE_WITHIN, read_up_to(exchange, &mut body, BYTES_MAX)).await {
            Ok(Ok(true)) => Ok(Self { args: StdinArgs::read(&body, boundary), _turn: Some(turn) }),
            Ok(Ok(false)) => Err(unread(BodyError::TooLong { limit: BYTES_MAX })),
            Ok(Err(error)) => Err(unread(error)),
            Err(_) => Err(refused("the body with arguments takes too long to arrive")),
        }
    }
}

/// Goes on reading until the end (`true`) or until `body` is longer than `limit`.
async fn read_up_to(
    exchange: &mut Exchange,
    body: &mut Vec<u8>,
    limit: usize,
) -> Result<bool, BodyError> {
    while body.len() <= limit {
        let Some(part) = exchange.chunk().await? else {
            return Ok(true);
        };
        body.extend_from_slice(&part);
    }
    Ok(false)
}

fn unread(error: BodyError) -> Fault {
    match error {
        BodyError::Connection(error) => Fault::Gone(error),
        BodyError::Cut => Fault::Gone(io::ErrorKind::UnexpectedEof.into()),
        BodyError::Malformed(_) | BodyError::TooLong { .. } => refused(&error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use common::api::proxy::{BODY_BYTES_MAX, PinAdd};
    use common::kubo::multipart::ARGS_MAX;
    use common::pin::{FastProvide, PinMode};

    use super::*;

    #[test]
    fn the_largest_body_fits_a_call_to_clusterd() {
        let arg = "x".repeat(BYTES_MAX / ARGS_MAX - 1);
        let call = PinAdd {
            args: vec![arg; ARGS_MAX],
            mode: PinMode::Recursive,
            name: Some("n".repeat(255)),
            accepted: false,
            timeout_ms: Some(u64::MAX),
            offline: false,
            local: false,
            if_held: false,
            fast_provide: FastProvide::default(),
            request_id: Some("f".repeat(32)),
            again: true,
            progress: true,
        };
        assert!(serde_json::to_vec(&call).unwrap().len() < BODY_BYTES_MAX);
    }
}

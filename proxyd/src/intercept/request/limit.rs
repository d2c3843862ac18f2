//! How long a request waits for others: as long as its client allows, and is there.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::exchange::Exchange;

/// Kubo's words for a time limit that is over.
pub(crate) const DEADLINE_EXCEEDED: &str = "context deadline exceeded";
/// Kubo's words where a pin was under way by then.
pub(crate) const PIN_DEADLINE_EXCEEDED: &str = "pin: context deadline exceeded";
/// clusterd keeps the limits that it is told of, and words their end better; a clusterd that hangs
/// does not.
const CLUSTERD_GRACE: Duration = Duration::from_millis(500);

/// When a wait is over, and what the client is told then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    at: Option<Instant>,
    words: &'static str,
}

/// Why a request stops.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The client is gone.
    Gone(io::Error),
    /// What the client is told.
    Words(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

impl From<String> for Stop {
    fn from(words: String) -> Self {
        Self::Words(words)
    }
}

impl Limit {
    /// A limit that is kept here alone; none without a time.
    #[must_use]
    pub(crate) fn ours(at: Option<Instant>) -> Self {
        Self { at, words: DEADLINE_EXCEEDED }
    }

    /// A limit that clusterd has been told of; `words` are Kubo's should clusterd not keep it.
    #[must_use]
    pub(crate) fn of_clusterd(at: Option<Instant>, words: &'static str) -> Self {
        Self { at: at.map(|at| at + CLUSTERD_GRACE), words }
    }

    /// Gives `work` its time.
    ///
    /// # Errors
    /// Those of `work`, or the words of the limit.
    pub(crate) async fn bound<T>(
        self,
        work: impl Future<Output = Result<T, String>>,
    ) -> Result<T, String> {
        tokio::select! {
            biased;
            done = work => done,
            words = self.over() => Err(words),
        }
    }

    /// Gives `work` its time, as long as the client is there.
    ///
    /// # Errors
    /// Those of `work`, the words of the limit, or the client is gone.
    pub(crate) async fn bound_for<T>(
        self,
        exchange: &mut Exchange,
        work: impl Future<Output = Result<T, String>>,
    ) -> Result<T, Stop> {
        tokio::select! {
            biased;
            done = work => done.map_err(Stop::Words),
            stop = self.stop(exchange) => Err(stop),
        }
    }

    /// Waits until the time is over or the client gone. Cancel-safe.
    pub(crate) async fn stop(self, exchange: &mut Exchange) -> Stop {
        tokio::select! {
            words = self.over() => Stop::Words(words),
            () = exchange.client_gone() => Stop::Gone(io::ErrorKind::BrokenPipe.into()),
        }
    }

    async fn over(self) -> String {
        match self.at {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
        self.words.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_clusterd_that_hangs_does_not_outlast_the_clients_limit() {
        let hung = std::future::pending::<Result<(), String>>();
        let now = Some(Instant::now());
        let words = Limit::of_clusterd(now, PIN_DEADLINE_EXCEEDED).bound(hung).await;
        assert_eq!(words.unwrap_err(), PIN_DEADLINE_EXCEEDED);
    }

    #[tokio::test]
    async fn what_is_done_at_once_is_done_however_short_the_limit() {
        let done = Limit::ours(Some(Instant::now())).bound(async { Ok(7) }).await;
        assert_eq!(done, Ok(7));
    }

    #[tokio::test]
    async fn clusterds_own_words_at_the_limit_come_first() {
        let now = Instant::now();
        let its_own = async {
            sleep_until(now + Duration::from_millis(20)).await;
            Err::<(), _>("get QmA: context deadline exceeded".to_owned())
        };
        let words = Limit::of_clusterd(Some(now), DEADLINE_EXCEEDED).bound(its_own).await;
        assert_eq!(words.unwrap_err(), "get QmA: context deadline exceeded");
    }
}

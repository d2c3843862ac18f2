//! Waits for a condition that nobody announces, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

use crate::error::HarnessError;

/// Between two looks. Short against everything that is waited for, long against the cost of a look.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Limit for a daemon to start, or for Kubo to answer: a loaded machine of two cores needs seconds.
pub const START_MAX: Duration = Duration::from_secs(60);

/// Looks until `look` gives something.
///
/// # Errors
/// [`HarnessError::TimedOut`] with `what` when nothing came within `limit`.
pub fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Option<T>,
) -> Result<T, HarnessError> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            return Err(HarnessError::TimedOut { what: what.to_owned(), limit });
        }
        thread::sleep(LOOK_EVERY);
    }
}

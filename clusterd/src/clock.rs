//! The time, for the node: it never goes back while the daemon runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use clusterd_core::input::Time;

/// The newest time that was told.
static TOLD: AtomicU64 = AtomicU64::new(0);

/// The time now. When the machine's clock was set back, it stands still until that is made up for.
#[must_use]
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    Time(TOLD.fetch_max(millis, Ordering::Relaxed).max(millis))
}

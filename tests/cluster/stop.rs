//! Ends the clients of a test when its body ends, also by a failed assertion.

use std::sync::atomic::{AtomicBool, Ordering};

/// Sets the flag when dropped: a scope of threads waits for all of them, and would wait for ever.
pub(super) struct StopWhenDone<'a>(pub(super) &'a AtomicBool);

impl Drop for StopWhenDone<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

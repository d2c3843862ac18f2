//! How large the costly tests are: all of them always run, and CI runs them in full size.

/// Set (to anything but an empty text) in CI: full sizes and all rounds.
pub const FULL_SIZE: &str = "COMPOSITE_SLOW";

/// Whether the costly tests run in full size.
#[must_use]
pub fn is_full() -> bool {
    std::env::var_os(FULL_SIZE).is_some_and(|value| !value.is_empty())
}

/// `full` in CI, `quick` on a developer's machine.
#[must_use]
pub fn pick<T>(quick: T, full: T) -> T {
    if is_full() { full } else { quick }
}

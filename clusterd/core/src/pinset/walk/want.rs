//! A block that is wanted, and how long it waits after failures.

use super::super::codec::BlockId;
use super::queue::Class;

/// Wait after a block below a merged one failed for the first time, in milliseconds; it doubles.
pub(super) const AGAIN_AFTER: u64 = 10_000;
/// Longest such wait.
pub(super) const AGAIN_AFTER_MAX: u64 = 3_600_000;

/// A block that is not here yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Want {
    /// Greater goes first: the height of the block that links here, or the age of the announcement.
    pub(super) rank: u64,
    /// Whether a merged block links here. Such a want is in the store and stays until it is met;
    /// an announcement is in memory alone and ends with a failure.
    pub(super) is_below: bool,
    /// Failed attempts.
    pub(super) attempts: u32,
    /// Peers that had come when the newest attempt began.
    pub(super) began: u64,
}

impl Want {
    pub(super) fn new(rank: u64, is_below: bool) -> Self {
        Self { rank, is_below, attempts: 0, began: 0 }
    }

    pub(super) fn class(&self) -> Class {
        match (self.is_below, self.attempts) {
            (false, _) => Class::Announced,
            (true, 0) => Class::Below,
            (true, _) => Class::Again,
        }
    }
}

/// Doubles up to the limit, then up to a quarter less, differently for each block.
pub(super) fn back_off(id: &BlockId, attempts: u32) -> u64 {
    let factor = 1u64.checked_shl(attempts.saturating_sub(1).min(32)).unwrap_or(u64::MAX);
    let full = AGAIN_AFTER.saturating_mul(factor).min(AGAIN_AFTER_MAX);
    let scatter = u64::from(id.digest()[0]);
    full - full / 4 * scatter / 0xff
}

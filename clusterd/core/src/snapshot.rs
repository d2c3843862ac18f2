//! What listings need of the storage: rows of pins, read beside the node and never in its way.

use std::ops::ControlFlow;

use crate::store::{Entry, Space, StoreError};

/// What the storage has of one key of the pinset.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The key, the same in both spaces.
    pub key: &'a [u8],
    /// The record of [`crate::store::Space::Pins`]; `None` when only something unsettled is left.
    pub pin: Option<&'a [u8]>,
    /// The record of [`crate::store::Space::Unsettled`]; `None` when all is as wanted.
    pub unsettled: Option<&'a [u8]>,
    /// The record of [`crate::store::Space::Spread`]; `None` when all others that shall hold the
    /// pin do.
    pub spread: Option<&'a [u8]>,
}

/// Looks at one row, and says whether to go on.
pub type Visitor<'v> = dyn FnMut(Row<'_>) -> ControlFlow<()> + 'v;

/// Reads what is durable.
pub trait Snapshot: Send + Sync {
    /// Visits the rows after a key, in the order of keys, as they were at one moment, until the
    /// visitor breaks off. Keep a visit short: housekeeping of the storage waits for its end.
    ///
    /// # Errors
    /// When the storage fails.
    fn visit(&self, after: Option<&[u8]>, visitor: &mut Visitor<'_>) -> Result<(), StoreError>;

    /// Looks at the row of one key, whether there is anything under it or not.
    ///
    /// # Errors
    /// When the storage fails.
    fn look(&self, key: &[u8], visitor: &mut dyn FnMut(Row<'_>)) -> Result<(), StoreError>;

    /// At most `limit` rows of one space after a key, in the order of keys.
    ///
    /// # Errors
    /// When the storage fails.
    fn rows(
        &self,
        space: Space,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;
}

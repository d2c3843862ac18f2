//! The number that a state's format has.

use crate::store::{Space, Store, StoreError};

/// Format of the state that this program writes and reads.
pub const FORMAT: u32 = 1;
/// Name of the fact that holds the format, 4 bytes, in every format.
const FORMAT_NAME: &[u8] = b"format";

/// Takes a state of this format, or marks a new one.
pub(super) fn check<S: Store>(store: &mut S) -> Result<(), StoreError> {
    let Some(row) = store.get(Space::Meta, FORMAT_NAME)? else {
        store.put(Space::Meta, FORMAT_NAME.to_vec(), FORMAT.to_be_bytes().to_vec());
        return Ok(());
    };
    let found = row.as_slice().try_into().map(u32::from_be_bytes);
    match found {
        Ok(FORMAT) => Ok(()),
        Ok(found) if found > FORMAT => Err(StoreError::TooNew { found, known: FORMAT }),
        Ok(_) | Err(_) => Err(StoreError::Damaged { what: "the format's number".to_owned() }),
    }
}

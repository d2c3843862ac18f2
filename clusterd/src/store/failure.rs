//! From the storage engine's errors to ours: is the volume full, is the data damaged, or what else.

use std::error::Error;
use std::io;

use clusterd_core::store::StoreError;

/// Words for an error of the engine.
pub(super) fn describe(attempt: &'static str, error: &fjall::Error) -> StoreError {
    if matches!(error, fjall::Error::JournalRecovery(_) | fjall::Error::Unrecoverable) {
        return StoreError::Damaged { what: format!("cannot {attempt}: {error}") };
    }
    match io_cause(error) {
        Some(cause) if is_full(cause) => StoreError::Full { attempt },
        Some(cause) => StoreError::Io { attempt, reason: cause.to_string() },
        None => StoreError::Io { attempt, reason: error.to_string() },
    }
}

/// Words for an error of a file of ours.
pub(super) fn describe_io(attempt: &'static str, error: &io::Error) -> StoreError {
    if is_full(error) {
        return StoreError::Full { attempt };
    }
    StoreError::Io { attempt, reason: error.to_string() }
}

fn io_cause(error: &fjall::Error) -> Option<&io::Error> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<io::Error>() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

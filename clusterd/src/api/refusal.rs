//! From what the node or the store refuses to errors of the API.

use clusterd_core::effect::Refusal;
use clusterd_core::store::StoreError;
use common::api::error::{ApiError, ErrorCode};

/// The words stay; the kind is for programs.
pub(super) fn refused(refusal: &Refusal) -> ApiError {
    let code = match refusal {
        Refusal::NotPinned => ErrorCode::NotPinned,
        Refusal::PinnedRecursively(_)
        | Refusal::AlreadyRecursive(_)
        | Refusal::FromNotRecursive
        | Refusal::ToAlreadyRecursive
        | Refusal::NotEnoughPeers { .. }
        | Refusal::PartOfShard(_) => ErrorCode::Conflict,
        Refusal::Withdrawn(_) => ErrorCode::Conflict,
        Refusal::ExpiredAlready | Refusal::RecordTooLarge { .. } => ErrorCode::BadRequest,
        Refusal::PinFailed { .. } => ErrorCode::PinFailed,
        Refusal::Follower => ErrorCode::Follower,
        Refusal::Ring { .. } => ErrorCode::Ring,
        Refusal::DeadlineExceeded => ErrorCode::DeadlineExceeded,
        Refusal::TooManyWaiters => ErrorCode::Busy,
    };
    ApiError::new(code, refusal.to_string())
}

/// A failure of the storage, as clients see it.
pub fn stored(error: &StoreError) -> ApiError {
    let code = match error {
        StoreError::Full { .. } => ErrorCode::StorageFull,
        StoreError::Io { .. } | StoreError::Damaged { .. } | StoreError::TooNew { .. } => {
            ErrorCode::Internal
        }
    };
    ApiError::new(code, error.to_string())
}

/// An answer of another kind than the question: a fault of ours.
pub(super) fn unexpected() -> ApiError {
    ApiError::new(ErrorCode::Internal, "the node gave an answer of another kind")
}

/// The request itself is wrong.
pub(super) fn bad(words: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, words)
}

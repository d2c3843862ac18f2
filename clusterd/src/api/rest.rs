//! The control verbs, in the shape of the ipfs-cluster REST API.

use common::api::error::{ApiError, ErrorCode};
use common::ids::{Cid, PeerId};

use super::refusal::bad;

pub(super) mod add;
pub(super) mod adopt;
pub(super) mod gather;
pub(super) mod graph;
pub(super) mod health;
pub(super) mod history;
pub(super) mod import;
pub(super) mod peers;
pub(super) mod pins;
pub(super) mod records;
pub(super) mod repin;
pub(super) mod state;
pub(super) mod status;
pub(super) mod tree;

/// Decoded query parameters, in their order.
type Parameters = axum::extract::Query<Vec<(String, String)>>;

fn parameter<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = query.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

fn cid(text: &str) -> Result<Cid, ApiError> {
    text.parse().map_err(|error| bad(format!("error decoding Cid: {error}")))
}

fn peer(text: &str) -> Result<PeerId, ApiError> {
    text.parse().map_err(|error| bad(format!("error decoding Peer ID: {error}")))
}

/// Go's words for a filter with a strange word in it.
fn bad_filter() -> ApiError {
    bad("invalid filter value")
}

/// Go's words for a CID that has no record.
fn not_in_pinset() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "pin is not part of the pinset")
}

//! `/composite/tree`: this cluster with all that is below it.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use common::api::tree;

use super::super::refusal::bad;
use super::super::reply::{Answered, json};
use super::super::room::Room;

pub(in super::super) async fn tree(
    State(room): State<Arc<Room>>,
    query: Result<Query<tree::Query>, QueryRejection>,
) -> Answered {
    let Query(query) = query.map_err(|error| bad(error.body_text()))?;
    json(&room.tree(&query).await?)
}

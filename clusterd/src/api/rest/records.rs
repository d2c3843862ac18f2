//! `/allocations`: records of the pinset, as Go's state export has them.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use clusterd_core::snapshot::Row;
use common::api::error::ApiError;
use common::api::pins::PinJson;
use common::pin::PinType;

use super::super::listing::{self, End};
use super::super::reply::{Answered, json};
use super::super::room::Room;
use super::{Parameters, bad_filter, cid, not_in_pinset, parameter};

pub(in super::super) async fn allocations(
    State(room): State<Arc<Room>>,
    Query(query): Parameters,
) -> Answered {
    let kinds = kinds(parameter(&query, "filter"))?;
    let write = move |row: Row<'_>, lines: &mut Vec<u8>| {
        let Some(pin) = listing::record(row)? else { return Ok(()) };
        if kinds.contains(&pin.kind) {
            serde_json::to_writer(&mut *lines, &PinJson::from(pin))
                .map_err(|_| listing::damaged())?;
            lines.push(b'\n');
        }
        Ok(())
    };
    listing::list(&room.snapshot, None, write, End::Plain).await
}

pub(in super::super) async fn allocation(
    State(room): State<Arc<Room>>,
    Path(text): Path<String>,
) -> Answered {
    let record = room.record(&cid(&text)?).await?;
    json(&PinJson::from(record.ok_or_else(not_in_pinset)?))
}

/// Reads a comma list of types; none, or `all`, lets every type through.
fn kinds(filter: Option<&str>) -> Result<Vec<PinType>, ApiError> {
    const ALL: [PinType; 4] = [PinType::Data, PinType::Meta, PinType::ClusterDag, PinType::Shard];
    let mut kinds = Vec::new();
    for word in filter.unwrap_or("all").split(',').map(str::trim) {
        match word {
            "all" => kinds.extend(ALL),
            "pin" => kinds.push(PinType::Data),
            "meta-pin" => kinds.push(PinType::Meta),
            "clusterdag-pin" => kinds.push(PinType::ClusterDag),
            "shard-pin" => kinds.push(PinType::Shard),
            _ => return Err(bad_filter()),
        }
    }
    Ok(kinds)
}

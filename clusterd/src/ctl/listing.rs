//! `clusterdctl pin ls`: records of the pinset.

use common::api;
use common::api::client::{Call, ClientError};
use common::api::pins::PinJson;
use common::pin::PinType;

use super::connection::Connection;
use super::failure::{Failure, code};
use super::pin_args::PinLsArgs;
use super::pins::each;
use super::render::{Output, Rows, or_dash, time};

pub(super) async fn list(
    connection: &Connection,
    args: &PinLsArgs,
    out: &mut Output,
) -> Result<u8, Failure> {
    let header = &["CID", "NAME", "TYPE", "REPLICATION", "ALLOCATIONS", "WRITTEN", "EXPIRES"];
    let mut rows = Rows::new(header);
    if !args.cids.is_empty() {
        let call = |cid: &str| Ok(Call::new(api::ALLOCATION, &[cid]));
        let (records, code) = each(connection, &args.cids, out, call).await?;
        for record in records {
            if out.json() { out.object(&record)? } else { rows.add(out, row(&record))? }
        }
        rows.end(out)?;
        return Ok(code);
    }
    let call = Call::new(api::ALLOCATIONS, &[]).query([("filter", args.filter.as_str())]);
    let mut lines = connection.lines(&call).await?;
    while let Some(line) = connection.within(lines.next()).await? {
        if out.json() {
            out.line(&line)?;
            continue;
        }
        let record = serde_json::from_slice(&line)
            .map_err(|e| ClientError::Unintelligible { reason: e.to_string() })?;
        rows.add(out, row(&record))?;
    }
    rows.end(out)?;
    Ok(code::OK)
}

fn row(record: &PinJson) -> [String; 7] {
    let kind = match record.kind {
        PinType::Data => record.mode.as_str(),
        PinType::Meta => "meta",
        PinType::ClusterDag => "clusterdag",
        PinType::Shard => "shard",
    };
    let replication = match (record.replication_factor_min, record.replication_factor_max) {
        (-1, -1) => "everywhere".to_owned(),
        (min, max) if min == max => min.to_string(),
        (min, max) => format!("{min}-{max}"),
    };
    [
        record.cid.map(|cid| cid.to_string()).unwrap_or_default(),
        or_dash(&record.name),
        kind.to_owned(),
        replication,
        match record.allocations.len() {
            0 => "-".to_owned(),
            1 => "1 peer".to_owned(),
            peers => format!("{peers} peers"),
        },
        time(record.timestamp),
        time(record.expire_at),
    ]
}

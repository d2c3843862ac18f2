//! `clusterdctl metrics`: what the members told lately.

use std::collections::BTreeMap;

use common::api;
use common::api::client::Call;
use common::api::health::{Health, MetricJson};
use common::api::time::WireTime;

use super::connection::Connection;
use super::failure::{Failure, code};
use super::health_args::MetricsArgs;
use super::render::{Output, Rows, or_dash, printable, say, time};

pub(super) async fn metrics(
    connection: &Connection,
    args: &MetricsArgs,
    out: &mut Output,
) -> Result<u8, Failure> {
    let Some(name) = args.name.as_deref() else {
        let names: Vec<String> = connection.ask(&Call::new(api::METRIC_NAMES, &[])).await?;
        for name in names {
            if out.json() { out.object(&name)? } else { out.line(printable(&name))? }
        }
        return Ok(code::OK);
    };
    let metrics: Vec<MetricJson> = connection.ask(&Call::new(api::METRICS, &[name])).await?;
    if out.json() {
        metrics.iter().try_for_each(|metric| out.object(metric))?;
        return Ok(code::OK);
    }
    if metrics.is_empty() {
        say("no member tells it now; `clusterdctl metrics` lists the names");
    }
    let health: Health = connection.ask(&Call::new(api::PEERS_HEALTH, &[])).await?;
    let names: BTreeMap<_, _> =
        health.peers.into_iter().map(|peer| (peer.peer, peer.peername)).collect();
    let mut rows = Rows::new(&["NAME", "PEER", "VALUE", "WEIGHT", "RECEIVED", "RUNS OUT"]);
    for metric in metrics {
        rows.add(
            out,
            [
                names.get(&metric.peer).cloned().unwrap_or_else(|| metric.peer.to_string()),
                metric.peer.to_string(),
                or_dash(&metric.value),
                metric.weight.to_string(),
                time(at(metric.received_at)),
                time(at(metric.expire)),
            ],
        )?;
    }
    rows.end(out)?;
    Ok(code::OK)
}

/// From nanoseconds since 1970.
fn at(nanos: i64) -> WireTime {
    WireTime::from_millis(u64::try_from(nanos / 1_000_000).unwrap_or(0))
}

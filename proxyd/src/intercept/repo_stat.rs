//! `repo/stat`: the repositories of all connected Kubo daemons, summed, with the space for content that
//! is left in them together.

use std::io;
use std::time::Duration;

use common::api::proxy::RepoStat;
use common::kubo::value::{Encoding, Record, Value, field};
use tokio::time::Instant;

use super::Context;
use super::request::Request;
use super::request::limit::{Limit, Stop};
use crate::reply::Answer;

/// The peers get this much, however little the client gives.
const COUNTED_WITHIN: Duration = Duration::from_secs(2);

/// Answers the request. Peers that did not answer are named in `X-Cluster-Missing`.
///
/// # Errors
/// The client is gone.
pub(crate) async fn serve(
    request: &Request,
    mut answer: Answer<'_>,
    context: &Context,
) -> io::Result<()> {
    let size_only = request.options.is_set("size-only");
    let human = request.options.is_set("human");
    let asked = context.cluster.repo_stat(size_only);
    // Kubo counts what it can however short the time is, and never fails for want of it.
    let limit = Limit::ours(request.deadline.map(|at| at.max(Instant::now() + COUNTED_WITHIN)));
    match limit.bound_for(answer.exchange, asked).await {
        Ok(stat) => {
            if !stat.missing.is_empty() {
                answer.add_field("X-Cluster-Missing", stat.missing.join(", "));
            }
            let object = match answer.encoding {
                Encoding::Text => text(&stat, size_only, human).into_bytes(),
                Encoding::Json | Encoding::Xml | Encoding::TextLines | Encoding::Octets => {
                    object(&stat, answer.encoding)
                }
            };
            answer.single(&object).await
        }
        Err(Stop::Gone(error)) => Err(error),
        Err(Stop::Words(words)) => answer.fail(&words).await,
    }
}

fn object(stat: &RepoStat, encoding: Encoding) -> Vec<u8> {
    let number = |name, value| field(name, Value::Number(value, "uint64"));
    let sizes = vec![number("RepoSize", stat.repo_size), number("StorageMax", stat.storage_max)];
    let record = Record {
        name: "Stat",
        fields: vec![
            field("SizeStat", Value::Embedded(sizes)),
            number("NumObjects", stat.num_objects),
            field("RepoPath", Value::Text(stat.repo_path.clone())),
            field("Version", Value::Text(stat.version.clone())),
        ],
    };
    let mut out = Vec::new();
    record.render(encoding, &mut out);
    out
}

/// Kubo's table: names and values in two columns.
fn text(stat: &RepoStat, size_only: bool, human: bool) -> String {
    let size = |bytes: u64| {
        if human { humanize(bytes) } else { bytes.to_string() }
    };
    let mut rows =
        vec![("RepoSize:", size(stat.repo_size)), ("StorageMax:", size(stat.storage_max))];
    if !size_only {
        rows.insert(0, ("NumObjects:", stat.num_objects.to_string()));
        rows.push(("RepoPath:", stat.repo_path.clone()));
        rows.push(("Version:", stat.version.clone()));
    }
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    rows.iter().map(|(name, value)| format!("{name:width$} {value}\n")).collect()
}

/// A size for people. Source: `humanize.Bytes` of Go: powers of 1000, one decimal below 10.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "three digits are shown"
)]
fn humanize(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 10 {
        return format!("{bytes} B");
    }
    let exponent = ((bytes as f64).ln() / 1000f64.ln()).floor();
    let value = (bytes as f64 / 1000f64.powf(exponent) * 10.0 + 0.5).floor() / 10.0;
    let unit = UNITS[(exponent as i32).clamp(0, 6).unsigned_abs() as usize];
    if value < 10.0 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people_are_gos() {
        for (bytes, shown) in [
            (0, "0 B"),
            (9, "9 B"),
            (10, "10 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (45_414, "45 kB"),
            (9_950_000, "10 MB"),
            (10_000_000_000, "10 GB"),
            (u64::MAX, "18 EB"),
        ] {
            assert_eq!(humanize(bytes), shown);
        }
    }

    #[test]
    fn the_table_has_its_values_in_one_column() {
        let stat = RepoStat { repo_size: 5, storage_max: 9, ..RepoStat::default() };
        assert_eq!(text(&stat, true, false), "RepoSize:   5\nStorageMax: 9\n");
        assert!(text(&stat, false, false).starts_with("NumObjects: 0\nRepoSize:   5\n"));
    }
}

//! Kubo's identity, its repository, and its garbage collection.

use std::time::Duration;

use common::ids::Cid;
use serde::Deserialize;
use tokio::time::timeout;

use super::client::Client;
use super::error::ConnectorError;
use super::lines::Lines;

/// Counting the objects of a large repository takes Kubo minutes.
const COUNT_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// Wait for the next block of a collection; Kubo marks all that is live before the first.
const COLLECT_TIMEOUT: Duration = Duration::from_secs(3600);

/// Who Kubo is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KuboId {
    /// Its peer id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its addresses, with peer id.
    #[serde(rename = "Addresses", default)]
    pub addresses: Option<Vec<String>>,
}

/// Kubo's repository. `NumObjects`, path and version are empty when only the size was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RepoStat {
    /// Bytes used.
    pub repo_size: u64,
    /// Bytes allowed; `u64::MAX` for no limit.
    pub storage_max: u64,
    /// Blocks.
    #[serde(default)]
    pub num_objects: u64,
    /// Directory.
    #[serde(default)]
    pub repo_path: String,
    /// Format, such as `fs-repo@18`.
    #[serde(default)]
    pub version: String,
}

/// One step of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Collected {
    /// A block was removed: its raw version-1 CID.
    Removed(Cid),
    /// A block could not be removed; Kubo's words.
    Failed(String),
}

#[derive(Deserialize)]
struct GcLine {
    #[serde(rename = "Key")]
    key: Option<GcKey>,
    #[serde(rename = "Error", default)]
    error: String,
}

#[derive(Deserialize)]
struct GcKey {
    #[serde(rename = "/")]
    cid: Cid,
}

/// Who Kubo is; also its sign of life.
///
/// # Errors
/// [`ConnectorError`].
pub async fn id(client: &Client, limit: Duration) -> Result<KuboId, ConnectorError> {
    client.call_within(limit, "say its id", "id", &[]).await
}

/// The repository's figures.
///
/// # Errors
/// [`ConnectorError`].
pub async fn stat(client: &Client, size_only: bool) -> Result<RepoStat, ConnectorError> {
    let attempt = "measure its repository";
    if size_only {
        return client.call(attempt, "repo/stat", &[("size-only", "true")]).await;
    }
    client.call_within(COUNT_TIMEOUT, attempt, "repo/stat", &[]).await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DagSizes {
    dag_stats: Vec<DagSize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DagSize {
    size: u64,
    num_blocks: u64,
}

/// Kubo's words for a DAG of zero bytes.
const NO_SIZE: &str = "unsupported value: NaN";

/// Nodes and bytes of a DAG, counted as a pin counts them. Nothing is fetched.
///
/// # Errors
/// [`ConnectorError`], also when a block is missing.
pub async fn dag_size(
    client: &Client,
    cid: &Cid,
    limit: Duration,
) -> Result<(u64, u64), ConnectorError> {
    let attempt = "measure a DAG";
    let cid = cid.to_string();
    let query = [("arg", cid.as_str()), ("progress", "false"), ("offline", "true")];
    // It streams, and a failure is a trailer.
    let counted = async {
        let mut lines = client.stream(attempt, "dag/stat", &query).await?;
        lines.next::<DagSizes>().await
    };
    let counted = timeout(limit, counted).await.map_err(|_| client.stalled(attempt, limit))?;
    let sizes = match counted {
        // Kubo divides by the size: of all DAGs only a lone empty block has none.
        Err(ConnectorError::Refused { message, .. }) if message.ends_with(NO_SIZE) => {
            return Ok((1, 0));
        }
        counted => counted?,
    };
    let first = sizes.as_ref().and_then(|sizes| sizes.dag_stats.first());
    let size = first.map(|dag| (dag.num_blocks, dag.size));
    let reason = "it names no DAG".to_owned();
    size.ok_or(ConnectorError::Unintelligible { attempt, reason })
}

#[derive(Deserialize)]
struct System {
    diskinfo: Disk,
}

/// The volume of the repository. `total_space` is what a user may take, as `statfs` has it, and not the
/// volume's size. Source: `diag/sys` of Kubo 0.42, compared with `df`.
#[derive(Deserialize)]
struct Disk {
    free_space: u64,
    total_space: u64,
}

/// Bytes that may still be added: what Kubo's own limit leaves, or what the volume has beyond `reserve`,
/// whichever is less.
///
/// # Errors
/// [`ConnectorError`]. A Kubo that does not tell of its volume is no error: its limit alone counts.
pub async fn free_space(client: &Client, reserve: u64) -> Result<u64, ConnectorError> {
    let stat = stat(client, true).await?;
    let allowed = stat.storage_max.saturating_sub(stat.repo_size);
    match client.call::<System>("tell of its volume", "diag/sys", &[]).await {
        Ok(System { diskinfo }) => {
            let free = diskinfo.free_space.min(diskinfo.total_space);
            Ok(allowed.min(free.saturating_sub(reserve)))
        }
        Err(ConnectorError::Refused { .. } | ConnectorError::Unintelligible { .. }) => Ok(allowed),
        Err(error) => Err(error),
    }
}

/// Kubo's last words when lines before told of errors: no further error.
const ERRORS_TOLD: &str = "encountered errors during gc run";

/// A running collection.
pub struct Collection {
    client: Client,
    lines: Lines,
}

impl Collection {
    /// Starts a collection. Kubo itself lets only one run at a time.
    ///
    /// # Errors
    /// [`ConnectorError`].
    pub async fn start(client: &Client) -> Result<Self, ConnectorError> {
        let opened = client.stream("collect garbage", "repo/gc", &[("stream-errors", "true")]);
        let lines = timeout(COLLECT_TIMEOUT, opened)
            .await
            .map_err(|_| client.stalled("collect garbage", COLLECT_TIMEOUT))??;
        Ok(Self { client: client.clone(), lines })
    }

    /// The next step; `None` at the end. Cancel-safe.
    ///
    /// # Errors
    /// [`ConnectorError`].
    pub async fn next(&mut self) -> Result<Option<Collected>, ConnectorError> {
        let line = timeout(COLLECT_TIMEOUT, self.lines.next::<GcLine>()).await;
        let line =
            match line.map_err(|_| self.client.stalled("collect garbage", COLLECT_TIMEOUT))? {
                Err(ConnectorError::Refused { message, .. }) if message == ERRORS_TOLD => None,
                line => line?,
            };
        Ok(line.map(|line| match line.key {
            Some(key) => Collected::Removed(key.cid),
            None => Collected::Failed(line.error),
        }))
    }
}

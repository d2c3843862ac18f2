//! What stands behind the address of the IPFS daemon: Kubo, or a cluster with its proxy.

use std::time::Duration;

use common::api::tree::{self, Daemon, Query, Tree};

use super::client::{Client, Served};
use super::error::ConnectorError;
use super::repo;

/// How Go's proxy signs its answers, also those of the Kubo behind it. Source: `contract.md` 3.
const GO_PROXY: &str = "ipfs-cluster/";

/// Asks the daemon what it is. A cluster tells what is below it, too.
///
/// # Errors
/// [`ConnectorError`].
pub async fn look(
    client: &Client,
    query: &Query,
    limit: Duration,
) -> Result<Daemon, ConnectorError> {
    let pairs = query.pairs();
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, &**value)).collect();
    let attempt = "say which cluster it is";
    match client.call_where_served::<Tree>(limit, attempt, tree::PATH, &pairs).await? {
        Served::Answer(tree) => Ok(Daemon::Cluster { tree: Box::new(tree) }),
        Served::Unknown { server } => {
            let id = repo::id(client, limit).await?.id;
            Ok(match server.starts_with(GO_PROXY) {
                true => Daemon::GoCluster { id },
                false => Daemon::Kubo { id },
            })
        }
    }
}

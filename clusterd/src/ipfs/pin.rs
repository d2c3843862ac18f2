//! Pinning and unpinning at Kubo: asks first what it holds, and gives up when nothing moves.

use std::future::Future;
use std::time::Duration;

use common::ids::{Cid, PinName};
use common::pin::{FastProvide, PinMode};
use multiaddr::Multiaddr;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::time::{Instant, timeout, timeout_at};

use super::client::Client;
use super::error::ConnectorError;
use super::held::{held_name, is_held};

/// What Kubo says, and Go peers and we compare, when there is nothing to unpin.
const NOT_PINNED: &str = "not pinned or pinned indirectly";

/// The same from a Go ipfs-cluster in place of Kubo. Source: `contract.md` 3.2.
const NOT_IN_GOS_PINSET: &str = "pin is not part of the pinset";

/// Nodes of an origin list that are connected to, as in Go.
const ORIGINS_MAX: usize = 10;

/// One pin to be made.
#[derive(Debug, Clone)]
pub struct PinOrder {
    /// What.
    pub cid: Cid,
    /// How much of it.
    pub mode: PinMode,
    /// `max-depth` where the record limits it.
    pub levels: Option<u32>,
    /// The name; empty for none.
    pub name: String,
    /// A pin whose blocks are shared.
    pub update_from: Option<Cid>,
    /// Nodes that have the content.
    pub origins: Vec<Multiaddr>,
    /// How to tell the network of it.
    pub provide: FastProvide,
}

#[derive(Deserialize)]
struct Progress {
    #[serde(rename = "Progress", default)]
    nodes: u64,
    #[serde(rename = "Bytes", default)]
    bytes: u64,
    #[serde(rename = "Pins")]
    pins: Option<IgnoredAny>,
}

/// Makes one pin, and returns when Kubo holds it with its name. `progress` is told nodes and bytes
/// fetched so far. Dropping the future closes the connection, which makes Kubo give up.
///
/// # Errors
/// [`ConnectorError::Stalled`] when nothing was fetched for `limit`, else what Kubo said.
pub async fn pin<F: Future<Output = ()>>(
    client: &Client,
    order: &PinOrder,
    limit: Duration,
    progress: impl FnMut(u64, u64) -> F,
) -> Result<(), ConnectorError> {
    let name = kubo_name(&order.name);
    if held_name(client, &order.cid, order.mode, limit).await?.as_deref() == Some(name) {
        return Ok(());
    }
    connect_origins(client, &order.origins);
    if let Some(from) = order.update_from.filter(|_| order.mode == PinMode::Recursive)
        && update(client, &from, order, limit).await
        && held_name(client, &order.cid, order.mode, limit).await?.as_deref() == Some(name)
    {
        return Ok(());
    }
    add(client, order, name, limit, progress).await
}

async fn add<F: Future<Output = ()>>(
    client: &Client,
    order: &PinOrder,
    name: &str,
    limit: Duration,
    mut progress: impl FnMut(u64, u64) -> F,
) -> Result<(), ConnectorError> {
    let attempt = "pin";
    let cid = order.cid.to_string();
    let levels = order.levels.map(|levels| levels.to_string());
    let recursive = if order.mode == PinMode::Recursive { "true" } else { "false" };
    let mut query = vec![("arg", cid.as_str()), ("recursive", recursive), ("progress", "true")];
    if !name.is_empty() {
        query.push(("name", name));
    }
    if let Some(levels) = &levels {
        query.push(("max-depth", levels));
    }
    query.extend(provide_query(order.provide));
    let mut moved = (0, 0);
    let mut give_up = Instant::now() + limit;
    let stalled = |_| client.stalled("fetch anything for a pin", limit);
    let opened = timeout_at(give_up, client.stream(attempt, "pin/add", &query)).await;
    let mut lines = match opened.map_err(stalled)? {
        // More is held than asked for: somebody else pinned it recursively.
        Err(ConnectorError::Refused { message, .. })
            if message.ends_with("already pinned recursively") =>
        {
            return Ok(());
        }
        opened => opened?,
    };
    loop {
        let line: Option<Progress> = timeout_at(give_up, lines.next()).await.map_err(stalled)??;
        let Some(line) = line else {
            let reason = "it ended without saying that it is pinned".to_owned();
            return Err(ConnectorError::Unintelligible { attempt, reason });
        };
        if line.pins.is_some() {
            return Ok(());
        }
        if (line.nodes, line.bytes) > moved {
            moved = (line.nodes, line.bytes);
            give_up = Instant::now() + limit;
            progress(moved.0, moved.1).await;
        }
    }
}

/// Removes one pin; that it is not there counts as done.
///
/// # Errors
/// [`ConnectorError`].
pub async fn unpin(client: &Client, cid: &Cid, limit: Duration) -> Result<(), ConnectorError> {
    let cid = cid.to_string();
    let removed: Result<IgnoredAny, _> =
        client.call_within(limit, "unpin", "pin/rm", &[("arg", &cid)]).await;
    match removed {
        Err(ConnectorError::Refused { message, .. })
            if message == NOT_PINNED || message.ends_with(NOT_IN_GOS_PINSET) =>
        {
            Ok(())
        }
        removed => removed.map(|_| ()),
    }
}

/// Lets Kubo walk only what differs from a pin that it holds; `false` when it cannot.
async fn update(client: &Client, from: &Cid, order: &PinOrder, limit: Duration) -> bool {
    let (from, to) = (from.to_string(), order.cid.to_string());
    let query = [("arg", from.as_str()), ("arg", to.as_str()), ("unpin", "false")];
    let updated =
        client.call_within::<IgnoredAny>(limit, "update a pin", "pin/update", &query).await;
    updated.is_ok()
}

/// Connects to nodes that are said to have the content, beside the pin and without waiting.
fn connect_origins(client: &Client, origins: &[Multiaddr]) {
    for origin in origins.iter().take(ORIGINS_MAX).map(ToString::to_string) {
        let client = client.clone();
        tokio::spawn(async move {
            let connected: Result<IgnoredAny, _> =
                client.call("connect to an origin", "swarm/connect", &[("arg", &origin)]).await;
            if let Err(error) = connected {
                tracing::debug!(address = %origin, %error, "cannot connect to an origin");
            }
        });
    }
}

/// The options that were given; the others are Kubo's to choose.
fn provide_query<'q>(provide: FastProvide) -> impl Iterator<Item = (&'q str, &'q str)> {
    let options = [
        ("fast-provide-root", provide.root),
        ("fast-provide-dag", provide.dag),
        ("fast-provide-wait", provide.wait),
    ];
    let words = |is: bool| if is { "true" } else { "false" };
    options.into_iter().filter_map(move |(name, is)| Some((name, words(is?))))
}

/// Names from Go peers may be longer than Kubo takes; they are cut at a character.
fn kubo_name(name: &str) -> &str {
    let mut end = name.len().min(PinName::BYTES_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

/// Pins without fetching anything, for `offline=true`; `held` tells whether the pin was there before.
///
/// # Errors
/// Kubo's words when a block is missing.
pub async fn pin_offline(
    client: &Client,
    cid: &Cid,
    mode: PinMode,
    limit: Duration,
) -> Result<bool, ConnectorError> {
    if is_held(client, cid, mode, limit).await? {
        return Ok(true);
    }
    let cid = cid.to_string();
    let recursive = if mode == PinMode::Recursive { "true" } else { "false" };
    let query = [("arg", cid.as_str()), ("recursive", recursive), ("offline", "true")];
    let added = client.call_within::<IgnoredAny>(limit, "pin offline", "pin/add", &query);
    match timeout(limit, added).await {
        Ok(added) => added.map(|_| false),
        Err(_) => Err(client.stalled("pin offline", limit)),
    }
}

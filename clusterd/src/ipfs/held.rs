//! What Kubo says that it holds.

use std::time::Duration;

use common::ids::Cid;
use common::pin::PinMode;
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use super::client::Client;
use super::error::ConnectorError;

#[derive(Deserialize)]
struct Held {
    #[serde(rename = "Keys", default)]
    keys: std::collections::BTreeMap<String, HeldKey>,
}

#[derive(Deserialize)]
struct HeldKey {
    #[serde(rename = "Name", default)]
    name: String,
}

/// The name under which Kubo holds a pin of this mode; `None` when it does not.
pub(super) async fn held_name(
    client: &Client,
    cid: &Cid,
    mode: PinMode,
    limit: Duration,
) -> Result<Option<String>, ConnectorError> {
    let cid = cid.to_string();
    let query = [("arg", cid.as_str()), ("type", mode.as_str()), ("names", "true")];
    match client.call_within::<Held>(limit, "look a pin up", "pin/ls", &query).await {
        Ok(held) => Ok(held.keys.into_values().next().map(|key| key.name)),
        Err(ConnectorError::Refused { message, .. }) if message.ends_with("not pinned") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether Kubo holds this pin.
///
/// # Errors
/// [`ConnectorError`].
pub async fn is_held(
    client: &Client,
    cid: &Cid,
    mode: PinMode,
    limit: Duration,
) -> Result<bool, ConnectorError> {
    Ok(held_name(client, cid, mode, limit).await?.is_some())
}

/// How often a cluster is asked whether it holds what it has taken.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Waits until the daemon holds a pin that it has taken: the proxy of a cluster may be set to answer before.
///
/// # Errors
/// [`ConnectorError::Stalled`] when it does not within `limit`, else what it said.
pub async fn await_held(
    client: &Client,
    (cid, mode): (&Cid, PinMode),
    limit: Duration,
) -> Result<(), ConnectorError> {
    let looked = async {
        loop {
            // A recursive pin holds what a direct one would.
            if is_held(client, cid, mode, limit).await?
                || (mode == PinMode::Direct
                    && is_held(client, cid, PinMode::Recursive, limit).await?)
            {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
    };
    let attempt = "hold a pin that it has taken";
    timeout(limit, looked).await.unwrap_or_else(|_| Err(client.stalled(attempt, limit)))
}

#[derive(Deserialize)]
struct Kinds {
    #[serde(rename = "Keys", default)]
    keys: std::collections::BTreeMap<String, Kind>,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "Type")]
    kind: String,
}

/// Under which pin Kubo reaches a CID, as `indirect through <cid>`; `None` when under none.
///
/// # Errors
/// [`ConnectorError`].
pub async fn indirect(
    client: &Client,
    cid: &Cid,
    limit: Duration,
) -> Result<Option<String>, ConnectorError> {
    let cid = cid.to_string();
    let query = [("arg", cid.as_str()), ("type", "indirect")];
    match client.call_within::<Kinds>(limit, "look a pin up", "pin/ls", &query).await {
        Ok(found) => Ok(found.keys.into_values().next().map(|key| key.kind)),
        Err(ConnectorError::Refused { message, .. }) if message.ends_with("not pinned") => Ok(None),
        Err(error) => Err(error),
    }
}

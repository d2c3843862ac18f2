//! Options of a pin as query parameters, in the names of the ipfs-cluster REST API.

use std::collections::BTreeMap;

use multiaddr::{Multiaddr, Protocol};

use crate::api::error::{ApiError, ErrorCode};
use crate::api::time::WireTime;
use crate::go_duration;
use crate::ids::{Cid, PeerId};
use crate::pin::{PinMode, Replication};

/// What may be asked for with a pin. Source: `api.PinOptions` of Go ipfs-cluster 1.1.6; unlike
/// Go, a value that cannot be read is refused and never ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PinOptions {
    /// `None` for the cluster's default.
    pub replication: Option<Replication>,
    /// Empty for none.
    pub name: String,
    /// How much of the DAG.
    pub mode: PinMode,
    /// Peers to prefer.
    pub user_allocations: Vec<PeerId>,
    /// Second since 1970 after which the pin goes away by itself.
    pub expires_at: Option<u64>,
    /// Free key-value pairs (`meta-KEY=VALUE`).
    pub metadata: BTreeMap<String, String>,
    /// The pin to take over from.
    pub update_from: Option<Cid>,
    /// Nodes that have the content; each address ends in `/p2p/…`.
    pub origins: Vec<Multiaddr>,
}

/// Prefix of the parameters that carry metadata.
const META: &str = "meta-";

impl PinOptions {
    /// Reads decoded parameters; of a repeated one the first counts, as in Go. Parameters that no
    /// pin has are left to the caller. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// [`ErrorCode::BadRequest`] that names the parameter, in Go's words where Go has some.
    pub fn from_query(query: &[(String, String)], now: u64) -> Result<Self, ApiError> {
        let get = |name: &str| {
            let found = query.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
        };
        let mut metadata = BTreeMap::new();
        for (key, value) in query {
            if let Some(key) = key.strip_prefix(META).filter(|key| !key.is_empty()) {
                metadata.entry(key.to_owned()).or_insert_with(|| value.clone());
            }
        }
        Ok(Self {
            replication: replication(&get)?,
            name: get("name").unwrap_or_default().to_owned(),
            mode: match get("mode") {
                None | Some("recursive") => PinMode::Recursive,
                Some("direct") => PinMode::Direct,
                Some(other) => {
                    return Err(bad(format!("mode {other:?} is neither recursive nor direct")));
                }
            },
            user_allocations: list(get("user-allocations"), |peer: &str| {
                peer.parse().map_err(|e| bad(format!("parameter user-allocations: {e}: {peer:?}")))
            })?,
            expires_at: expiry(get("expire-at"), get("expire-in"), now)?,
            metadata,
            update_from: match get("pin-update") {
                None => None,
                Some(text) => Some(
                    text.parse()
                        .map_err(|e| bad(format!("error decoding update option parameter: {e}")))?,
                ),
            },
            origins: list(get("origins"), origin)?,
        })
    }

    /// Writes the parameters, not encoded yet.
    #[must_use]
    pub fn to_query(&self) -> Vec<(String, String)> {
        let (min, max) = self.replication.map_or((0, 0), Replication::factors);
        let mut pairs = vec![
            ("replication-min".to_owned(), min.to_string()),
            ("replication-max".to_owned(), max.to_string()),
            ("name".to_owned(), self.name.clone()),
            ("mode".to_owned(), self.mode.as_str().to_owned()),
        ];
        let mut add = |name: &str, value: String| {
            if !value.is_empty() {
                pairs.push((name.to_owned(), value));
            }
        };
        add("user-allocations", comma_list(&self.user_allocations));
        let expiry = self.expires_at.map(WireTime::from_seconds);
        add("expire-at", expiry.map(|time| time.to_string()).unwrap_or_default());
        let from = self.update_from.map(|cid| cid.to_string());
        add("pin-update", from.unwrap_or_default());
        add("origins", comma_list(&self.origins));
        for (key, value) in &self.metadata {
            pairs.push((format!("{META}{key}"), value.clone()));
        }
        pairs
    }
}

fn bad(message: String) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, message)
}

fn replication<'a>(
    get: &impl Fn(&str) -> Option<&'a str>,
) -> Result<Option<Replication>, ApiError> {
    let factor = |name: &str| {
        let text = get("replication").or_else(|| get(name));
        text.map_or(Ok(0), |text| {
            text.parse::<i32>().map_err(|_| bad(format!("parameter {name} invalid")))
        })
    };
    Replication::from_factors(factor("replication-min")?, factor("replication-max")?)
        .map_err(|e| bad(e.to_string()))
}

fn expiry(at: Option<&str>, within: Option<&str>, now: u64) -> Result<Option<u64>, ApiError> {
    if let Some(at) = at {
        let time =
            WireTime::parse(at).map_err(|e| bad(format!("expire-at cannot be parsed: {e}")))?;
        // A time before 1970 becomes the first second, which is over as well.
        return Ok(time.seconds().map(|seconds| u64::try_from(seconds).unwrap_or(0).max(1)));
    }
    let Some(within) = within else {
        return Ok(None);
    };
    let nanos =
        go_duration::parse(within).map_err(|e| bad(format!("expire-in cannot be parsed: {e}")))?;
    match u64::try_from(nanos).map(|nanos| nanos / 1_000_000_000) {
        Ok(seconds) if seconds >= 1 => Ok(Some(now.saturating_add(seconds))),
        _ => Err(bad("expire-in duration too short".to_owned())),
    }
}

fn origin(text: &str) -> Result<Multiaddr, ApiError> {
    let address: Multiaddr =
        text.parse().map_err(|e| bad(format!("error decoding multiaddress {text:?}: {e}")))?;
    if !address.iter().any(|part| matches!(part, Protocol::P2p(_))) {
        return Err(bad(format!("multiaddress does not contain peer ID: {text}")));
    }
    Ok(address)
}

fn list<T>(
    text: Option<&str>,
    parse: impl Fn(&str) -> Result<T, ApiError>,
) -> Result<Vec<T>, ApiError> {
    text.map_or(Ok(Vec::new()), |text| text.split(',').map(|item| parse(item.trim())).collect())
}

fn comma_list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests;

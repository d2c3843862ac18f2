//! From what a client wrote to a CID. What needs a look into blocks or names is asked of Kubo, as
//! its words for every mistake are those that clients know.

use std::time::Duration;

use common::ids::Cid;
use serde::Deserialize;

use super::client::Client;
use super::error::ConnectorError;

#[derive(Deserialize)]
struct Resolved {
    #[serde(rename = "Cid")]
    cid: Link,
}

#[derive(Deserialize)]
struct Link {
    #[serde(rename = "/")]
    cid: Cid,
}

/// The CID of an argument that needs no look-up: a bare one, or `/ipfs/<cid>`, with slashes behind.
pub fn plain(argument: &str) -> Option<Cid> {
    let bare = argument.strip_prefix("/ipfs/").unwrap_or(argument);
    bare.trim_end_matches('/').parse().ok()
}

/// The CID that an argument leads to: a CID, or a path below one, or a name.
///
/// # Errors
/// [`ConnectorError::Refused`] with Kubo's words; [`ConnectorError::Stalled`] after `limit`.
pub async fn resolve(
    client: &Client,
    argument: &str,
    offline: bool,
    limit: Duration,
) -> Result<Cid, ConnectorError> {
    if let Some(cid) = plain(argument) {
        return Ok(cid);
    }
    let offline = if offline { "true" } else { "false" };
    let query = [("arg", argument), ("offline", offline)];
    let resolved: Resolved =
        client.call_within(limit, "resolve a path", "dag/resolve", &query).await?;
    Ok(resolved.cid.cid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_no_blocks_is_plain() {
        let cid = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPBdX";
        for text in
            [cid.to_owned(), format!("/ipfs/{cid}"), format!("/ipfs/{cid}/"), format!("{cid}/")]
        {
            assert_eq!(plain(&text).unwrap().to_string(), cid, "{text}");
        }
        for text in [
            format!("{cid}/a"),
            format!("/ipld/{cid}"),
            "/ipns/x".to_owned(),
            String::new(),
            "/".to_owned(),
        ] {
            assert_eq!(plain(&text), None, "{text}");
        }
    }
}

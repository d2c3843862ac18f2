//! The way behind a proxyd, as the proxyds on it tell.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use common::ids::RequestId;
use serde::{Deserialize, Serialize};

use super::{HOPS_MAX, PATH};
use crate::upstream::address::Address;
use crate::upstream::call::Call;
use crate::upstream::{Upstream, UpstreamError};

/// Who is asked with an empty way ahead has so long; each one further on has a step less, so that its
/// answer still comes in time.
const STEP: Duration = Duration::from_millis(500);
/// Longest answer: some hops with some addresses each.
const BYTES_MAX: usize = 64 << 10;
/// Addresses of one proxyd that are told.
const ADDRESSES_MAX: usize = 4;
/// Longest address, in bytes. A Unix socket's path has at most 108.
const ADDRESS_BYTES_MAX: usize = 256;

/// Where a way ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    /// At something that is no proxyd of ours: Kubo.
    Kubo,
    /// At a proxyd that it has passed already, the last one named.
    Ring,
    /// Nowhere: it has more proxyds than are asked.
    TooLong,
    /// At an address where nobody can be reached.
    Away,
    /// It is not known: somebody did not answer in time.
    Untold,
}

/// A way: the proxyds on it, the one asked first, and its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Route {
    pub(super) hops: Vec<Hop>,
    pub(super) end: End,
}

/// A proxyd on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hop {
    id: String,
    /// Where it listens.
    listen: Vec<String>,
}

impl Hop {
    pub(super) fn new(id: RequestId, listen: &[Address]) -> Self {
        let listen = listen.iter().take(ADDRESSES_MAX).map(ToString::to_string).collect();
        Self { id: id.to_string(), listen }
    }

    /// Leaves out what no proxyd of ours would tell: it is shown to people.
    fn clean(mut self) -> Self {
        self.listen.retain(|text| {
            text.len() <= ADDRESS_BYTES_MAX
                && !text.contains(char::is_control)
                && Address::parse(text).is_some()
        });
        self.listen.truncate(ADDRESSES_MAX);
        self
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.listen.as_slice() {
            [] => f.write_str("one that does not tell where it listens"),
            listen => f.write_str(&listen.join(" and ")),
        }
    }
}

impl Route {
    pub(super) fn to(end: End) -> Self {
        Self { hops: Vec::new(), end }
    }

    /// Leaves out where proxyds listen.
    pub(super) fn conceal(&mut self) {
        self.hops.iter_mut().for_each(|hop| hop.listen.clear());
    }

    /// Whether this proxyd is the one that found the ring.
    pub(super) fn is_last(&self, id: RequestId) -> bool {
        self.hops.last().is_some_and(|hop| hop.id == id.to_string())
    }

    /// Reads what a proxyd told; `None` when it has another form.
    fn read(json: &[u8]) -> Option<Self> {
        let route: Self = serde_json::from_slice(json).ok()?;
        // The one that finds the way too long stands on it as well.
        let is_ours = !route.hops.is_empty() && route.hops.len() <= HOPS_MAX + 1;
        is_ours.then(|| Self { hops: route.hops.into_iter().map(Hop::clean).collect(), ..route })
    }
}

/// Asks what comes behind `path`, the proxyds that were passed so far.
pub(super) async fn ask(path: &[RequestId], upstream: &Arc<Upstream>) -> Route {
    let ids: Vec<String> = path.iter().map(ToString::to_string).collect();
    let target = format!("{PATH}?path={}", ids.join(","));
    let steps = u32::try_from((HOPS_MAX + 2).saturating_sub(path.len())).unwrap_or(1);
    let within = STEP * steps.max(1);
    let call = Call {
        method: "POST",
        target: &target,
        fields: &[],
        body: b"",
        within,
        repeatable: true,
        alone: true,
    };
    let mut answer = match upstream.call(call).await {
        Ok(answer) => answer,
        Err(UpstreamError::Unreachable { .. }) => return Route::to(End::Away),
        Err(_) => return Route::to(End::Untold),
    };
    match answer.head.status() {
        200 => {}
        500.. => return Route::to(End::Untold),
        _ => return Route::to(End::Kubo),
    }
    match tokio::time::timeout(within, answer.whole(BYTES_MAX)).await {
        Ok(Ok(json)) => Route::read(&json).unwrap_or(Route::to(End::Kubo)),
        Ok(Err(_)) | Err(_) => Route::to(End::Untold),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_are_shown() {
        let id = "0".repeat(32);
        let json = format!(
            r#"{{"hops":[{{"id":"{id}","listen":["/ip4/127.0.0.1/tcp/1","/unix/a\nb","x"]}}],"end":"kubo"}}"#
        );
        let route = Route::read(json.as_bytes()).unwrap();
        assert_eq!(route.hops[0].to_string(), "/ip4/127.0.0.1/tcp/1");
        assert!(route.is_last(RequestId::from_bits(0)) && !route.is_last(RequestId::from_bits(1)));
    }

    #[test]
    fn a_concealed_way_still_finds_the_ring() {
        let id = RequestId::from_bits(7);
        let hops = vec![Hop::new(id, &[Address::local(1)])];
        let mut route = Route { hops, end: End::Ring };
        route.conceal();
        let json = serde_json::to_string(&route).unwrap();
        assert!(!json.contains("tcp"), "{json}");
        let read = Route::read(json.as_bytes()).unwrap();
        assert!(read.is_last(id) && read.hops[0].to_string().contains("does not tell"));
    }

    #[test]
    fn what_no_proxyd_tells_is_none() {
        for json in ["", "{}", "ok", r#"{"hops":[],"end":"ring"}"#, r#"{"hops":[],"end":"x"}"#] {
            assert_eq!(Route::read(json.as_bytes()), None, "{json}");
        }
        let hop = Hop::new(RequestId::from_bits(0), &[]);
        let long = Route { hops: vec![hop; HOPS_MAX + 2], end: End::Kubo };
        assert_eq!(Route::read(&serde_json::to_vec(&long).unwrap()), None);
    }
}

//! Calls to clusterd on the proxy socket, with the words that a client gets when they fail.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::api;
use common::api::client::{Call, Client, ClientError, Lines, PATIENCE};
use common::api::proxy::{
    PinAdd, PinLookup, PinLookupEvent, PinLs, PinRm, PinUpdate, Pins, RepoGcEvent, RepoStat,
};
use common::api::tree::{self, Tree};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

mod allowed;
mod pin_list;
mod pin_wait;
mod unpinned;

use allowed::Allowed;
pub use pin_list::PinList;
pub use pin_wait::PinWait;
pub use unpinned::Unpinned;

/// How often a waiting call is made again after clusterd broke it off: a restart breaks it once.
const REPEATS_MAX: u32 = 20;
/// Pause before that.
const REPEAT_AFTER: Duration = Duration::from_millis(100);

/// clusterd begins streamed answers, and goes on with listings, at once: one that does not for this
/// long hangs, and must not hold clients for ever.
const STREAM_WITHIN: Duration = Duration::from_secs(60);
/// Until the answer to a call that waits for some Kubo, which may be collecting garbage.
const ANSWER_WITHIN: Duration = Duration::from_secs(600);

/// The clusterd beside us. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cluster {
    client: Client,
    /// For calls whose asker has little time: a clusterd that is away is not waited for.
    hasty: Client,
    allowed: Allowed,
    unpinned: Arc<Unpinned>,
}

/// An error in the words that the client gets: Kubo's own where clusterd has them.
pub type Words = String;

impl Cluster {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(socket: &Path) -> Self {
        let client = Client::new(socket, PATIENCE);
        let unpinned = Arc::new(Unpinned::new(client.clone()));
        let hasty = Client::new(socket, Duration::ZERO);
        Self { client, hasty, allowed: Allowed::new(socket), unpinned }
    }

    /// Asks for pins; their progress comes as events. The call gets an id of its own here.
    #[must_use]
    pub fn pin_add(&self, request: PinAdd, deadline: Option<Instant>) -> PinWait {
        PinWait::new(self.client.clone(), request, deadline)
    }

    /// Whether pins may be changed here at all, as far as is known: asked before an upload, so that none
    /// is taken in to be refused at its end.
    ///
    /// # Errors
    /// What the client is told.
    pub async fn may_pin(&self) -> Result<(), Words> {
        self.allowed.get().await
    }

    /// Unpins.
    ///
    /// # Errors
    /// What the client is told.
    pub async fn pin_rm(&self, request: &PinRm) -> Result<Vec<String>, Words> {
        let call = json(Call::new(api::PROXY_PIN_RM, &[]), request)?.repeatable();
        Ok(in_time(ANSWER_WITHIN, self.ask::<Pins>(&call)).await?.pins)
    }

    /// Replaces a pin. It may fetch for as long as the client waits.
    ///
    /// # Errors
    /// What the client is told.
    pub async fn pin_update(&self, request: &PinUpdate) -> Result<Vec<String>, Words> {
        let call = json(Call::new(api::PROXY_PIN_UPDATE, &[]), request)?.repeatable();
        Ok(self.ask::<Pins>(&call).await?.pins)
    }

    /// Lists pins as compact lines; see [`api::proxy::PinLine`].
    ///
    /// # Errors
    /// What the client is told.
    pub async fn pin_ls(&self, query: PinLs) -> Result<PinList, Words> {
        in_time(STREAM_WITHIN, PinList::open(self.client.clone(), query)).await
    }

    /// Looks single pins up: those found, in order, and the error that ended it, if any.
    ///
    /// # Errors
    /// What the client is told when nothing could be looked up.
    pub async fn pin_lookup(&self, request: &PinLookup) -> Result<Lookup, Words> {
        let call = json(Call::new(api::PROXY_PIN_LOOKUP, &[]), request)?.repeatable();
        let asked = async {
            let mut repeats = Repeats::default();
            loop {
                match self.look_up(&call, request.args.len()).await {
                    Ok(lookup) => return Ok(lookup),
                    Err(error) => repeats.again(error).await?,
                }
            }
        };
        in_time(ANSWER_WITHIN, asked).await
    }

    async fn look_up(&self, call: &Call, wanted: usize) -> Result<Lookup, ClientError> {
        let mut lines = self.client.send(call).await?.lines();
        let mut lookup = Lookup { found: Vec::new(), error: None };
        while let Some(event) = lines.next_json::<PinLookupEvent>().await? {
            match event {
                PinLookupEvent::Found { cid, kind, name } => {
                    lookup.found.push(Found { cid, kind, name });
                }
                PinLookupEvent::Error(error) => {
                    lookup.error = Some(error.message);
                    return Ok(lookup);
                }
            }
        }
        if lookup.found.len() < wanted {
            return Err(ClientError::Broken { reason: "an answer is missing".to_owned() });
        }
        Ok(lookup)
    }

    /// Sums the repositories.
    ///
    /// # Errors
    /// What the client is told.
    pub async fn repo_stat(&self, size_only: bool) -> Result<RepoStat, Words> {
        let flag = if size_only { "true" } else { "false" };
        let call = Call::new(api::PROXY_REPO_STAT, &[]).query([("size_only", flag)]);
        in_time(ANSWER_WITHIN, self.ask(&call)).await
    }

    /// The cluster with all below it, in at most 4 MiB of JSON.
    ///
    /// # Errors
    /// What the client is told.
    pub async fn tree(&self, query: &tree::Query, within: Duration) -> Result<Tree, Words> {
        let pairs = query.pairs();
        let given = pairs.iter().map(|(name, value)| (*name, value.as_str()));
        let call = Call::new(api::TREE, &[]).query(given);
        let asked =
            async { self.hasty.send(&call).await.map_err(words)?.json().await.map_err(words) };
        in_time(within, asked).await
    }

    /// Collects garbage on every peer.
    ///
    /// # Errors
    /// What the client is told.
    pub async fn repo_gc(&self) -> Result<Garbage, Words> {
        let call = Call::new(api::PROXY_REPO_GC, &[]);
        let asked = async { Ok(self.client.send(&call).await.map_err(words)?.lines()) };
        Ok(Garbage { lines: in_time(STREAM_WITHIN, asked).await? })
    }

    /// What is told of blocks that Kubo took without a pin.
    #[must_use]
    pub fn unpinned(&self) -> Arc<Unpinned> {
        Arc::clone(&self.unpinned)
    }

    /// For calls that may be repeated: changes carry a request id.
    async fn ask<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Words> {
        let mut repeats = Repeats::default();
        loop {
            match self.ask_once(call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => repeats.again(error).await?,
            }
        }
    }

    async fn ask_once<T: DeserializeOwned>(&self, call: &Call) -> Result<T, ClientError> {
        self.client.send(call).await?.json().await
    }
}

/// A pin that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Canonical text of the CID.
    pub cid: String,
    /// `recursive`, `direct` or `indirect through …`.
    pub kind: String,
    /// Its name; empty for none.
    pub name: String,
}

/// What a lookup gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The first arguments, as long as they are pinned.
    pub found: Vec<Found>,
    /// Why the next one ended it.
    pub error: Option<Words>,
}

/// A garbage collection under way.
#[derive(Debug)]
pub struct Garbage {
    lines: Lines,
}

impl Garbage {
    /// Next event; the last is [`RepoGcEvent::Done`]. Cancel-safe.
    ///
    /// # Errors
    /// The collection was broken off.
    pub async fn next(&mut self) -> Result<RepoGcEvent, Words> {
        let event = self.lines.next_json().await.map_err(words)?;
        event.ok_or_else(|| "clusterd broke off the garbage collection".to_owned())
    }
}

/// Counts how often a call is made again because clusterd broke it off, as a restart does.
#[derive(Debug, Default)]
struct Repeats(u32);

impl Repeats {
    /// Pauses when the call may be made again.
    async fn again(&mut self, error: ClientError) -> Result<(), Words> {
        if !matches!(error, ClientError::Broken { .. }) || self.0 == REPEATS_MAX {
            return Err(words(error));
        }
        self.0 += 1;
        tokio::time::sleep(REPEAT_AFTER).await;
        Ok(())
    }
}

/// Waits no longer than a clusterd that is well would make us.
async fn in_time<T>(
    within: Duration,
    asked: impl Future<Output = Result<T, Words>>,
) -> Result<T, Words> {
    tokio::time::timeout(within, asked).await.unwrap_or_else(|_| {
        Err(format!("clusterd has not answered for {} s; see its log", within.as_secs()))
    })
}

fn json(call: Call, body: &impl serde::Serialize) -> Result<Call, Words> {
    call.json(body).map_err(words)
}

fn words(error: ClientError) -> Words {
    match error {
        ClientError::Refused(error) => error.message,
        other @ (ClientError::Unreachable { .. }
        | ClientError::Denied { .. }
        | ClientError::Broken { .. }
        | ClientError::Unintelligible { .. }
        | ClientError::Unsendable { .. }) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_clusterd_that_hangs_is_named() {
        let hung = std::future::pending::<Result<(), Words>>();
        let words = in_time(Duration::ZERO, hung).await.unwrap_err();
        assert!(words.starts_with("clusterd has not answered"), "{words}");
    }
}

//! Who may call: Kubo's own rules, held before anything happens.
//!
//! Kubo itself is asked once for each kind of caller (origin, referer, agent, token) with a call
//! that it never runs, and its verdict is remembered for a minute. `API.Authorizations`, where
//! given to proxyd, are checked here without asking.

pub mod authorizations;
mod caller;
pub mod credential;
pub mod origin;
mod refusal;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::exchange::{Door, Exchange};
use crate::h1::body::BodyError;
use crate::h1::head::RequestHead;
use crate::h1::reply::Line;
use crate::headers::KuboHeaders;
use crate::relay::Edits;
use crate::upstream::call::Call;
use crate::upstream::{Upstream, UpstreamError};

use authorizations::Authorizations;
use caller::{Caller, edits, names_kubo};

pub use refusal::Refusal;

/// How long Kubo's verdict on a kind of caller holds.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Kinds of callers remembered. A browser has one for each page it shows; strangers that try many
/// origins push each other out, not the plain caller, who is kept apart.
const KINDS_MAX: usize = 512;
/// Kubo answers such a call without work; longer means that it is stopped.
const PROBE_WITHIN: Duration = Duration::from_secs(10);
/// Kubo's refusals are a line long.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// What Kubo says to a kind of caller.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It would run the command; these fields are on its answers.
    Admitted(Arc<KuboHeaders>),
    /// It would not; this is its answer.
    Refused(Arc<Refusal>),
}

/// What becomes of a request before it is looked at further.
#[derive(Debug)]
pub enum Passage {
    /// It goes on, to an intercept or to Kubo with these changes.
    Open(Edits),
    /// It ends here.
    Refused(Arc<Refusal>),
}

#[derive(Debug)]
struct Known {
    verdict: Verdict,
    at: Instant,
    /// Somebody is asking anew.
    renewing: bool,
}

/// The rules, and what Kubo said so far. One for the daemon.
#[derive(Debug)]
pub struct Guard {
    authorizations: Option<Authorizations>,
    /// Names of further fields of Kubo's answers to repeat.
    extra: Vec<String>,
    known: Mutex<HashMap<Caller, Known>>,
}

impl Guard {
    /// Nothing is known yet. `extra`: the setting `extract_headers_extra`.
    #[must_use]
    pub fn new(authorizations: Option<Authorizations>, extra: Vec<String>) -> Arc<Self> {
        Arc::new(Self { authorizations, extra, known: Mutex::default() })
    }

    /// Decides on any request, passed through or not, without asking Kubo but in one case: a
    /// caller without token whose agent names a Kubo, as Kubo checks versions before tokens.
    pub async fn passage(
        self: &Arc<Self>,
        head: &RequestHead,
        door: Door,
        upstream: &Arc<Upstream>,
    ) -> Passage {
        if let Some(authorizations) = &self.authorizations
            && !authorizations.admit(head.target(), head.header("Authorization"))
        {
            return Passage::Refused(self.denied(head, upstream).await);
        }
        Passage::Open(edits(head, door, upstream))
    }

    /// Decides on a call of an intercepted command, as Kubo would.
    ///
    /// # Errors
    /// Kubo cannot be asked, and the caller is of a kind that it must judge.
    pub async fn admit(
        self: &Arc<Self>,
        exchange: &Exchange,
        path: &'static str,
    ) -> Result<Verdict, UpstreamError> {
        let upstream = &exchange.worker.upstream;
        let caller = Caller::of(&exchange.head, exchange.door, upstream, path);
        let origin = exchange.head.header("Origin").map(<[u8]>::to_vec);
        let plain = caller.is_plain();
        if let Some((verdict, fresh)) = self.remembered(&caller) {
            if fresh {
                return Ok(verdict);
            }
            // The plain caller is the hot path: the old verdict serves while a new one is fetched.
            if plain {
                self.renew(caller, upstream);
                return Ok(verdict);
            }
        }
        match self.ask(&caller, origin.as_deref(), upstream).await {
            Ok(verdict) => {
                self.remember(caller, verdict.clone());
                Ok(verdict)
            }
            // Kubo has no say on a caller without origin, referer, browser or token.
            Err(_) if plain => Ok(Verdict::Admitted(Arc::new(KuboHeaders::assumed()))),
            Err(error) => Err(error),
        }
    }

    fn renew(self: &Arc<Self>, caller: Caller, upstream: &Arc<Upstream>) {
        let claimed = self
            .known()
            .get_mut(&caller)
            .is_some_and(|known| !std::mem::replace(&mut known.renewing, true));
        if !claimed {
            return;
        }
        let (guard, upstream) = (Arc::clone(self), Arc::clone(upstream));
        tokio::spawn(async move {
            let verdict = guard.ask(&caller, None, &upstream).await.ok();
            let mut known = guard.known();
            if let Some(known) = known.get_mut(&caller) {
                // A Kubo that is away changes nothing; it is asked again in a minute.
                known.verdict = verdict.unwrap_or_else(|| known.verdict.clone());
                known.at = Instant::now();
                known.renewing = false;
            }
        });
    }

    /// Asks Kubo with a call that it admits or refuses but cannot run: its time limit is no
    /// duration, which Kubo answers with an empty 200 and its own headers.
    async fn ask(
        &self,
        caller: &Caller,
        origin: Option<&[u8]>,
        upstream: &Arc<Upstream>,
    ) -> Result<Verdict, UpstreamError> {
        let path = caller.path.unwrap_or("repo/stat");
        let target = format!("/api/v0/{path}?arg=probe&arg=probe&timeout=probe");
        let fields: Vec<Line<'_>> =
            caller.fields.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        let mut answer = upstream
            .call(Call {
                method: "POST",
                target: &target,
                fields: &fields,
                body: b"",
                within: PROBE_WITHIN,
                repeatable: true,
            })
            .await?;
        let status = answer.head.status();
        let body = answer.whole(REFUSAL_BYTES_MAX).await.map_err(|error| cut(upstream, error))?;
        if status == 200 {
            let learnt = KuboHeaders::learn(&answer.head, &self.extra, origin);
            return Ok(Verdict::Admitted(Arc::new(learnt)));
        }
        Ok(Verdict::Refused(Arc::new(Refusal::of(&answer.head, body, origin))))
    }

    async fn denied(&self, head: &RequestHead, upstream: &Arc<Upstream>) -> Arc<Refusal> {
        if let Some(agent) = head.header("User-Agent").filter(|agent| names_kubo(agent)) {
            let caller = Caller { fields: vec![("User-Agent", agent.to_vec())], path: None };
            if let Ok(Verdict::Refused(refusal)) = self.ask(&caller, None, upstream).await
                && refusal.status == 400
            {
                return refusal;
            }
        }
        Arc::new(Refusal::plain(403, authorizations::DENIED))
    }

    fn remembered(&self, caller: &Caller) -> Option<(Verdict, bool)> {
        let known = self.known();
        let entry = known.get(caller)?;
        Some((entry.verdict.clone(), entry.at.elapsed() < REMEMBERED))
    }

    fn remember(&self, caller: Caller, verdict: Verdict) {
        let mut known = self.known();
        if known.len() >= KINDS_MAX && !known.contains_key(&caller) {
            known.retain(|kind, entry| kind.is_plain() || entry.at.elapsed() < REMEMBERED);
            if known.len() >= KINDS_MAX {
                known.retain(|kind, _| kind.is_plain());
            }
        }
        known.insert(caller, Known { verdict, at: Instant::now(), renewing: false });
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Caller, Known>> {
        // A panic elsewhere leaves the map whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cut(upstream: &Upstream, error: BodyError) -> UpstreamError {
    UpstreamError::Lost {
        address: upstream.address().clone(),
        source: std::io::Error::other(error),
    }
}

//! Who may call: Kubo's own rules, held before anything happens.
//!
//! Kubo itself is asked once for each kind of caller (origin, referer, agent, token) with a call
//! that it never runs, and its verdict is remembered for a minute. `API.Authorizations`, where
//! given to proxyd, are checked here without asking.

pub mod authorizations;
mod caller;
pub mod credential;
pub mod origin;
mod probe;
mod refusal;
pub mod users;
mod verdicts;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::exchange::{Door, Exchange};
use crate::h1::head::RequestHead;
use crate::headers::KuboHeaders;
use crate::relay::Edits;
use crate::upstream::Upstream;

use authorizations::Authorizations;
use caller::{Caller, edits, names_kubo};
use verdicts::{Age, Verdicts};

pub use probe::ProbeError;
pub use refusal::Refusal;
pub use verdicts::Verdict;

/// What becomes of a request before it is looked at further.
#[derive(Debug)]
pub enum Passage {
    /// It goes on, to an intercept or to Kubo with these changes.
    Open(Edits),
    /// It ends here.
    Refused(Arc<Refusal>),
}

/// The rules, and what Kubo said so far. One for the daemon.
#[derive(Debug)]
pub struct Guard {
    authorizations: Option<Authorizations>,
    /// Names of further fields of Kubo's answers to repeat.
    extra: Vec<String>,
    verdicts: Verdicts,
    /// Somebody is asking about the plain caller.
    renewing: AtomicBool,
}

impl Guard {
    /// Nothing is known yet. `extra`: the setting `extract_headers_extra`.
    #[must_use]
    pub fn new(authorizations: Option<Authorizations>, extra: Vec<String>) -> Arc<Self> {
        let (verdicts, renewing) = (Verdicts::default(), AtomicBool::new(false));
        Arc::new(Self { authorizations, extra, verdicts, renewing })
    }

    /// Asks Kubo about the plain caller unless it has ever told, so that a Kubo which goes away
    /// later leaves its verdict behind. Returns at once.
    pub fn prepare(self: &Arc<Self>, upstream: &Arc<Upstream>) {
        if self.verdicts.get(&Caller::default(), Instant::now()).is_none() {
            self.renew(upstream);
        }
    }

    /// Decides on any request, passed through or not, without asking Kubo but in one case: a
    /// caller without token whose agent names a Kubo, as Kubo checks versions before tokens.
    pub async fn passage(
        self: &Arc<Self>,
        head: &RequestHead,
        door: Door,
        upstream: &Arc<Upstream>,
    ) -> Passage {
        if let Some(uid) = door.stranger {
            let words = format!("user {uid} may not use this socket: unix_uids names others\n");
            return Passage::Refused(Arc::new(Refusal::plain(403, &words)));
        }
        if let Some(authorizations) = &self.authorizations
            && !authorizations.admit(head.method(), head.target(), head.header("Authorization"))
        {
            return Passage::Refused(self.denied(head, upstream).await);
        }
        Passage::Open(edits(head, door, upstream))
    }

    /// Whether a caller may read what is no secret but need not be told to everybody: all may unless
    /// tokens are asked for here.
    #[must_use]
    pub fn trusts(&self, head: &RequestHead) -> bool {
        self.authorizations.as_ref().is_none_or(|authorizations| {
            authorizations.admit(head.method(), head.target(), head.header("Authorization"))
        })
    }

    /// Decides on a call of an intercepted command, as Kubo would.
    ///
    /// # Errors
    /// Kubo has no verdict, and has left none for this kind of caller.
    pub async fn admit(self: &Arc<Self>, exchange: &Exchange) -> Result<Verdict, ProbeError> {
        let upstream = &exchange.worker.upstream;
        self.judge(Caller::of(&exchange.head, exchange.door, upstream), upstream).await
    }

    /// Decides where there is no Kubo to ask: admits whom no rule of Kubo is about. A token counts as
    /// checked where its rules were given to proxyd.
    #[must_use]
    pub fn admit_without_kubo(&self, exchange: &Exchange) -> Option<Verdict> {
        let caller = Caller::of(&exchange.head, exchange.door, &exchange.worker.upstream);
        let is_settled = |name: &str| name == "Authorization" && self.authorizations.is_some();
        let is_free = caller.fields.iter().all(|(name, _)| is_settled(name));
        is_free.then(|| Verdict::Admitted(Arc::new(KuboHeaders::default())))
    }

    async fn judge(
        self: &Arc<Self>,
        caller: Caller,
        upstream: &Arc<Upstream>,
    ) -> Result<Verdict, ProbeError> {
        match self.verdicts.get(&caller, Instant::now()) {
            Some((verdict, Age::Fresh)) => return Ok(verdict),
            // The plain caller is the hot path: he does not wait for the new one.
            Some((verdict, Age::Stale)) => {
                self.renew(upstream);
                return Ok(verdict);
            }
            Some((_, Age::Old)) | None => {}
        }
        match probe::ask(&caller, &self.extra, upstream).await {
            Ok(verdict) => {
                self.verdicts.put(caller, verdict.clone(), Instant::now());
                Ok(verdict)
            }
            Err(error @ ProbeError::Upstream(_)) => {
                self.verdicts.prolong(&caller, Instant::now()).ok_or(error)
            }
            Err(error @ ProbeError::Undecided { .. }) => Err(error),
        }
    }

    /// Asks about the plain caller in the background, once at a time.
    fn renew(self: &Arc<Self>, upstream: &Arc<Upstream>) {
        if self.renewing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (guard, upstream) = (Arc::clone(self), Arc::clone(upstream));
        tokio::spawn(async move {
            let plain = Caller::default();
            // A Kubo that is away changes nothing; the next caller asks again.
            if let Ok(verdict) = probe::ask(&plain, &guard.extra, &upstream).await {
                guard.verdicts.put(plain, verdict, Instant::now());
            }
            guard.renewing.store(false, Ordering::Release);
        });
    }

    async fn denied(&self, head: &RequestHead, upstream: &Arc<Upstream>) -> Arc<Refusal> {
        if let Some(agent) = head.header("User-Agent").filter(|agent| names_kubo(agent)) {
            let caller =
                Caller { fields: vec![("User-Agent", agent.to_vec())], ..Caller::default() };
            if let Ok(Verdict::Refused(refusal)) = probe::ask(&caller, &self.extra, upstream).await
                && refusal.status == 400
            {
                return refusal;
            }
        }
        Arc::new(Refusal::plain(403, authorizations::DENIED))
    }
}

#[cfg(test)]
mod tests;

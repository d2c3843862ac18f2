//! What Kubo said to each kind of caller, and how long that holds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::caller::Caller;
use super::refusal::Refusal;
use crate::headers::KuboHeaders;

/// How long a verdict holds.
const FRESH: Duration = Duration::from_secs(60);
/// How long the plain caller's may be used beyond that, while Kubo is asked anew.
const STALE: Duration = Duration::from_secs(60);
/// Kinds of callers remembered. A browser has one for each page it shows; strangers that try many
/// origins push each other out, not the plain caller, who is kept apart.
const KINDS_MAX: usize = 512;
/// A kind with longer fields is asked about each time, as strangers choose them.
const KIND_BYTES_MAX: usize = 2 << 10;

/// What Kubo says to a kind of caller.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It would run the command; these fields are on its answers.
    Admitted(Arc<KuboHeaders>),
    /// It would not; this is its answer.
    Refused(Arc<Refusal>),
}

/// How far a verdict can be relied upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// As if just told.
    Fresh,
    /// Usable, and due to be asked about.
    Stale,
    /// Usable only if Kubo cannot be asked.
    Old,
}

#[derive(Debug)]
struct Known {
    verdict: Verdict,
    fresh_until: Instant,
    stale_until: Instant,
}

/// The verdicts known. Only the plain caller's outlives its freshness.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    known: Mutex<HashMap<Caller, Known>>,
}

impl Verdicts {
    /// The verdict on this kind of caller; always fresh but for the plain one.
    pub(super) fn get(&self, caller: &Caller, now: Instant) -> Option<(Verdict, Age)> {
        let known = self.known();
        let entry = known.get(caller)?;
        let age = if now < entry.fresh_until {
            Age::Fresh
        } else if !caller.is_plain() {
            return None;
        } else if now < entry.stale_until {
            Age::Stale
        } else {
            Age::Old
        };
        Some((entry.verdict.clone(), age))
    }

    /// Remembers a verdict, and forgets those that have expired.
    pub(super) fn put(&self, caller: Caller, verdict: Verdict, now: Instant) {
        let mut known = self.known();
        known.retain(|kind, entry| kind.is_plain() || now < entry.fresh_until);
        if caller.length() > KIND_BYTES_MAX {
            return;
        }
        if known.len() >= KINDS_MAX && !known.contains_key(&caller) {
            known.retain(|kind, _| kind.is_plain());
        }
        let fresh_until = now + FRESH;
        known.insert(caller, Known { verdict, fresh_until, stale_until: fresh_until + STALE });
    }

    /// Kubo cannot be asked: gives the plain caller's last verdict, which is only stale for a while
    /// again, so that not each call waits for a Kubo that is stopped.
    pub(super) fn prolong(&self, caller: &Caller, now: Instant) -> Option<Verdict> {
        if !caller.is_plain() {
            return None;
        }
        let mut known = self.known();
        let entry = known.get_mut(caller)?;
        entry.stale_until = now + STALE;
        Some(entry.verdict.clone())
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Caller, Known>> {
        // A panic elsewhere leaves the map whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Verdict {
        Verdict::Refused(Arc::new(Refusal::plain(403, "no")))
    }

    fn page(referer: Vec<u8>) -> Caller {
        Caller { fields: vec![("Referer", referer)], ..Caller::default() }
    }

    fn age(verdicts: &Verdicts, caller: &Caller, now: Instant) -> Option<Age> {
        verdicts.get(caller, now).map(|(_, age)| age)
    }

    #[test]
    fn the_plain_callers_verdict_grows_stale_then_old() {
        let (verdicts, plain, start) = (Verdicts::default(), Caller::default(), Instant::now());
        assert_eq!(age(&verdicts, &plain, start), None);
        verdicts.put(plain.clone(), refused(), start);
        assert_eq!(age(&verdicts, &plain, start), Some(Age::Fresh));
        assert_eq!(age(&verdicts, &plain, start + FRESH), Some(Age::Stale));
        assert_eq!(age(&verdicts, &plain, start + FRESH + STALE), Some(Age::Old));
    }

    #[test]
    fn without_kubo_the_last_verdict_serves_the_plain_caller_alone() {
        let (verdicts, plain, start) = (Verdicts::default(), Caller::default(), Instant::now());
        assert!(verdicts.prolong(&plain, start).is_none());
        let (other, late) = (page(b"x".to_vec()), start + 10 * FRESH);
        verdicts.put(plain.clone(), refused(), start);
        verdicts.put(other.clone(), refused(), start);
        assert!(verdicts.prolong(&plain, late).is_some());
        assert_eq!(age(&verdicts, &plain, late), Some(Age::Stale));
        assert!(verdicts.prolong(&other, late).is_none());
        assert_eq!(age(&verdicts, &other, late), None);
    }

    #[test]
    fn long_kinds_are_not_remembered_and_expired_ones_are_dropped() {
        let (verdicts, start) = (Verdicts::default(), Instant::now());
        let (short, long) = (page(vec![b'x'; 100]), page(vec![b'x'; KIND_BYTES_MAX + 1]));
        verdicts.put(short.clone(), refused(), start);
        verdicts.put(long.clone(), refused(), start);
        assert_eq!(age(&verdicts, &short, start), Some(Age::Fresh));
        assert_eq!(age(&verdicts, &long, start), None);
        verdicts.put(Caller::default(), refused(), start + FRESH);
        assert_eq!(verdicts.known().len(), 1);
    }

    #[test]
    fn many_kinds_push_each_other_out_and_not_the_plain_one() {
        let (verdicts, start) = (Verdicts::default(), Instant::now());
        verdicts.put(Caller::default(), refused(), start);
        for n in 0..2 * KINDS_MAX {
            verdicts.put(page(n.to_string().into_bytes()), refused(), start);
            assert!(verdicts.known().len() <= KINDS_MAX);
        }
        assert_eq!(age(&verdicts, &Caller::default(), start), Some(Age::Fresh));
    }
}

//! Whether Kubo is there: a failure that may be Kubo's counts against a pin only once Kubo answered.

use crate::input::Time;
use crate::pinset::key::PinKey;

use super::phase::Goal;

/// First wait between two probes of a Kubo that is away, in milliseconds.
const PROBE_AFTER: u64 = 1000;
/// Longest wait: within this time of its return Kubo is used again.
const PROBE_AFTER_MAX: u64 = 15_000;

/// An operation that ended without an answer of Kubo.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Suspect {
    pub(crate) key: PinKey,
    pub(crate) goal: Goal,
    pub(crate) words: String,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Closed,
    /// Kubo is away: since when, and when it is asked again.
    Open {
        since: Time,
        words: String,
        probe_at: Time,
        wait: u64,
    },
}

/// While a probe is out or Kubo is away, nothing is started: no attempt is burnt, nothing rewritten.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: State,
    is_asking: bool,
    /// As many as ran when Kubo fell silent, at most.
    suspects: Vec<Suspect>,
}

/// What a probe's answer means for the suspects.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Kubo is there: these failures are the pins' own.
    Guilty(Vec<Suspect>),
    /// Kubo is away: these wait for it. The flag tells whether this is news.
    Innocent { suspects: Vec<Suspect>, is_new: bool },
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Self { state: State::Closed, is_asking: false, suspects: Vec::new() }
    }

    pub(crate) fn allows(&self) -> bool {
        self.state == State::Closed && !self.is_asking
    }

    /// Since when Kubo is away, and how it showed.
    pub(crate) fn away(&self) -> Option<(Time, &str)> {
        match &self.state {
            State::Open { since, words, .. } => Some((*since, words)),
            State::Closed => None,
        }
    }

    pub(crate) fn is_suspect(&self, key: &PinKey) -> bool {
        self.suspects.iter().any(|suspect| suspect.key == *key)
    }

    /// Notes a failure that may be Kubo's; tells whether to probe.
    pub(crate) fn suspect(&mut self, suspect: Suspect) -> bool {
        self.suspects.push(suspect);
        let must_ask = !self.is_asking && self.state == State::Closed;
        self.is_asking |= must_ask;
        must_ask
    }

    /// When to probe again.
    pub(crate) fn probe_at(&self) -> Option<Time> {
        match &self.state {
            State::Open { probe_at, .. } if !self.is_asking => Some(*probe_at),
            State::Open { .. } | State::Closed => None,
        }
    }

    /// Whether the next probe is due; it counts as out from now on.
    pub(crate) fn must_probe(&mut self, now: Time) -> bool {
        let is_due = self.probe_at().is_some_and(|at| at <= now);
        self.is_asking |= is_due;
        is_due
    }

    pub(crate) fn probed(&mut self, alive: bool, now: Time) -> Verdict {
        self.is_asking = false;
        let suspects = std::mem::take(&mut self.suspects);
        if alive {
            self.state = State::Closed;
            return Verdict::Guilty(suspects);
        }
        let last = suspects.last().map(|suspect| suspect.words.clone());
        let is_new = self.state == State::Closed;
        let (since, words, wait) = match std::mem::replace(&mut self.state, State::Closed) {
            State::Open { since, words, wait, .. } => {
                (since, words, (wait * 2).min(PROBE_AFTER_MAX))
            }
            State::Closed => {
                (now, last.unwrap_or_else(|| "ipfs does not answer".to_owned()), PROBE_AFTER)
            }
        };
        self.state = State::Open { since, words, probe_at: now.plus_millis(wait), wait };
        Verdict::Innocent { suspects, is_new }
    }
}

//! Comparing the pinset with all that Kubo says it holds, in bounded memory.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher};

use crate::input::Time;
use crate::pinset::key::PinKey;

/// Most keys remembered by one audit, 8 bytes each: 32 MiB. A larger pinset is audited in slices,
/// one an audit.
const SEEN_MAX: u64 = 4 << 20;
/// Wait after an audit that broke off, in milliseconds.
const AGAIN_AFTER: u64 = 300_000;
/// Least time between two audits, in milliseconds, so that a run of imports makes few.
const APART: u64 = 10_000;
/// Wait after a change that asks for an audit, so that the rest of an import is in it.
const SETTLE: u64 = 1000;

#[derive(Debug)]
enum State {
    Idle,
    /// Kubo's list is coming in.
    Reading,
    /// The list is complete; the pinset is searched for pins that were not in it.
    Searching {
        after: Option<Vec<u8>>,
    },
}

/// When to audit, and what was seen so far. Keys are remembered by hash: of a million pins one
/// missing pin goes unnoticed once in ten million audits.
#[derive(Debug)]
pub(crate) struct Audit {
    state: State,
    every: u64,
    due: Time,
    ended: Option<Time>,
    slices: u64,
    slice: u64,
    seen: Vec<u64>,
    /// Pins that came to be held while the list was read; it may have passed them already.
    settled: BTreeSet<u64>,
}

fn hash(key: &PinKey) -> u64 {
    // Without random keys: a node decides the same way each time.
    let mut hasher = DefaultHasher::new();
    hasher.write(key.as_bytes());
    hasher.finish()
}

impl Audit {
    /// The first audit is due at once.
    pub(crate) fn new(every: u64, now: Time) -> Self {
        Self {
            state: State::Idle,
            every,
            due: now,
            ended: None,
            slices: 1,
            slice: 0,
            seen: Vec::new(),
            settled: BTreeSet::new(),
        }
    }

    /// Asks for an audit soon: many pins came in that Kubo may hold already.
    pub(crate) fn hurry(&mut self, now: Time) {
        let soon = now.plus_millis(SETTLE);
        let earliest = self.ended.map_or(soon, |ended| ended.plus_millis(APART).max(soon));
        self.due = self.due.min(earliest);
    }

    /// Starts one if it is due; `pins` is the size of the pinset.
    pub(crate) fn start(&mut self, now: Time, pins: u64) -> bool {
        if self.due > now || !matches!(self.state, State::Idle) {
            return false;
        }
        self.state = State::Reading;
        self.due = now.plus_millis(self.every);
        self.slices = pins / SEEN_MAX + 1;
        // What Kubo holds besides costs a larger list.
        self.seen.reserve_exact(usize::try_from(pins.min(SEEN_MAX)).unwrap_or(0));
        self.slice = (self.slice + 1) % self.slices;
        true
    }

    /// Drops an audit that is under way; another follows later.
    pub(crate) fn break_off(&mut self, now: Time) {
        if !matches!(self.state, State::Idle) {
            self.due = now.plus_millis(AGAIN_AFTER);
            self.finish();
        }
    }

    /// When [`Self::start`] or the search has something to do.
    pub(crate) fn wake(&self, now: Time) -> Option<Time> {
        match self.state {
            State::Idle => Some(self.due),
            State::Reading => None,
            State::Searching { .. } => Some(now),
        }
    }

    pub(crate) fn is_reading(&self) -> bool {
        matches!(self.state, State::Reading)
    }

    /// Kubo holds it.
    pub(crate) fn saw(&mut self, key: &PinKey) {
        let hash = hash(key);
        // Kubo may hold more than the pinset; a list beyond the limit only makes the audit partial.
        if hash % self.slices == self.slice && (self.seen.len() as u64) < 2 * SEEN_MAX {
            self.seen.push(hash);
        }
    }

    /// An operation brought it to Kubo.
    pub(crate) fn settled(&mut self, key: &PinKey) {
        if !matches!(self.state, State::Idle) {
            self.settled.insert(hash(key));
        }
    }

    /// The list ended.
    pub(crate) fn read(&mut self, complete: bool, now: Time) {
        if !self.is_reading() {
            return;
        }
        self.ended = Some(now);
        if complete && (self.seen.len() as u64) < 2 * SEEN_MAX {
            self.seen.sort_unstable();
            self.state = State::Searching { after: None };
        } else {
            self.due = self.due.min(now.plus_millis(AGAIN_AFTER));
            self.finish();
        }
    }

    /// Where the search goes on; `None` when there is none.
    pub(crate) fn search_after(&self) -> Option<Option<&[u8]>> {
        match &self.state {
            State::Searching { after } => Some(after.as_deref()),
            State::Idle | State::Reading => None,
        }
    }

    /// Notes how far the search is; `None` at its end.
    pub(crate) fn searched(&mut self, last: Option<Vec<u8>>) {
        match last {
            Some(last) => self.state = State::Searching { after: Some(last) },
            None => self.finish(),
        }
    }

    /// Whether the audit covers a key and Kubo did not name it.
    pub(crate) fn misses(&self, key: &PinKey) -> bool {
        let hash = hash(key);
        hash % self.slices == self.slice
            && self.seen.binary_search(&hash).is_err()
            && !self.settled.contains(&hash)
    }

    fn finish(&mut self) {
        self.state = State::Idle;
        self.seen = Vec::new();
        self.settled.clear();
    }
}

//! Bytes from and to peers by protocol, as Go counts them: what goes over streams, without what the
//! connection below adds.
//!
//! A stream belongs to the protocol on which both sides agree at its beginning. `negotiation` reads
//! that as it goes by, `stream` counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::api::health::Bandwidth;

mod muxer;
mod negotiation;
mod stream;
#[cfg(test)]
mod tests;

pub(super) use muxer::Metered;

/// What streams speak that never agreed on a protocol.
const UNDECIDED: &str = "/multistream/1.0.0";

/// Protocols that are told apart, above all that peers speak; peers could name any number.
const PROTOCOLS_MAX: usize = 64;

/// Bytes both ways.
#[derive(Debug, Default)]
struct Count {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Count {
    fn receive(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    fn send(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// A protocol with its rates.
#[derive(Debug, Default)]
struct Row {
    count: Arc<Count>,
    /// As of the last tick.
    shown: Bandwidth,
}

/// Counts by protocol. Cheap to clone: all clones are one.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter(Arc<Mutex<BTreeMap<String, Row>>>);

/// Part of a new rate in the shown one, if ticks come each second: 1 − 1/e. Source: go-flow-metrics,
/// which Go's numbers come from.
const RATE_NEW: f64 = 0.632_120_558_828_557_7;

impl Meter {
    /// The count of a protocol; one too many shares that of [`UNDECIDED`].
    fn of(&self, protocol: &str) -> Arc<Count> {
        let mut rows = self.rows();
        let is_known = rows.contains_key(protocol) || rows.len() < PROTOCOLS_MAX;
        let name = if is_known { protocol } else { UNDECIDED };
        Arc::clone(&rows.entry(name.to_owned()).or_default().count)
    }

    /// Brings the rates up to date; to be called each second.
    pub(super) fn tick(&self) {
        for row in self.rows().values_mut() {
            let old = row.shown;
            let new = row.read();
            row.shown.rate_in = rate(old.rate_in, new.total_in - old.total_in);
            row.shown.rate_out = rate(old.rate_out, new.total_out - old.total_out);
            (row.shown.total_in, row.shown.total_out) = (new.total_in, new.total_out);
        }
    }

    /// Totals since the start, and the rates as of the last tick.
    pub(super) fn read(&self) -> BTreeMap<String, Bandwidth> {
        self.rows().iter().map(|(name, row)| (name.clone(), row.read())).collect()
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<String, Row>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Row {
    fn read(&self) -> Bandwidth {
        Bandwidth {
            total_in: self.count.received.load(Ordering::Relaxed),
            total_out: self.count.sent.load(Ordering::Relaxed),
            ..self.shown
        }
    }
}

fn rate(old: f64, bytes: u64) -> f64 {
    let new = old + RATE_NEW * (bytes as f64 - old);
    // So that an idle protocol comes to rest.
    if new < 0.01 { 0.0 } else { new }
}

//! One clear line for each mistake that keeps peers apart, saying what to check.
//!
//! Each line is written once an hour for each peer or address, however often the mistake shows.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libp2p::PeerId;
use tokio::time::Instant;

/// The same line about the same peer is written again after so long.
const AGAIN_AFTER: Duration = Duration::from_secs(3600);

/// Lines that are remembered; above it the oldest is forgotten.
const REMEMBERED_MAX: usize = 512;

/// A second metric must show the same within this time, and no sooner than the first of these two: one
/// that was under way for long looks like a wrong clock.
const SHOWN_AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(120));

/// Two metrics show the same clock when they differ by less.
const SAME_CLOCK: Duration = Duration::from_secs(5);

/// How long metrics live with Go's defaults, from which a clock is judged.
const METRIC_LIFE: Duration = Duration::from_secs(30);

/// What advice is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Topic {
    /// The handshake fails: different secrets.
    Secret(Option<IpAddr>),
    /// Another name of the cluster.
    ClusterName(PeerId),
    /// Changes of a peer that is not trusted.
    Untrusted(PeerId),
    /// A clock that is wrong.
    Clock(PeerId),
    /// Another peer answers at the address.
    OtherPeer(PeerId),
}

/// Gives advice. Clones share what they remember.
#[derive(Debug, Clone, Default)]
pub(super) struct Advice {
    given: Arc<Mutex<HashMap<Topic, Instant>>>,
    /// Clocks that one metric showed to be wrong.
    doubted: Arc<Mutex<HashMap<PeerId, (Skew, Instant)>>>,
}

impl Advice {
    /// A connection died in the handshake.
    pub(super) fn secret(&self, ip: Option<IpAddr>, address: &dyn Display, error: &dyn Display) {
        if self.is_due(Topic::Secret(ip), Instant::now()) {
            tracing::warn!(%address, %error, "the handshake with a peer fails right after connecting: check that both have the same cluster secret");
        }
    }

    /// A peer is subscribed to another cluster's heads, or to no heads at all.
    pub(super) fn cluster_name(&self, peer: PeerId) {
        if self.is_due(Topic::ClusterName(peer), Instant::now()) {
            tracing::warn!(%peer, "a peer has the secret but is not in this cluster: check that cluster_name is the same on both");
        }
    }

    /// Heads came that a peer signed whom we do not trust.
    pub(super) fn untrusted(&self, peer: PeerId) {
        if self.is_due(Topic::Untrusted(peer), Instant::now()) {
            tracing::warn!(%peer, "changes of a peer are refused: if it is to be trusted, add its id to trusted in [peers]");
        }
    }

    /// A metric shows that the clocks of this machine and the peer's differ.
    pub(super) fn clock(&self, peer: PeerId, skew: Skew) {
        let now = Instant::now();
        if self.is_shown_again(peer, skew, now) && self.is_due(Topic::Clock(peer), now) {
            let (seconds, words) = match skew {
                Skew::Behind(by) => (by.as_secs(), "behind"),
                Skew::Ahead(by) => (by.as_secs(), "ahead"),
            };
            tracing::warn!(%peer, outcome = words, count = seconds, "the clock of a peer is off by so many seconds: check the time on both machines (timedatectl); with more than 30 s peers take each other for dead");
        }
    }

    /// Another peer than expected is at the address.
    pub(super) fn other_peer(&self, peer: PeerId, found: PeerId, address: &dyn Display) {
        if self.is_due(Topic::OtherPeer(peer), Instant::now()) {
            tracing::warn!(%peer, %address, outcome = %found, "another peer answers at the address of a peer: check the id in bootstrap in [peers], or whether its identity was replaced");
        }
    }

    /// What advice was given and is remembered.
    #[cfg(test)]
    pub(super) fn given(&self) -> Vec<Topic> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    fn is_shown_again(&self, peer: PeerId, skew: Skew, now: Instant) -> bool {
        let mut doubted = self.doubted.lock().unwrap_or_else(PoisonError::into_inner);
        let (soonest, latest) = SHOWN_AGAIN;
        doubted.retain(|_, (_, first)| now - *first <= latest);
        match doubted.get(&peer) {
            Some((before, first)) if before.is_near(skew) => now - *first >= soonest,
            None if doubted.len() >= REMEMBERED_MAX => false,
            Some(_) | None => {
                doubted.insert(peer, (skew, now));
                false
            }
        }
    }

    fn is_due(&self, topic: Topic, now: Instant) -> bool {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if given.get(&topic).is_some_and(|last| now - *last < AGAIN_AFTER) {
            return false;
        }
        if given.len() >= REMEMBERED_MAX
            && let Some(oldest) =
                given.iter().min_by_key(|(_, at)| **at).map(|(topic, _)| topic.clone())
        {
            given.remove(&oldest);
        }
        given.insert(topic, now);
        true
    }
}

/// How far a peer's clock is from ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skew {
    /// It shows an earlier time.
    Behind(Duration),
    /// It shows a later time.
    Ahead(Duration),
}

impl Skew {
    fn is_near(self, other: Self) -> bool {
        match (self, other) {
            (Self::Behind(a), Self::Behind(b)) | (Self::Ahead(a), Self::Ahead(b)) => {
                a.abs_diff(b) < SAME_CLOCK
            }
            (Self::Behind(_), Self::Ahead(_)) | (Self::Ahead(_), Self::Behind(_)) => false,
        }
    }
}

/// Judges a clock by a metric that just came: `expiry` as its sender wrote it, `received` by our
/// clock, both in nanoseconds since 1970. `None` unless the clocks differ by more than 30 seconds.
///
/// A metric lives for 30 seconds. If it is expired when it comes, the sender is behind (or the
/// metric was under way for that long); if it has more than 60 seconds to live, the sender is ahead.
#[must_use]
pub fn clock_skew(expiry: i64, received: i64) -> Option<Skew> {
    let left = i128::from(expiry) - i128::from(received);
    let life = i128::try_from(METRIC_LIFE.as_nanos()).unwrap_or_default();
    let off = left - life;
    let by = u64::try_from(off.unsigned_abs()).map_or(Duration::MAX, Duration::from_nanos);
    if left < 0 {
        Some(Skew::Behind(by))
    } else if off > life {
        Some(Skew::Ahead(by))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const NOW: i64 = 1_795_364_683 * SECOND;

    #[test]
    fn advice_is_given_once_an_hour_for_each_peer() {
        let (advice, now) = (Advice::default(), Instant::now());
        let (a, b) = (PeerId::random(), PeerId::random());
        assert!(advice.is_due(Topic::Untrusted(a), now));
        assert!(!advice.is_due(Topic::Untrusted(a), now + AGAIN_AFTER / 2));
        assert!(advice.is_due(Topic::Untrusted(b), now));
        assert!(advice.is_due(Topic::ClusterName(a), now));
        assert!(advice.is_due(Topic::Untrusted(a), now + AGAIN_AFTER));
    }

    #[test]
    fn what_was_said_is_remembered_within_bounds() {
        let (advice, mut now) = (Advice::default(), Instant::now());
        let first = PeerId::random();
        assert!(advice.is_due(Topic::Untrusted(first), now));
        for _ in 0..REMEMBERED_MAX {
            now += Duration::from_millis(1);
            assert!(advice.is_due(Topic::Untrusted(PeerId::random()), now));
        }
        assert_eq!(advice.given().len(), REMEMBERED_MAX);
        assert!(!advice.given().contains(&Topic::Untrusted(first)));
    }

    #[test]
    fn a_clock_is_doubted_first_and_wrong_when_it_is_shown_again() {
        let (advice, peer, start) = (Advice::default(), PeerId::random(), Instant::now());
        let seconds = Duration::from_secs;
        let shown = |behind, after| {
            advice.is_shown_again(peer, Skew::Behind(seconds(behind)), start + seconds(after))
        };
        // Three that were held up come together: each was under way for another time.
        assert!(!shown(106, 0) && !shown(91, 0) && !shown(76, 0));
        // Two metrics of one moment.
        assert!(!shown(76, 1));
        assert!(shown(77, 15), "the clock stays wrong");
        assert!(!shown(76, 200), "too long after the first");
        assert!(!advice.is_shown_again(peer, Skew::Ahead(seconds(76)), start + seconds(215)));
    }

    #[test]
    fn a_clock_within_half_a_minute_is_right() {
        for left in [0, 1, 29, 30, 31, 60] {
            assert_eq!(clock_skew(NOW + left * SECOND, NOW), None, "{left} s left");
        }
    }

    #[test]
    fn an_expired_metric_means_behind_and_a_long_living_one_ahead() {
        let seconds = Duration::from_secs;
        assert_eq!(clock_skew(NOW - 5 * SECOND, NOW), Some(Skew::Behind(seconds(35))));
        assert_eq!(clock_skew(NOW + 75 * SECOND, NOW), Some(Skew::Ahead(seconds(45))));
        assert!(
            clock_skew(i64::MIN, i64::MAX).is_some() && clock_skew(i64::MAX, i64::MIN).is_some()
        );
    }
}

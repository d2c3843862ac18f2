//! When to dial which known peer: soon after a loss, then ever rarer, at last every 30 seconds.

use std::collections::HashMap;
use std::time::Duration;

use libp2p::PeerId;
use tokio::time::Instant;

/// A peer that stays away is tried this often. Source: `reBootstrap` of Go ipfs-cluster.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

/// After a connection is lost, and after the first failure; doubles with each.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Dials that run at a time.
const DIALS_MAX: usize = 16;

/// The known peers that are not connected.
#[derive(Debug)]
pub(super) struct Redial {
    /// So that two peers that lose each other do not dial at the same moment.
    shift: Duration,
    away: HashMap<PeerId, Attempt>,
}

#[derive(Debug, Clone, Copy)]
struct Attempt {
    failures: u32,
    at: Instant,
    dialling: bool,
}

impl Redial {
    /// Nobody is known yet.
    pub(super) fn new(me: &PeerId) -> Self {
        let last = me.to_bytes().last().copied().unwrap_or_default();
        Self { shift: Duration::from_millis(u64::from(last) * 2), away: HashMap::new() }
    }

    /// A peer is known, and to be dialled at once unless it is already waited for.
    pub(super) fn add(&mut self, peer: PeerId, now: Instant) {
        let first = Attempt { failures: 0, at: now, dialling: false };
        self.away.entry(peer).or_insert(first);
    }

    /// A peer is connected, or no longer known.
    pub(super) fn remove(&mut self, peer: &PeerId) {
        self.away.remove(peer);
    }

    /// The last connection to a peer was lost.
    pub(super) fn lost(&mut self, peer: PeerId, now: Instant) {
        let at = now + self.shift;
        self.away.insert(peer, Attempt { failures: 0, at, dialling: false });
    }

    /// A dial of a peer failed.
    pub(super) fn failed(&mut self, peer: &PeerId, now: Instant) {
        let Some(attempt) = self.away.get_mut(peer) else { return };
        let doubled = RETRY_AFTER * 2_u32.saturating_pow(attempt.failures.min(8));
        *attempt = Attempt {
            failures: attempt.failures + 1,
            at: now + doubled.min(RETRY_AFTER_MAX) + self.shift,
            dialling: false,
        };
    }

    /// Whom to dial now, longest overdue first. Each is taken as being dialled until its end is told.
    pub(super) fn due(&mut self, now: Instant) -> Vec<PeerId> {
        let running = self.away.values().filter(|attempt| attempt.dialling).count();
        let mut due: Vec<_> =
            self.away.iter_mut().filter(|(_, a)| !a.dialling && a.at <= now).collect();
        due.sort_by_key(|(_, attempt)| attempt.at);
        due.truncate(DIALS_MAX.saturating_sub(running));
        due.into_iter()
            .map(|(peer, attempt)| {
                attempt.dialling = true;
                *peer
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(count: usize) -> Vec<PeerId> {
        (0..count).map(|_| PeerId::random()).collect()
    }

    /// The waits between the dials of a peer that never answers.
    fn waits(redial: &mut Redial, peer: PeerId, dials: usize) -> Vec<u64> {
        let mut now = Instant::now();
        redial.lost(peer, now);
        let mut waits = Vec::new();
        for _ in 0..dials {
            let before = now;
            while redial.due(now).is_empty() {
                now += Duration::from_millis(10);
            }
            waits.push((now - before).as_secs());
            redial.failed(&peer, now);
        }
        waits
    }

    #[test]
    fn a_lost_peer_is_tried_soon_and_then_every_half_minute() {
        let peer = peers(1)[0];
        let mut redial = Redial::new(&peer);
        redial.shift = Duration::ZERO;
        assert_eq!(waits(&mut redial, peer, 8), [0, 1, 2, 4, 8, 16, 30, 30]);
    }

    #[test]
    fn only_so_many_are_dialled_at_a_time() {
        let peers = peers(40);
        let (mut redial, now) = (Redial::new(&peers[0]), Instant::now());
        peers.iter().for_each(|peer| redial.add(*peer, now));
        let first = redial.due(now);
        assert_eq!((first.len(), redial.due(now).len()), (DIALS_MAX, 0));
        redial.remove(&first[0]);
        redial.failed(&first[1], now);
        let next = redial.due(now);
        assert_eq!(next.len(), 2);
        assert!(!first.contains(&next[0]) && !first.contains(&next[1]));
    }
}

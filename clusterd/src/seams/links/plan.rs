//! When to connect our Kubo to which other: at once to a new one, ever rarer to one that cannot be reached.

use std::collections::BTreeMap;
use std::time::Duration;

use common::ids::PeerId;
use tokio::time::Instant;

use crate::net::gorpc::metric::Ping;

/// A connection may be lost without our hearing of it, so it is made again after so long. To one that
/// is there this costs Kubo nothing.
const AGAIN_AFTER: Duration = Duration::from_secs(10 * 60);

/// Wait after the first failure; it doubles with each further one, up to [`AGAIN_AFTER`]. Addresses that
/// change are not followed faster than this either.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The Kubos of the members.
#[derive(Debug, Default)]
pub(super) struct Plan(BTreeMap<PeerId, Link>);

#[derive(Debug)]
struct Link {
    /// What the member said of its Kubo.
    ping: Ping,
    at: Instant,
    tried: Option<Instant>,
    failures: u32,
    is_running: bool,
}

impl Plan {
    /// Takes who is a member now, and where their Kubos are; those who are none are forgotten.
    pub(super) fn see(&mut self, members: BTreeMap<PeerId, Ping>, now: Instant) {
        self.0.retain(|peer, _| members.contains_key(peer));
        for (peer, ping) in members {
            match self.0.get_mut(&peer) {
                Some(link) if link.ping == ping => {}
                Some(link) => {
                    let soonest = link.tried.map_or(now, |tried| tried + RETRY_AFTER);
                    (link.ping, link.at, link.failures) = (ping, soonest.max(now), 0);
                }
                None => {
                    let (tried, failures, is_running) = (None, 0, false);
                    self.0.insert(peer, Link { ping, at: now, tried, failures, is_running });
                }
            }
        }
    }

    /// At most so many whose turn it is, longest overdue first; the end of each must be told.
    pub(super) fn start(&mut self, most: usize, now: Instant) -> Vec<(PeerId, Ping)> {
        let mut due: Vec<_> =
            self.0.iter_mut().filter(|(_, link)| !link.is_running && link.at <= now).collect();
        due.sort_by_key(|(_, link)| link.at);
        due.truncate(most);
        due.into_iter()
            .map(|(peer, link)| {
                (link.is_running, link.tried) = (true, Some(now));
                (*peer, link.ping.clone())
            })
            .collect()
    }

    /// An attempt has ended; gives how many have failed in a row since the Kubo last changed.
    pub(super) fn ended(&mut self, peer: &PeerId, is_linked: bool, now: Instant) -> u32 {
        let Some(link) = self.0.get_mut(peer) else { return 0 };
        link.is_running = false;
        link.failures = if is_linked { 0 } else { link.failures.saturating_add(1) };
        let wait = match link.failures {
            0 => AGAIN_AFTER,
            failures => AGAIN_AFTER.min(RETRY_AFTER * 2_u32.saturating_pow(failures - 1)),
        };
        // New addresses that came meanwhile have a turn of their own before.
        if link.tried.is_some_and(|tried| link.at <= tried) {
            link.at = now + wait;
        }
        link.failures
    }

    /// When the next turn is, of those that do not run.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().filter(|link| !link.is_running).map(|link| link.at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEERS: [&str; 2] = [
        "12D3KooWPU2wk6iUQAcXnhcPm7z5TzpGe6fe9HZYrmDfWz3FJCHt",
        "12D3KooWSUmugQVfogFSJyTSqNpXmGmreFgPncRsbcuQyASKoN6G",
    ];

    fn peer(number: usize) -> PeerId {
        PEERS[number].parse().unwrap()
    }

    fn members(pings: &[(usize, &str)]) -> BTreeMap<PeerId, Ping> {
        let ping = |address: &str| Ping {
            ipfs_id: Some(peer(0)),
            ipfs_addresses: vec![address.parse().unwrap()],
            ..Ping::default()
        };
        pings.iter().map(|(number, address)| (peer(*number), ping(address))).collect()
    }

    /// Whose turn it is, each of which then ends like this.
    fn turn(plan: &mut Plan, is_linked: bool, now: Instant) -> usize {
        let due = plan.start(9, now);
        due.iter().for_each(|(peer, _)| {
            plan.ended(peer, is_linked, now);
        });
        due.len()
    }

    #[test]
    fn a_new_member_has_its_turn_at_once_and_then_every_ten_minutes() {
        let (mut plan, now) = (Plan::default(), Instant::now());
        plan.see(members(&[(0, "/ip4/10.0.0.1/tcp/4001")]), now);
        assert_eq!(turn(&mut plan, true, now), 1);
        plan.see(members(&[(0, "/ip4/10.0.0.1/tcp/4001"), (1, "/ip4/10.0.0.2/tcp/1")]), now);
        assert_eq!(turn(&mut plan, true, now), 1);
        assert_eq!(turn(&mut plan, true, now + AGAIN_AFTER / 2), 0);
        assert_eq!(plan.next(), Some(now + AGAIN_AFTER));
        assert_eq!(turn(&mut plan, true, now + AGAIN_AFTER), 2);
        plan.see(members(&[]), now);
        assert_eq!(plan.next(), None);
    }

    #[test]
    fn failures_come_ever_rarer_and_new_addresses_never_in_a_hot_loop() {
        let (mut plan, mut now) = (Plan::default(), Instant::now());
        plan.see(members(&[(0, "/ip4/10.0.0.1/tcp/4001")]), now);
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert_eq!(turn(&mut plan, false, now), 1);
            waits.push((plan.next().unwrap() - now).as_secs());
            now = plan.next().unwrap();
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 600, 600]);
        assert_eq!(turn(&mut plan, false, now), 1);
        for port in 1..5 {
            plan.see(members(&[(0, &format!("/ip4/10.0.0.1/tcp/{port}"))]), now);
            assert_eq!(plan.next(), Some(now + RETRY_AFTER));
        }
        // While one runs, others have their turn, and what it was told meanwhile is not forgotten.
        now += RETRY_AFTER;
        assert_eq!(plan.start(9, now).len(), 1);
        plan.see(members(&[(0, "/ip4/10.0.0.1/tcp/9"), (1, "/ip4/10.0.0.2/tcp/1")]), now);
        assert_eq!(plan.start(9, now)[0].0, peer(1));
        plan.ended(&peer(0), true, now);
        assert_eq!(plan.next(), Some(now + RETRY_AFTER));
    }
}

//! Who is there and what they can take: the newest metrics of every peer, and who fell silent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use common::ids::PeerId;

use crate::allocator::{self, Candidate};
use crate::input::Time;

/// Name of the metric that makes a peer a member while it is valid.
pub const PING: &str = "ping";

/// Name of the metric of a peer that follows others and writes nothing; no peer of Go's tells it.
pub const FOLLOWER: &str = "follower";

/// Most peers whose metrics are kept; ten times the largest cluster that is known of.
const PEERS_MAX: usize = 10_000;
/// Most metrics of one peer.
const NAMES_MAX: usize = 64;
/// Longest name and value that are kept, in bytes; a ping with its addresses has a few hundred.
const NAME_BYTES_MAX: usize = 128;
const VALUE_BYTES_MAX: usize = 16 << 10;
/// Most alerts that are kept, the newest.
const ALERTS_MAX: usize = 1000;
/// Metrics of a peer that has been silent for so long are forgotten, in milliseconds: a day.
const FORGOTTEN_AFTER: u64 = 24 * 3_600_000;
/// Least time between two looks at all metrics, in milliseconds.
const LOOKS_APART: u64 = 1000;

/// An expiring fact about a peer. Source: `Metric` of Go ipfs-cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// Whom it is about; the sender, which the owner has checked.
    pub peer: PeerId,
    /// What it tells, as `freespace`.
    pub name: String,
    /// The fact.
    pub value: String,
    /// Greater is better.
    pub weight: i64,
    /// Whether peers of one value form a group.
    pub is_group: bool,
    /// Whether the sender itself takes it for valid.
    pub is_valid: bool,
    /// By the sender's clock.
    pub expires: Time,
    /// When it came, by the owner's clock.
    pub received: Time,
}

impl Metric {
    fn is_current(&self, now: Time) -> bool {
        self.is_valid && now <= self.expires
    }
}

/// A metric that ran out without a newer one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// The newest one, expired.
    pub metric: Metric,
    /// When that was noticed.
    pub noticed: Time,
}

/// The newest metric of each name and peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    own: PeerId,
    newest: BTreeMap<PeerId, BTreeMap<String, Metric>>,
    /// Since when a peer's pings have come without a gap.
    since: BTreeMap<PeerId, Time>,
    /// Those whose end was told already.
    told: BTreeSet<(PeerId, String)>,
    alerts: VecDeque<Alert>,
    alerted: u64,
    /// When something may have run out, or may be forgotten; not later than that.
    next_look: Option<Time>,
}

impl Members {
    /// Nobody but this peer.
    #[must_use]
    pub fn new(own: PeerId) -> Self {
        Self {
            own,
            newest: BTreeMap::new(),
            since: BTreeMap::new(),
            told: BTreeSet::new(),
            alerts: VecDeque::new(),
            alerted: 0,
            next_look: None,
        }
    }

    /// Takes a metric in place of the one of its name; `false` when it is too large or one too many.
    pub fn take(&mut self, metric: Metric) -> bool {
        let is_small = metric.name.len() <= NAME_BYTES_MAX && metric.value.len() <= VALUE_BYTES_MAX;
        let has_room = self.newest.len() < PEERS_MAX || self.newest.contains_key(&metric.peer);
        if !is_small || !has_room {
            return false;
        }
        let is_known = self.is_member(&metric.peer, metric.received);
        let names = self.newest.entry(metric.peer).or_default();
        if names.len() >= NAMES_MAX && !names.contains_key(&metric.name) {
            return false;
        }
        // One that had run out before it came, as from a peer with a wrong clock, is no sign of life.
        if metric.is_current(metric.received) {
            self.told.remove(&(metric.peer, metric.name.clone()));
        }
        if metric.name == PING && !is_known {
            self.since.insert(metric.peer, metric.received);
        }
        let ends = metric.expires.plus_millis(1);
        self.next_look = Some(self.next_look.map_or(ends, |next| next.min(ends)));
        names.insert(metric.name.clone(), metric);
        true
    }

    /// Whether a peer counts: it is this one, or its newest ping is valid.
    #[must_use]
    pub fn is_member(&self, peer: &PeerId, now: Time) -> bool {
        *peer == self.own || self.current(peer, PING, now).is_some()
    }

    /// Since when a peer has been a member without a gap; `None` while it is none.
    #[must_use]
    pub fn member_since(&self, peer: &PeerId, now: Time) -> Option<Time> {
        self.since.get(peer).copied().filter(|_| self.is_member(peer, now))
    }

    /// The members, this peer among them, in the order of their ids.
    #[must_use]
    pub fn members(&self, now: Time) -> BTreeSet<PeerId> {
        let others = self.newest.keys().filter(|peer| self.is_member(peer, now)).copied();
        others.chain([self.own]).collect()
    }

    /// The newest metric of a name if it is valid now.
    #[must_use]
    pub fn current(&self, peer: &PeerId, name: &str, now: Time) -> Option<&Metric> {
        self.newest.get(peer)?.get(name).filter(|metric| metric.is_current(now))
    }

    /// All metrics of a name that are valid now, by peer.
    pub fn of_name(&self, name: &str, now: Time) -> impl Iterator<Item = &Metric> {
        self.newest.keys().filter_map(move |peer| self.current(peer, name, now))
    }

    /// All metrics of a peer that are valid now, by name.
    pub fn of_peer(&self, peer: &PeerId, now: Time) -> impl Iterator<Item = &Metric> {
        let of_it = self.newest.get(peer).into_iter().flat_map(BTreeMap::values);
        of_it.filter(move |metric| metric.is_current(now))
    }

    /// The names that any peer has told.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        self.newest.values().flat_map(BTreeMap::keys).map(String::as_str).collect()
    }

    /// The members that have a valid metric of each of these names.
    #[must_use]
    pub fn candidates(&self, names: &[String], now: Time) -> Vec<Candidate> {
        let of = |peer: &PeerId, name: &String| {
            self.current(peer, name, now).map(|metric| allocator::Metric {
                value: metric.value.clone(),
                weight: metric.weight,
                is_group: metric.is_group,
            })
        };
        let candidate = |peer: PeerId| {
            let metrics = names.iter().map(|name| of(&peer, name)).collect::<Option<_>>()?;
            Some(Candidate { peer, metrics })
        };
        self.members(now).into_iter().filter_map(candidate).collect()
    }

    /// When [`Self::check`] has something to look for; `None` while there is no metric.
    #[must_use]
    pub fn next_check(&self) -> Option<Time> {
        self.next_look
    }

    /// Looks for metrics that ran out since the last look; each is told once. Before
    /// [`Self::next_check`] there is nothing to find.
    pub fn check(&mut self, now: Time) -> Vec<Alert> {
        if self.next_look.is_none_or(|next| now < next) {
            return Vec::new();
        }
        let mut fresh = Vec::new();
        for metric in self.newest.values().flat_map(BTreeMap::values) {
            let has_run_out = metric.is_valid && metric.expires < now;
            if has_run_out && self.told.insert((metric.peer, metric.name.clone())) {
                fresh.push(Alert { metric: metric.clone(), noticed: now });
            }
        }
        for alert in &fresh {
            self.alerts.push_front(alert.clone());
        }
        self.alerts.truncate(ALERTS_MAX);
        self.alerted += fresh.len() as u64;
        self.forget_silent(now);
        self.next_look = self.next_end().map(|end| end.max(now.plus_millis(LOOKS_APART)));
        fresh
    }

    /// When the next metric runs out that has not, or the next peer is forgotten.
    fn next_end(&self) -> Option<Time> {
        let untold = |metric: &&Metric| {
            metric.is_valid && !self.told.contains(&(metric.peer, metric.name.clone()))
        };
        let ends = self.newest.values().flat_map(BTreeMap::values).filter(untold);
        let ends = ends.map(|metric| metric.expires.plus_millis(1));
        let last = |names: &BTreeMap<String, Metric>| names.values().map(|one| one.expires).max();
        let forgotten = self.newest.values().filter_map(last);
        ends.chain(forgotten.map(|end| end.plus_millis(FORGOTTEN_AFTER + 1))).min()
    }

    fn forget_silent(&mut self, now: Time) {
        self.newest.retain(|_, names| {
            names.values().any(|metric| metric.expires.plus_millis(FORGOTTEN_AFTER) >= now)
        });
        let newest = &self.newest;
        self.since.retain(|peer, _| newest.contains_key(peer));
        self.told.retain(|(peer, _)| newest.contains_key(peer));
    }

    /// The peers that told anything, and were not forgotten.
    pub fn heard_of(&self) -> impl Iterator<Item = &PeerId> {
        self.newest.keys()
    }

    /// Forgets all that a peer told, until it tells more.
    pub fn forget(&mut self, peer: &PeerId) {
        self.newest.remove(peer);
        self.since.remove(peer);
        self.told.retain(|(told, _)| told != peer);
        self.alerts.retain(|alert| alert.metric.peer != *peer);
    }

    /// The kept alerts, the newest first.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter()
    }

    /// Alerts since the start.
    #[must_use]
    pub fn alerted(&self) -> u64 {
        self.alerted
    }

    /// Metrics that ran out and were not renewed.
    #[must_use]
    pub fn run_out(&self) -> usize {
        self.told.len()
    }

    /// The peers that told anything lately, and this one, in the order of their ids.
    #[must_use]
    pub fn known(&self) -> BTreeSet<PeerId> {
        self.newest.keys().copied().chain([self.own]).collect()
    }

    /// The newest metric of a name, whether it is still valid or not.
    #[must_use]
    pub fn newest(&self, peer: &PeerId, name: &str) -> Option<&Metric> {
        self.newest.get(peer)?.get(name)
    }

    /// Since when a peer's ping has run out; `None` while it is valid, or when there never was one.
    #[must_use]
    pub fn silent_since(&self, peer: &PeerId, now: Time) -> Option<Time> {
        let ping = self.newest.get(peer)?.get(PING)?;
        (ping.expires < now).then_some(ping.expires)
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

    fn metric(peer: PeerId, name: &str, expires: u64) -> Metric {
        Metric {
            peer,
            name: name.to_owned(),
            value: "v".to_owned(),
            weight: 7,
            is_group: false,
            is_valid: true,
            expires: Time(expires),
            received: Time(0),
        }
    }

    #[test]
    fn a_peer_is_a_member_while_its_ping_is_valid_and_we_always_are() {
        let mut members = Members::new(peer(0));
        assert_eq!(members.members(Time(0)), BTreeSet::from([peer(0)]));
        assert!(members.take(metric(peer(1), PING, 100)));
        assert!(members.is_member(&peer(1), Time(100)));
        assert!(!members.is_member(&peer(1), Time(101)));
        assert_eq!(members.silent_since(&peer(1), Time(101)), Some(Time(100)));
        members.take(Metric { is_valid: false, ..metric(peer(1), PING, 500) });
        assert!(!members.is_member(&peer(1), Time(101)));
    }

    #[test]
    fn a_candidate_has_every_metric_that_is_asked_for() {
        let names = ["tag:group".to_owned(), "freespace".to_owned()];
        let mut members = Members::new(peer(0));
        members.take(metric(peer(1), PING, 100));
        members.take(metric(peer(1), "tag:group", 100));
        assert!(members.candidates(&names, Time(1)).is_empty());
        members.take(metric(peer(1), "freespace", 50));
        let found = members.candidates(&names, Time(1));
        assert_eq!(found.iter().map(|found| found.peer).collect::<Vec<_>>(), [peer(1)]);
        assert!(members.candidates(&names, Time(51)).is_empty());
    }

    #[test]
    fn the_end_of_a_metric_is_told_once_until_a_fresh_one_comes() {
        let mut members = Members::new(peer(0));
        members.take(metric(peer(1), PING, 100));
        assert!(members.check(Time(100)).is_empty());
        assert_eq!(members.check(Time(101)).len(), 1);
        assert!(members.check(Time(200)).is_empty());
        members.take(metric(peer(1), PING, 300));
        assert!(members.check(Time(300)).is_empty());
        assert_eq!(members.check(Time(301)).len(), 1);
        assert_eq!((members.alerts().count(), members.alerted(), members.run_out()), (2, 2, 1));
        // Nothing is left to happen but that the peer is forgotten.
        assert_eq!(members.next_check(), Some(Time(301 + FORGOTTEN_AFTER)));
        members.check(Time(301 + FORGOTTEN_AFTER));
        assert!(members.names().is_empty());
    }

    #[test]
    fn a_look_is_due_when_the_first_metric_runs_out_and_seldom_more_often_than_each_second() {
        let mut members = Members::new(peer(0));
        assert_eq!(members.next_check(), None);
        members.take(metric(peer(1), PING, 5000));
        members.take(metric(peer(1), "freespace", 5200));
        members.take(metric(peer(0), PING, 9000));
        assert_eq!(members.next_check(), Some(Time(5001)));
        assert_eq!(members.check(Time(5001)).len(), 1);
        assert_eq!(members.next_check(), Some(Time(6001)));
        assert_eq!(members.check(Time(6001)).len(), 1);
        assert_eq!(members.next_check(), Some(Time(9001)));
    }

    #[test]
    fn a_clock_that_is_behind_gives_one_alert_and_not_one_each_round() {
        let mut members = Members::new(peer(0));
        for round in 1..4 {
            let received = Time(round * 15_000);
            members.take(Metric { received, ..metric(peer(1), PING, round * 100) });
            assert_eq!(members.check(received).len(), usize::from(round == 1));
        }
    }

    #[test]
    fn too_many_and_too_large_metrics_are_refused() {
        let mut members = Members::new(peer(0));
        for number in 0..NAMES_MAX {
            assert!(members.take(metric(peer(1), &format!("m{number}"), 1)));
        }
        assert!(!members.take(metric(peer(1), "one more", 1)));
        assert!(members.take(metric(peer(1), "m0", 2)));
        let value = "x".repeat(VALUE_BYTES_MAX + 1);
        assert!(!members.take(Metric { value, ..metric(peer(1), "m0", 3) }));
    }
}

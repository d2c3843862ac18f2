//! Candidates and replication -> allocations. Decides alone, from what is known here and now.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use common::ids::PeerId;
use common::pin::Replication;

/// The newest valid value of one metric that allocation looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// As the peer told it.
    pub value: String,
    /// Greater is better.
    pub weight: i64,
    /// Whether peers of one value form a group, to be spread over.
    pub is_group: bool,
}

/// A peer that can take pins: it has a valid value of every metric that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which peer.
    pub peer: PeerId,
    /// In the order of the setting (`tag:group`, then `freespace`). All candidates have as many.
    pub metrics: Vec<Metric>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// How many peers.
    pub replication: Replication,
    /// Peers that hold it now; they keep it where they can.
    pub current: &'a [PeerId],
    /// Peers to prefer among the new ones.
    pub preferred: &'a [PeerId],
}

/// Fewer candidates than needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotEnough {
    /// Fewest peers.
    pub needed: usize,
    /// Peers found, current ones included.
    pub found: usize,
}

/// Chooses the peers that shall hold a pin; empty for everywhere.
///
/// 1. Of the current allocations count those that are candidates.
/// 2. At least `min` of them: the allocations stay as they are, dead ones included, up to `max`.
/// 3. Otherwise they are filled up to `max` with the preferred, then the other candidates, each
///    balanced over groups and by weight.
///
/// Source: `allocate.go` and the balanced allocator of Go ipfs-cluster 1.1.6. Where Go leaves a
/// choice to chance, the order of peer ids decides.
///
/// # Errors
/// [`NotEnough`] when `min` cannot be met.
pub fn allocate(wish: &Wish<'_>, candidates: &[Candidate]) -> Result<Vec<PeerId>, NotEnough> {
    let (min, max) = match wish.replication {
        Replication::Everywhere => return Ok(Vec::new()),
        Replication::Between { min, max } => (usize::from(min.get()), usize::from(max.get())),
        Replication::Unusable { .. } => {
            return Err(NotEnough { needed: 1, found: 0 });
        }
    };
    let current: BTreeSet<PeerId> = wish.current.iter().copied().collect();
    let (held, free): (Vec<&Candidate>, Vec<&Candidate>) =
        candidates.iter().partition(|candidate| current.contains(&candidate.peer));
    if held.len() > max {
        return Ok(held.iter().take(max).map(|candidate| candidate.peer).collect());
    }
    if held.len() >= min {
        return Ok(wish.current.to_vec());
    }
    if candidates.len() < min {
        return Err(NotEnough { needed: min, found: candidates.len() });
    }
    let (preferred, others): (Vec<&Candidate>, Vec<&Candidate>) =
        free.into_iter().partition(|candidate| wish.preferred.contains(&candidate.peer));
    let ordered = balanced(preferred).into_iter().chain(balanced(others));
    let wanted = max - held.len();
    Ok(held.iter().map(|candidate| candidate.peer).chain(ordered.take(wanted)).collect())
}

/// All candidates, best first: groups take turns, and inside a group the weights decide.
fn balanced(candidates: Vec<&Candidate>) -> Vec<PeerId> {
    let mut group = Group::of(candidates, 0);
    std::iter::from_fn(|| group.next()).collect()
}

/// Candidates that are equal up to a metric, split by the next one.
struct Group {
    value: String,
    /// Own weight, then the sums of the metrics below.
    weights: Vec<i128>,
    parts: VecDeque<Group>,
    peers: VecDeque<PeerId>,
}

impl Group {
    fn of(mut candidates: Vec<&Candidate>, level: usize) -> Self {
        candidates.sort_by_key(|candidate| candidate.peer);
        let levels = candidates.first().map_or(0, |candidate| candidate.metrics.len());
        let weights = (level..levels)
            .map(|at| {
                let metrics = candidates.iter().filter_map(|candidate| candidate.metrics.get(at));
                metrics.map(|metric| i128::from(metric.weight)).sum()
            })
            .collect();
        let mut group =
            Self { value: String::new(), weights, parts: VecDeque::new(), peers: VecDeque::new() };
        if level >= levels {
            group.peers = candidates.into_iter().map(|candidate| candidate.peer).collect();
            return group;
        }
        let mut parts = split(&candidates, level);
        parts.sort_by(Self::better_first);
        group.parts = parts.into();
        group
    }

    fn better_first(a: &Self, b: &Self) -> Ordering {
        b.weights.cmp(&a.weights).then_with(|| a.value.cmp(&b.value))
    }

    /// The next peer of the part whose turn it is.
    fn next(&mut self) -> Option<PeerId> {
        if let Some(peer) = self.peers.pop_front() {
            return Some(peer);
        }
        while let Some(mut part) = self.parts.pop_front() {
            if let Some(peer) = part.next() {
                self.parts.push_back(part);
                return Some(peer);
            }
        }
        None
    }
}

/// One part for each value of a grouping metric, one for each peer otherwise.
fn split(candidates: &[&Candidate], level: usize) -> Vec<Group> {
    let mut parts: BTreeMap<(&str, Option<PeerId>), Vec<&Candidate>> = BTreeMap::new();
    for candidate in candidates {
        let Some(metric) = candidate.metrics.get(level) else {
            continue;
        };
        let alone = (!metric.is_group).then_some(candidate.peer);
        parts.entry((&metric.value, alone)).or_default().push(candidate);
    }
    let part = |((value, _), members): ((&str, _), Vec<&Candidate>)| {
        let own = members.iter().filter_map(|member| member.metrics.get(level));
        let own: i128 = own.map(|metric| i128::from(metric.weight)).sum();
        let mut group = Group::of(members, level + 1);
        group.value = value.to_owned();
        group.weights.insert(0, own);
        group
    };
    parts.into_iter().map(part).collect()
}

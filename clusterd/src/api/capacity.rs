//! How much content a cluster can still take.

use common::pin::Replication;

/// The most bytes of content such that each copy goes to another daemon, of which `free` are left.
#[must_use]
pub fn capacity(replication: Replication, free: &[u64]) -> u64 {
    let copies = match replication {
        Replication::Between { max, .. } => usize::from(max.get()).min(free.len()),
        Replication::Everywhere | Replication::Unusable { .. } => free.len(),
    };
    let mut sorted = free.to_vec();
    sorted.sort_unstable();
    let (mut sum, mut best) = (0_u128, 0_u128);
    for (place, least) in sorted.iter().enumerate() {
        sum += u128::from(*least);
        let larger = sorted.len() - place - 1;
        if let Some(rest) = copies.checked_sub(larger).filter(|rest| *rest > 0) {
            let most = (sum / rest as u128).min(u128::from(u64::MAX));
            best = best.max(most.min(sorted.get(place + 1).map_or(most, |next| u128::from(*next))));
        }
    }
    u64::try_from(best).unwrap_or(u64::MAX)
}

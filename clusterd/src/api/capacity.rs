//! How much content a cluster can still take, when each byte of it is kept several times.

use common::pin::Replication;

/// Most bytes of content that fit with this replication, when each byte goes to as many different
/// Kubos as it says (its maximum, or all; fewer where there are fewer), and each Kubo has no more than
/// its share of `free` bytes. 0 with fewer Kubos than must hold a pin, and for factors that nobody pins.
///
/// It counts bytes alone: a single pin may be too large for every Kubo. At most `u64::MAX`.
#[must_use]
pub fn capacity(replication: Replication, free: &[u64]) -> u64 {
    let copies = match replication {
        Replication::Everywhere => free.len(),
        Replication::Between { min, .. } if usize::from(min.get()) > free.len() => 0,
        Replication::Between { max, .. } => usize::from(max.get()).min(free.len()),
        Replication::Unusable { .. } => 0,
    };
    // X bytes fit as soon as the sum of min(free, X) is at least copies * X, as no Kubo is of use for
    // more than one copy of each byte. That sum is the least, over all k, of k * X and what the Kubos
    // but the k with most space have together; so each k below `copies` gives a limit of its own.
    let mut sorted = free.to_vec();
    sorted.sort_unstable();
    let mut left: u128 = sorted.iter().copied().map(u128::from).sum();
    let mut most = u128::MAX;
    for needed in (1..=copies).rev() {
        most = most.min(left / needed as u128);
        left -= u128::from(sorted.pop().unwrap_or_default());
    }
    match copies {
        0 => 0,
        _ => u64::try_from(most).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn up_to(max: i32) -> Replication {
        Replication::from_stored(1, max)
    }

    #[test]
    fn everywhere_the_smallest_counts() {
        assert_eq!(capacity(Replication::Everywhere, &[7, 3, 9]), 3);
        assert_eq!(capacity(Replication::Everywhere, &[7]), 7);
        assert_eq!(capacity(Replication::Everywhere, &[]), 0);
    }

    #[test]
    fn one_copy_takes_all_and_more_copies_their_part() {
        assert_eq!(capacity(up_to(1), &[7, 3, 9]), 19);
        assert_eq!(capacity(up_to(2), &[10, 10, 10]), 15);
        assert_eq!(capacity(up_to(2), &[10, 10, 11]), 15);
        // A large one is of use for one copy of each byte alone.
        assert_eq!(capacity(up_to(2), &[1000, 2, 3]), 5);
        assert_eq!(capacity(up_to(2), &[1000, 0, 0]), 0);
        assert_eq!(capacity(up_to(3), &[1000, 900, 2, 3]), 5);
    }

    #[test]
    fn with_fewer_kubos_than_copies_there_are_fewer_copies() {
        assert_eq!(capacity(up_to(5), &[7, 3]), 3);
        assert_eq!(capacity(up_to(5), &[7]), 7);
        assert_eq!(capacity(up_to(5), &[]), 0);
    }

    #[test]
    fn with_fewer_kubos_than_must_hold_it_nothing_is_taken() {
        assert_eq!(capacity(Replication::from_stored(3, 4), &[7, 3]), 0);
        assert_eq!(capacity(Replication::from_stored(2, 4), &[7, 3]), 3);
    }

    #[test]
    fn unlimited_space_does_not_overflow() {
        let all = [u64::MAX; 5];
        for copies in 1..=6 {
            assert_eq!(capacity(up_to(copies), &all), u64::MAX);
        }
        assert_eq!(capacity(Replication::Everywhere, &all), u64::MAX);
        assert_eq!(capacity(up_to(2), &[u64::MAX, u64::MAX, 1]), u64::MAX);
        assert_eq!(capacity(up_to(2), &[u64::MAX, 4, 1]), 5);
    }

    #[test]
    fn factors_that_nobody_pins_take_nothing() {
        assert_eq!(capacity(Replication::Unusable { min: 3, max: 1 }, &[7]), 0);
    }

    /// Puts byte after byte to the Kubos with most space, which never does worse than another choice.
    fn taken_one_by_one(copies: usize, mut free: Vec<u64>) -> u64 {
        let mut taken = 0;
        loop {
            free.sort_unstable_by(|a, b| b.cmp(a));
            if copies == 0 || free[copies - 1] == 0 {
                return taken;
            }
            free.iter_mut().take(copies).for_each(|left| *left -= 1);
            taken += 1;
        }
    }

    proptest! {
        #[test]
        fn it_is_what_fits_byte_by_byte(
            free in proptest::collection::vec(0u64..60, 0..7),
            max in 1i32..8,
        ) {
            let copies = free.len().min(usize::try_from(max).unwrap());
            let everywhere = capacity(Replication::Everywhere, &free);
            prop_assert_eq!(everywhere, taken_one_by_one(free.len(), free.clone()));
            prop_assert_eq!(capacity(up_to(max), &free), taken_one_by_one(copies, free));
        }
    }
}

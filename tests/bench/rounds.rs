//! Measures sides in turn, in another order each round, so that no side has the quiet times alone.

use crate::BenchError;
use crate::figure::Side;
use harness::random::Random;

/// What each side gave, `N` quantities a round.
#[derive(Debug)]
pub(crate) struct Rounds<const N: usize>(Vec<(Side, Vec<[f64; N]>)>);

/// Measures every side once a round.
///
/// # Errors
/// The first error of `measure`.
pub(crate) fn interleave<const N: usize>(
    sides: &[Side],
    rounds: usize,
    random: &mut Random,
    mut measure: impl FnMut(Side) -> Result<[f64; N], BenchError>,
) -> Result<Rounds<N>, BenchError> {
    let mut results: Vec<_> = sides.iter().map(|side| (*side, Vec::new())).collect();
    let mut order: Vec<usize> = (0..sides.len()).collect();
    for _ in 0..rounds {
        random.shuffle(&mut order);
        for place in &order {
            let (side, samples) = &mut results[*place];
            samples.push(measure(*side)?);
        }
    }
    Ok(Rounds(results))
}

impl<const N: usize> Rounds<N> {
    /// One of the quantities, of all sides.
    pub(crate) fn column(&self, index: usize) -> Vec<(Side, Vec<f64>)> {
        let column = |samples: &[[f64; N]]| samples.iter().map(|sample| sample[index]).collect();
        self.0.iter().map(|(side, samples)| (*side, column(samples))).collect()
    }

    /// The same without the sides for which it means nothing.
    pub(crate) fn column_of(&self, index: usize, sides: &[Side]) -> Vec<(Side, Vec<f64>)> {
        self.column(index).into_iter().filter(|(side, _)| sides.contains(side)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_side_is_measured_once_a_round_and_keeps_its_own_samples() {
        let sides = [Side::Ours, Side::Go, Side::Kubo];
        let mut calls = 0_u32;
        let rounds = interleave(&sides, 4, &mut Random::seeded(7), |side| {
            calls += 1;
            Ok([if side == Side::Go { 1.0 } else { 0.0 }, f64::from((calls - 1) / 3)])
        });
        let rounds = rounds.unwrap();
        assert_eq!(rounds.column_of(0, &[Side::Go]), vec![(Side::Go, vec![1.0; 4])]);
        for (_, round_numbers) in rounds.column(1) {
            assert_eq!(round_numbers, vec![0.0, 1.0, 2.0, 3.0]);
        }
    }
}

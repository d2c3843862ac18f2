//! What is measured: each side's samples, round by round, and what is read from them.

use serde::{Deserialize, Serialize};

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Side {
    /// proxyd, or both our daemons, with the shipped settings.
    #[serde(rename = "ours")]
    Ours,
    /// Ours with `wait = "accepted"`, while it is measured beside ours.
    #[serde(rename = "ours, accepted")]
    OursAccepted,
    /// A cluster of ours whose IPFS daemon is ours.
    #[serde(rename = "one level more")]
    OneLevel,
    /// A cluster of ours above that one.
    #[serde(rename = "two levels more")]
    TwoLevels,
    /// What stands behind the proxies, without one.
    #[serde(rename = "upstream alone")]
    Upstream,
    /// The real Kubo, without a proxy.
    #[serde(rename = "Kubo alone")]
    Kubo,
    /// Go ipfs-cluster, through its proxy.
    #[serde(rename = "Go ipfs-cluster")]
    Go,
    /// haproxy, one thread, its own buffer size.
    #[serde(rename = "haproxy")]
    Haproxy,
    /// haproxy, one thread, 128 KiB buffers and splice.
    #[serde(rename = "haproxy 128K+splice")]
    HaproxyTuned,
    /// nginx, one worker.
    #[serde(rename = "nginx")]
    Nginx,
}

impl Side {
    /// Its name for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::OursAccepted => "ours, accepted",
            Self::OneLevel => "one level more",
            Self::TwoLevels => "two levels more",
            Self::Upstream => "upstream alone",
            Self::Kubo => "Kubo alone",
            Self::Go => "Go",
            Self::Haproxy => "haproxy",
            Self::HaproxyTuned => "haproxy 128K+splice",
            Self::Nginx => "nginx",
        }
    }
}

/// Which way is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    /// As a rate.
    Higher,
    /// As a cost.
    Lower,
}

/// All samples of one side, one a round, in the order of the rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Series {
    /// Who.
    pub(crate) side: Side,
    /// The middle sample.
    pub(crate) median: f64,
    /// Median of the same-round ratios of our side to this one; absent where we were not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ours_to_this: Option<f64>,
    /// Every sample.
    pub(crate) samples: Vec<f64>,
}

/// What must be reached. Source: the project's list of figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Goal {
    /// Our median itself.
    Value(f64),
    /// Our ratio to another side.
    Ratio {
        /// The other one.
        against: Side,
        /// The bound.
        bound: f64,
    },
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// What was measured, in words.
    pub(crate) what: String,
    /// The unit of all samples.
    pub(crate) unit: String,
    /// Which way is good.
    pub(crate) better: Better,
    /// Ours first.
    pub(crate) series: Vec<Series>,
    /// What must be reached; absent for figures that only inform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) goal: Option<Goal>,
    /// Whether it is; absent without a goal, or when a side of it was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reached: Option<bool>,
}

impl Figure {
    /// Reads medians and ratios from samples; each side has one sample a round.
    pub(crate) fn new(
        what: impl Into<String>,
        unit: &str,
        better: Better,
        samples: Vec<(Side, Vec<f64>)>,
    ) -> Self {
        let ours = samples.iter().find(|(side, _)| *side == Side::Ours).map(|(_, own)| own.clone());
        let series = samples.into_iter().map(|(side, samples)| Series {
            side,
            median: round(median(&samples)),
            ours_to_this: (ours.as_ref().filter(|_| side != Side::Ours))
                .map(|ours| round(ratio(ours, &samples))),
            samples: samples.into_iter().map(round).collect(),
        });
        let series = series.collect();
        Self { what: what.into(), unit: unit.to_owned(), better, series, goal: None, reached: None }
    }

    /// Sets a bound for our median.
    #[must_use]
    pub(crate) fn with_value_goal(self, bound: f64) -> Self {
        self.with_goal(Goal::Value(bound))
    }

    /// Sets a bound for the ratio of our side to another one.
    #[must_use]
    pub(crate) fn with_ratio_goal(self, against: Side, bound: f64) -> Self {
        self.with_goal(Goal::Ratio { against, bound })
    }

    /// Sets a goal and judges it.
    #[must_use]
    pub(crate) fn with_goal(mut self, goal: Goal) -> Self {
        let (found, bound) = match goal {
            Goal::Value(bound) => (self.side(Side::Ours).map(|ours| ours.median), bound),
            Goal::Ratio { against, bound } => {
                let pair = self.side(Side::Ours).zip(self.side(against));
                (pair.map(|(ours, other)| ratio(&ours.samples, &other.samples)), bound)
            }
        };
        self.reached = found.map(|found| match self.better {
            Better::Higher => found >= bound,
            Better::Lower => found <= bound,
        });
        self.goal = Some(goal);
        self
    }

    /// The samples of one side.
    pub(crate) fn side(&self, side: Side) -> Option<&Series> {
        self.series.iter().find(|series| series.side == side)
    }
}

/// The middle value (the mean of the two middle ones); 0 for none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle.wrapping_sub(1)), sorted.get(middle)) {
        (Some(below), Some(above)) if sorted.len().is_multiple_of(2) => {
            f64::midpoint(*below, *above)
        }
        (_, Some(value)) => *value,
        (_, None) => 0.0,
    }
}

/// Median of the ratios within the same round: what disturbs a round disturbs both of its sides.
pub(crate) fn ratio(ours: &[f64], other: &[f64]) -> f64 {
    let ratios: Vec<f64> = ours.iter().zip(other).map(|(one, two)| one / two).collect();
    median(&ratios)
}

/// Four digits are more than the noise leaves; more would only blur the differences of two runs.
fn round(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let scale = 10_f64.powf(3.0 - value.abs().log10().floor());
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(ours: &[f64], peer: &[f64]) -> Figure {
        let samples = vec![(Side::Ours, ours.to_vec()), (Side::Haproxy, peer.to_vec())];
        Figure::new("requests", "1/s", Better::Higher, samples)
    }

    #[test]
    fn a_ratio_compares_only_samples_of_the_same_round() {
        // The second round was disturbed: both sides lost half, and the ratio did not.
        let figure = rates(&[200.0, 100.0, 200.0], &[100.0, 50.0, 100.0]);
        assert_eq!(figure.side(Side::Haproxy).unwrap().ours_to_this, Some(2.0));
        assert_eq!(figure.side(Side::Ours).unwrap().ours_to_this, None);
    }

    #[test]
    fn a_goal_is_judged_by_the_direction_of_its_figure() {
        let figure = rates(&[99.0], &[100.0]);
        assert_eq!(figure.clone().with_ratio_goal(Side::Haproxy, 1.0).reached, Some(false));
        let cost = Figure { better: Better::Lower, ..figure };
        assert_eq!(cost.clone().with_ratio_goal(Side::Haproxy, 1.0).reached, Some(true));
        assert_eq!(cost.clone().with_value_goal(98.0).reached, Some(false));
        assert_eq!(cost.with_ratio_goal(Side::Nginx, 1.0).reached, None);
    }

    #[test]
    fn the_median_of_an_even_count_lies_between_the_middle_values() {
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn values_keep_four_digits() {
        assert_eq!(round(64_696.4), 64_700.0);
        assert_eq!(round(0.012_345_6), 0.012_35);
        assert_eq!(round(f64::NAN), 0.0);
    }
}

//! What a simulation knows: a figure, and how far it can be trusted.
//!
//! Calls that follow each other wait alike, so single calls say nothing of the error. The run is cut into long batches
//! of equal length; these are nearly independent, and their spread gives the interval (the method of batch means; A. M.
//! Law, "Simulation Modeling and Analysis"). A figure is a ratio of sums, with the error of a ratio estimator.

use serde::Serialize;

/// More batches make them shorter, and the interval hardly smaller.
pub(super) const MOST_BATCHES: usize = 30;

/// Student's t for 99 %, two-sided, by degrees of freedom from 1 to 29.
const T: [f64; MOST_BATCHES - 1] = [
    63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.250, 3.169, 3.106, 3.055, 3.012, 2.977, 2.947, 2.921,
    2.898, 2.878, 2.861, 2.845, 2.831, 2.819, 2.807, 2.797, 2.787, 2.779, 2.771, 2.763, 2.756,
];

/// What was not seen once in n calls has, with 99.5 % confidence, a probability below 5.3 / n (1 − 0.005^(1/n)).
const UNSEEN: f64 = 5.298;

/// Neighbouring batches that are more alike than this are not independent: of 30 that are, one correlation in a hundred
/// is that large.
const ALIKE: f64 = 0.45;

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    pub value: f64,
    /// Of the 99 % interval around the value; `None` where a single batch tells no spread.
    pub half_width: Option<f64>,
    /// Neighbouring batches are alike: the run is too short, and the true interval wider.
    pub batches_too_short: bool,
}

impl Estimate {
    /// The ratio of two sums over batches. `scale` is what one call can add to the value: the interval is never smaller
    /// than what such calls could add that were too rare to be seen in `calls`.
    pub(super) fn of_ratio(batches: &[(f64, f64)], scale: f64, calls: u64) -> Estimate {
        let (above, below) = batches.iter().fold((0.0, 0.0), |sum, batch| (sum.0 + batch.0, sum.1 + batch.1));
        if below <= 0.0 {
            return Estimate { value: 0.0, half_width: None, batches_too_short: false };
        }
        let value = above / below;
        let residuals: Vec<f64> = batches.iter().map(|(above, below)| above - value * below).collect();
        let squares: f64 = residuals.iter().map(|residual| residual * residual).sum();
        let count = residuals.len() as f64;
        let half_width = residuals.len().checked_sub(2).and_then(|at| T.get(at)).map(|t| {
            let error = (squares / (count - 1.0) * count).sqrt() / below;
            (t * error).max(scale * UNSEEN / calls.max(1) as f64)
        });
        let neighbours: f64 = residuals.windows(2).map(|pair| pair.iter().product::<f64>()).sum();
        let batches_too_short = residuals.len() >= MOST_BATCHES && neighbours > ALIKE * squares;
        Estimate { value, half_width, batches_too_short }
    }

    /// Whether the interval holds this value.
    pub fn holds(&self, value: f64) -> bool {
        self.half_width.is_some_and(|half_width| (self.value - value).abs() <= half_width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_of_equal_size_give_students_interval() {
        let estimate = Estimate::of_ratio(&[(10.0, 100.0), (20.0, 100.0), (30.0, 100.0)], 1.0, 300);
        assert_eq!(estimate.value, 0.2);
        let expected = 9.925 * 0.1 / 3f64.sqrt();
        assert!((estimate.half_width.unwrap() - expected).abs() < 1e-12, "{estimate:?}");
        assert!(estimate.holds(0.7) && !estimate.holds(0.8));
    }

    #[test]
    fn a_single_batch_tells_no_spread_and_an_empty_one_nothing() {
        assert_eq!(Estimate::of_ratio(&[(10.0, 100.0)], 1.0, 100).half_width, None);
        assert_eq!(Estimate::of_ratio(&[(0.0, 0.0); 5], 1.0, 0).half_width, None);
        assert!(!Estimate::of_ratio(&[(10.0, 100.0)], 1.0, 100).holds(0.1));
    }

    #[test]
    fn what_was_never_seen_may_still_be() {
        let estimate = Estimate::of_ratio(&[(0.0, 500.0); 30], 1.0, 15_000);
        assert!(estimate.holds(0.000_3) && !estimate.holds(0.000_4), "{estimate:?}");
    }

    #[test]
    fn neighbours_that_are_alike_are_told() {
        let slow: Vec<(f64, f64)> = (0..30).map(|n| (f64::from(n / 10), 10.0)).collect();
        let fast: Vec<(f64, f64)> = (0..30).map(|n| (f64::from(n % 3), 10.0)).collect();
        assert!(Estimate::of_ratio(&slow, 1.0, 300).batches_too_short);
        assert!(!Estimate::of_ratio(&fast, 1.0, 300).batches_too_short);
    }
}

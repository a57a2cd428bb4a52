//! How long who comes now will probably wait, from the queue's own recent flow.
//!
//! The estimate is the queue-length predictor of W. Whitt, "Predicting Queueing Delays", Management Science 45(6), 1999:
//! whoever has n callers ahead is answered after n + 1 more answers. While callers wait, answers follow each other at a
//! rate that is measured here, on this queue, from the last answers that were given while somebody waited: so agents who
//! also serve other queues, and callers who give up, are in the measure. The wait is then a sum of n + 1 intervals; its
//! spread, and the spread of the measured mean of k intervals, give the range: about four callers of five are answered
//! within it. The gamma distribution of that sum is approximated by E. B. Wilson and M. M. Hilferty, "The Distribution
//! of Chi-Square", PNAS 17, 1931.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// So many intervals are kept; older ones say little of now.
const MOST: usize = 32;
/// Fewer intervals than this do not tell a rate.
const FEWEST: usize = 4;
/// What is older is not recent.
const RECENT: Duration = Duration::from_secs(30 * 60);
/// The standard normal deviate of one caller in ten beyond either end.
const DEVIATE: f64 = 1.2816;

/// Answers that were given while callers waited.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Flow {
    /// Since when callers wait without an answer; `None` while nobody does.
    waiting_since: Option<Instant>,
    /// When each answer was, and how long it had been waited for.
    intervals: VecDeque<(Instant, Duration)>,
}

impl Flow {
    /// A caller waits, where nobody did before.
    pub(super) fn begin(&mut self, now: Instant) {
        self.waiting_since.get_or_insert(now);
    }

    /// A caller was answered; whether others still wait.
    pub(super) fn answered(&mut self, others_wait: bool, now: Instant) {
        if let Some(since) = self.waiting_since {
            if self.intervals.len() >= MOST {
                self.intervals.pop_front();
            }
            self.intervals.push_back((now, now.since(since)));
        }
        self.waiting_since = others_wait.then_some(now);
    }

    /// Nobody waits any more: the last one left.
    pub(super) fn end(&mut self) {
        self.waiting_since = None;
    }

    /// The range of the probable wait of a caller with so many ahead; `None` where the recent flow does not tell.
    pub(super) fn estimate(&self, ahead: usize, now: Instant) -> Option<(Duration, Duration)> {
        let recent: Vec<f64> = self
            .intervals
            .iter()
            .filter(|(at, _)| now.since(*at) <= RECENT)
            .map(|(_, interval)| interval.as_secs_f64())
            .collect();
        if recent.len() < FEWEST {
            return None;
        }
        let known = recent.len() as f64;
        let turns = ahead as f64 + 1.0;
        let expected = turns * recent.iter().sum::<f64>() / known;
        // The variance of a mean of k intervals adds to that of the n + 1 to come; both are relative.
        let shape = 1.0 / (1.0 / turns + 1.0 / known);
        let end = |deviate: f64| {
            let root = 1.0 - 1.0 / (9.0 * shape) + deviate / (3.0 * shape.sqrt());
            Duration::from_secs_f64((expected * root.max(0.0).powi(3)).clamp(0.0, 86_400.0))
        };
        Some((end(-DEVIATE), end(DEVIATE)))
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha12Rng;
    use rand_core::{RngCore, SeedableRng};

    use super::*;

    fn at(seconds: f64) -> Instant {
        Instant(0) + Duration::from_secs_f64(seconds)
    }

    /// One answer every `every` seconds, `count` of them, while others wait.
    fn steady(every: f64, count: u32) -> (Flow, Instant) {
        let mut flow = Flow::default();
        flow.begin(at(0.0));
        (1..=count).for_each(|n| flow.answered(true, at(every * f64::from(n))));
        (flow, at(every * f64::from(count)))
    }

    #[test]
    fn too_few_or_old_answers_tell_nothing() {
        let (flow, now) = steady(30.0, 3);
        assert_eq!(flow.estimate(0, now), None);
        let (flow, now) = steady(30.0, 4);
        assert!(flow.estimate(0, now).is_some());
        assert_eq!(flow.estimate(0, now + RECENT + Duration::from_secs(1)), None);
    }

    #[test]
    fn the_range_holds_the_mean_and_grows_with_the_line() {
        let (flow, now) = steady(30.0, 32);
        for ahead in [0, 1, 5, 20] {
            let mean = 30.0 * (ahead as f64 + 1.0);
            let (least, most) = flow.estimate(ahead, now).unwrap();
            assert!(least.as_secs_f64() < mean && mean < most.as_secs_f64(), "{ahead}: {least:?} to {most:?}");
        }
    }

    #[test]
    fn time_without_anybody_waiting_does_not_count() {
        let (mut flow, now) = steady(10.0, 32);
        let before = flow.estimate(3, now);
        flow.end();
        let later = now + Duration::from_secs(600);
        flow.begin(later);
        assert_eq!(flow.estimate(3, later), before);
    }

    /// Exponential intervals: four callers of five find their wait in the range.
    #[test]
    fn about_four_of_five_are_answered_within_the_range() {
        let seed = 0x657774;
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let mut exponential = |mean: f64| {
            let uniform = (f64::from(rng.next_u32()) + 1.0) / (f64::from(u32::MAX) + 2.0);
            -mean * uniform.ln()
        };
        for ahead in [0usize, 3, 12] {
            let mut within = 0;
            for _ in 0..2_000 {
                let mut flow = Flow::default();
                let mut clock = 0.0;
                flow.begin(at(0.0));
                for _ in 0..24 {
                    clock += exponential(20.0);
                    flow.answered(true, at(clock));
                }
                let (least, most) = flow.estimate(ahead, at(clock)).unwrap();
                let wait: f64 = (0..=ahead).map(|_| exponential(20.0)).sum();
                within += u32::from((least.as_secs_f64()..=most.as_secs_f64()).contains(&wait));
            }
            let share = f64::from(within) / 2_000.0;
            assert!((0.74..0.86).contains(&share), "seed {seed:#x}: {ahead} ahead: {share}");
        }
    }
}

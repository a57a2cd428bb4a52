//! How long who comes now will probably wait, from the queue's own recent flow.
//!
//! Whoever has n callers ahead is answered after n + 1 steps forward. While callers wait, agents take them at a rate c; a
//! step with k callers ahead of one is an answer, or one of these gives up, each of them at a rate θ. So the wait is a sum
//! of intervals with the means 1 / (c + kθ), k from n down to 0: the estimator QLm of R. Ibrahim and W. Whitt, "Real-Time
//! Delay Estimation in Overloaded Multiserver Queues with Abandonments", Management Science 55(10), 2009; where nobody
//! gives up, the queue-length predictor of W. Whitt, "Predicting Queueing Delays", Management Science 45(6), 1999.
//!
//! Both rates are measured here, on this queue: c from the last answers and the time in which somebody waited for them, so
//! agents who also serve other queues are in the measure; θ from the last callers who waited, how long, and how many of
//! them left unanswered. The spread of the sum, and that of the two measures, give the range: about four callers of five
//! are answered within it. The gamma distribution of such a sum is approximated by E. B. Wilson and M. M. Hilferty, "The
//! Distribution of Chi-Square", PNAS 17, 1931.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// So many intervals are kept; older ones say little of now.
const MOST: usize = 32;
/// Fewer intervals than this do not tell a rate.
const FEWEST: usize = 4;
/// So many callers who waited are kept: of these few give up.
const MOST_WAITS: usize = 128;
/// What is older is not recent.
const RECENT: Duration = Duration::from_secs(30 * 60);
/// The standard normal deviate of one caller in ten beyond either end.
const DEVIATE: f64 = 1.2816;
/// A longer line is summed up in so many parts.
const PARTS: usize = 512;

/// What happened while callers waited.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Flow {
    /// Since when callers wait without an answer; `None` while nobody does.
    waiting_since: Option<Instant>,
    /// Before that: the time in which callers waited, since the last answer.
    waited_before: Duration,
    /// When each answer was, and how long it had been waited for.
    intervals: VecDeque<(Instant, Duration)>,
    waits: VecDeque<Wait>,
}

/// Of a caller who waits no longer.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Wait {
    ended: Instant,
    length: Duration,
    answered: bool,
}

impl Flow {
    /// A caller waits, where nobody did before.
    pub(super) fn begin(&mut self, now: Instant) {
        self.waiting_since.get_or_insert(now);
    }

    /// A caller was answered after such a wait; whether others still wait.
    pub(super) fn answered(&mut self, waited: Duration, others_wait: bool, now: Instant) {
        if let Some(since) = self.waiting_since {
            let interval = std::mem::take(&mut self.waited_before) + now.since(since);
            push(&mut self.intervals, MOST, (now, interval));
            push(&mut self.waits, MOST_WAITS, Wait { ended: now, length: waited, answered: true });
        }
        self.waiting_since = others_wait.then_some(now);
    }

    /// A caller left unanswered after such a wait; whether others still wait.
    pub(super) fn left(&mut self, waited: Duration, others_wait: bool, now: Instant) {
        let Some(since) = self.waiting_since else { return };
        push(&mut self.waits, MOST_WAITS, Wait { ended: now, length: waited, answered: false });
        if !others_wait {
            self.waiting_since = None;
            self.waited_before += now.since(since);
        }
    }

    /// The range of the probable wait of a caller with so many ahead; `None` where the recent flow does not tell.
    pub(super) fn estimate(&self, ahead: usize, now: Instant) -> Option<(Duration, Duration)> {
        let recent = |at: Instant| now.since(at) <= RECENT;
        let intervals = self.intervals.iter().filter(|(at, _)| recent(*at));
        let (answers, time) = intervals.fold((0, 0.0), |sum, (_, length)| (sum.0 + 1, sum.1 + length.as_secs_f64()));
        if answers < FEWEST {
            return None;
        }
        let (answers, rate) = (answers as f64, answers as f64 / f64::max(time, 1e-9));
        let waits = self.waits.iter().filter(|wait| recent(wait.ended));
        let (left, time) = waits.fold((0.0, 0.0), |sum, wait| {
            (sum.0 + f64::from(u8::from(!wait.answered)), sum.1 + wait.length.as_secs_f64())
        });
        let leaving = if time > 0.0 { left / time } else { 0.0 };

        let turns = ahead.saturating_add(1);
        let part = turns.div_ceil(PARTS);
        // With them: how much the sum changes with the logarithm of either rate.
        let (mut expected, mut variance, mut by_rate, mut by_leaving) = (0.0, 0.0, 0.0, 0.0);
        for first in (0..turns).step_by(part) {
            let places = part.min(turns - first) as f64;
            let leavers = leaving * (first as f64 + (places - 1.0) / 2.0);
            let mean = 1.0 / (rate + leavers);
            expected += places * mean;
            variance += places * mean * mean;
            by_rate += places * rate * mean * mean;
            by_leaving += places * leavers * mean * mean;
        }
        variance += by_rate * by_rate / answers + by_leaving * by_leaving / f64::max(left, 1.0);
        let shape = expected * expected / variance;
        let end = |deviate: f64| {
            let root = 1.0 - 1.0 / (9.0 * shape) + deviate / (3.0 * shape.sqrt());
            Duration::from_secs_f64((expected * root.max(0.0).powi(3)).clamp(0.0, 86_400.0))
        };
        Some((end(-DEVIATE), end(DEVIATE)))
    }
}

/// The oldest goes where there are so many.
fn push<T>(kept: &mut VecDeque<T>, most: usize, new: T) {
    if kept.len() >= most {
        kept.pop_front();
    }
    kept.push_back(new);
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
        (1..=count).for_each(|n| flow.answered(Duration::from_secs(60), true, at(every * f64::from(n))));
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
        let mut flow = Flow::default();
        for n in 0..8 {
            flow.begin(at(100.0 * f64::from(n)));
            flow.answered(Duration::from_secs(10), false, at(100.0 * f64::from(n) + 10.0));
        }
        let (busy, now) = steady(10.0, 8);
        assert_eq!(flow.estimate(3, at(710.0)), busy.estimate(3, now));
    }

    #[test]
    fn time_in_which_the_last_one_gave_up_counts() {
        let (mut flow, now) = steady(10.0, 31);
        flow.left(Duration::from_secs(1), false, now + Duration::from_secs(90));
        flow.begin(now + Duration::from_secs(500));
        flow.answered(Duration::from_secs(10), true, now + Duration::from_secs(510));
        let rate = 32.0 / (310.0 + 90.0 + 10.0);
        let (least, most) = flow.estimate(0, now + Duration::from_secs(510)).unwrap();
        assert!(least.as_secs_f64() < 1.0 / rate && 1.0 / rate < most.as_secs_f64(), "{least:?} to {most:?}");
        let (without, _) = steady(10.0, 32);
        assert!(most > without.estimate(0, at(320.0)).unwrap().1);
    }

    /// A hundred callers in line, of whom each gives up after 90 s on average, an answer every 10 s: Σ 1 / (1/10 + k/90).
    #[test]
    fn those_ahead_who_give_up_shorten_the_wait() {
        let (mut flow, now) = steady(10.0, 32);
        let patient = flow.estimate(99, now).unwrap();
        for nth in 0..64 {
            flow.left(Duration::from_secs(60), true, now + Duration::from_millis(nth));
        }
        // 32 were answered and 64 left, after 60 s each.
        let leaving = 64.0 / (96.0 * 60.0);
        let mean: f64 = (0..100).map(|ahead| 1.0 / (0.1 + f64::from(ahead) * leaving)).sum();
        let (least, most) = flow.estimate(99, now).unwrap();
        assert!(least.as_secs_f64() < mean && mean < most.as_secs_f64(), "{mean}: {least:?} to {most:?}");
        assert!(most < patient.0 / 2, "{most:?}, {patient:?}");
    }

    #[test]
    fn a_long_line_is_summed_in_parts() {
        let (mut flow, now) = steady(10.0, 32);
        flow.left(Duration::from_secs(3_000), true, now);
        let seconds = |ahead| flow.estimate(ahead, now).unwrap().1.as_secs_f64();
        let (one_by_one, in_parts) = (seconds(PARTS - 1), seconds(PARTS));
        assert!(in_parts > one_by_one && in_parts < one_by_one * 1.01, "{one_by_one}, {in_parts}");
        assert!(seconds(20_000) > seconds(19_000));
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
                    flow.answered(Duration::ZERO, true, at(clock));
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

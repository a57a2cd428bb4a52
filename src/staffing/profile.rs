//! The calls of a day.

use super::{Performance, Traffic};

/// How many calls are expected in each interval. Within an interval they come as a Poisson process of one rate; after
/// the last one the first follows.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    interval: f64,
    calls: Vec<f64>,
}

impl Profile {
    /// `interval` in seconds. `None` where no call at all is expected, or a number is no count.
    pub fn new(interval: f64, calls: Vec<f64>) -> Option<Profile> {
        let counts = calls.iter().all(|count| count.is_finite() && *count >= 0.0);
        let fine = counts && calls.iter().any(|count| *count > 0.0) && interval.is_finite() && interval > 0.0;
        fine.then_some(Profile { interval, calls })
    }

    /// From the first interval to the end of the last.
    pub fn seconds(&self) -> f64 {
        self.interval * self.calls.len() as f64
    }

    /// Mean calls a second.
    pub fn rate(&self) -> f64 {
        self.calls.iter().sum::<f64>() / self.seconds()
    }

    /// Whether its intervals differ.
    pub fn varies(&self) -> bool {
        self.calls.windows(2).any(|pair| pair.first() != pair.last())
    }

    /// The time of the call that follows on one at `after`, where `exposure` is drawn from the exponential distribution
    /// of mean 1: so many calls are expected in between.
    pub fn next_call(&self, after: f64, mut exposure: f64) -> f64 {
        let mut nth = (after / self.interval) as usize;
        let mut from = after;
        loop {
            let calls = self.calls.get(nth % self.calls.len().max(1)).copied().unwrap_or_default();
            let rate = calls / self.interval;
            let end = (nth + 1) as f64 * self.interval;
            let expected = rate * (end - from);
            if exposure < expected {
                return from + exposure / rate;
            }
            exposure -= expected.max(0.0);
            (nth, from) = (nth + 1, end);
        }
    }

    /// What theory says of the whole: each interval as if it went on for ever, weighted by its calls. Where the
    /// intervals differ this is an approximation (L. Green and P. Kolesar, "The pointwise stationary approximation",
    /// 1991).
    pub fn performance(&self, aht: f64, patience: Option<f64>, agents: u32, within: f64) -> Performance {
        let mut sum =
            Performance { wait_probability: 0.0, abandonment: 0.0, asa_s: 0.0, service_level: 0.0, occupancy: 0.0 };
        let mut answered = 0.0;
        for calls in self.calls.iter().filter(|calls| **calls > 0.0) {
            let traffic = Traffic { rate: calls / self.interval, aht, patience };
            let part = traffic.performance(agents, within);
            sum.wait_probability += calls * part.wait_probability;
            sum.abandonment += calls * part.abandonment;
            sum.service_level += calls * part.service_level;
            sum.asa_s += calls * (1.0 - part.abandonment) * part.asa_s;
            sum.occupancy += part.occupancy;
            answered += calls * (1.0 - part.abandonment);
        }
        let offered: f64 = self.calls.iter().sum();
        Performance {
            wait_probability: sum.wait_probability / offered,
            abandonment: sum.abandonment / offered,
            asa_s: sum.asa_s / answered,
            service_level: sum.service_level / offered,
            occupancy: sum.occupancy / self.calls.len() as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_come_at_the_rate_of_their_interval_and_never_where_none_are_expected() {
        let profile = Profile::new(10.0, vec![20.0, 0.0, 5.0]).unwrap();
        assert_eq!(profile.next_call(0.0, 1.0), 0.5);
        assert_eq!(profile.next_call(9.5, 1.5), 21.0, "one expected call is left before the pause");
        assert_eq!(profile.next_call(28.0, 3.0), 31.0, "the next day");
        assert_eq!((profile.seconds(), profile.rate()), (30.0, 25.0 / 30.0));
    }

    #[test]
    fn a_profile_without_calls_is_none() {
        for calls in [vec![], vec![0.0, 0.0], vec![1.0, -1.0], vec![f64::NAN], vec![f64::INFINITY]] {
            assert_eq!(Profile::new(1_800.0, calls.clone()), None, "{calls:?}");
        }
        assert_eq!(Profile::new(0.0, vec![1.0]), None);
    }

    #[test]
    fn intervals_weigh_as_much_as_their_calls() {
        let (aht, patience, agents) = (240.0, Some(90.0), 12);
        let alone = |calls: f64| Traffic { rate: calls / 1_800.0, aht, patience }.performance(agents, 20.0);
        let (quiet, busy) = (alone(60.0), alone(120.0));
        let whole = Profile::new(1_800.0, vec![60.0, 0.0, 120.0]).unwrap().performance(aht, patience, agents, 20.0);
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} is not {b}");
        near(whole.service_level, (quiet.service_level + 2.0 * busy.service_level) / 3.0);
        near(whole.occupancy, (quiet.occupancy + busy.occupancy) / 3.0);
        let answered = |part: &Performance, calls: f64| calls * (1.0 - part.abandonment);
        let (a, b) = (answered(&quiet, 60.0), answered(&busy, 120.0));
        near(whole.asa_s, (a * quiet.asa_s + b * busy.asa_s) / (a + b));
    }
}

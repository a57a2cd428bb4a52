//! How much of the time an agent has handled contacts lately.
//!
//! A second of work counts in full in the half hour in which it was done, and half as much for each half hour that has
//! begun since. So all that idle agents have done loses weight at the same moments by the same factor, and who is less
//! occupied than another stays so until one of them works: sets of idle agents are sorted by it once, when an agent
//! becomes idle. This is forward decay: G. Cormode et al., "Forward Decay: A Practical Time Decay Model for Streaming
//! Systems", ICDE 2009.

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// Of the process's own clock, in nanoseconds.
const PERIOD: u64 = 30 * 60 * 1_000_000_000;

/// Work done, weighted: a nanosecond of the n-th period counts 2^n. A number of 64 binary digits and its magnitude, so
/// that what was done within twelve hours is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Work {
    /// The value is below 2^exponent, and at least half of that; 0 where there is no work.
    exponent: u64,
    /// Its first digit is 1.
    digits: u64,
}

impl Work {
    /// An agent has worked all the time between two instants.
    pub(super) fn add(&mut self, from: Instant, to: Instant) {
        let mut from = from.0;
        while from < to.0 {
            let period = from / PERIOD;
            let end = (period + 1).saturating_mul(PERIOD).min(to.0);
            *self = self.plus(Work::of(end - from, period));
            from = end;
        }
    }

    fn of(nanos: u64, period: u64) -> Work {
        if nanos == 0 {
            return Work::default();
        }
        let zeros = nanos.leading_zeros();
        Work { exponent: period + u64::from(u64::BITS - zeros), digits: nanos << zeros }
    }

    fn plus(self, other: Work) -> Work {
        let (more, less) = if self >= other { (self, other) } else { (other, self) };
        let shift = u32::try_from(more.exponent - less.exponent).unwrap_or(u32::MAX);
        let wide = |work: Work| u128::from(work.digits) << 63;
        let sum = wide(more) + wide(less).checked_shr(shift).unwrap_or(0);
        let carry = u64::from(sum.leading_zeros() == 0);
        let digits = (sum >> (63 + carry)) as u64;
        Work { exponent: more.exponent + carry, digits }
    }

    /// The share of the time that was work, from 0 to 1, weighted in the same way. Time before the log-in counts as idle.
    pub(super) fn share(self, now: Instant) -> f64 {
        let period = now.0 / PERIOD;
        // All periods before weigh as much together as one whole period of now.
        let time = (now.0 - period * PERIOD + PERIOD) as f64;
        let exponent = self.exponent as i64 - period as i64 - 64;
        let scale = 2f64.powi(i32::try_from(exponent).unwrap_or(i32::MIN));
        (self.digits as f64 * scale / time).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha12Rng;
    use rand_core::{RngCore, SeedableRng};

    use super::*;

    const MINUTE: u64 = 60 * 1_000_000_000;

    fn worked(minutes: &[(u64, u64)]) -> Work {
        let mut work = Work::default();
        minutes.iter().for_each(|(from, to)| work.add(Instant(from * MINUTE), Instant(to * MINUTE)));
        work
    }

    #[test]
    fn one_who_works_all_the_time_is_wholly_occupied() {
        for until in [600, 610, 629] {
            let share = worked(&[(0, until)]).share(Instant(until * MINUTE));
            assert!((share - 1.0).abs() < 1e-5, "{until}: {share}");
        }
    }

    #[test]
    fn work_counts_half_as_much_in_each_half_hour_that_follows() {
        let work = worked(&[(600, 615)]);
        for (at, share) in [(630, 0.25), (660, 0.125), (690, 0.0625)] {
            assert_eq!(work.share(Instant(at * MINUTE)), share, "at minute {at}");
        }
    }

    #[test]
    fn the_order_of_two_who_are_idle_does_not_change() {
        let early = worked(&[(0, 25)]);
        let late = worked(&[(60, 70)]);
        assert!(early < late, "25 minutes of an hour ago count less than 10 of now");
        for at in [70, 90, 300, 3_000] {
            let at = Instant(at * MINUTE);
            assert!(early.share(at) < late.share(at), "at {at:?}");
        }
    }

    #[test]
    fn work_is_the_same_in_whatever_pieces_it_is_added() {
        let mut rng = ChaCha12Rng::seed_from_u64(11);
        for _ in 0..200 {
            let from = u64::from(rng.next_u32()) * 1_000;
            let to = from + u64::from(rng.next_u32()) * 8_000;
            let mut whole = Work::default();
            whole.add(Instant(from), Instant(to));
            let mut pieces = Work::default();
            let mut at = from;
            while at < to {
                let next = (at + u64::from(rng.next_u32()) * 2_000).min(to).max(at + 1);
                pieces.add(Instant(at), Instant(next));
                at = next;
            }
            assert_eq!(pieces, whole, "from {from} to {to}");
        }
    }
}

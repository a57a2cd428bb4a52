//! Who rings: callers whom chance brings, one after the other.

use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use super::{Performance, Profile};
use crate::time::Instant;

/// Somebody who rings, with all that chance decides of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    pub at: Instant,
    /// What they ask for: the place in `Scenario::kinds`.
    pub kind: usize,
    /// How long an agent will be busy with them.
    pub handling: Duration,
    /// How long they wait; `None`: until they are answered.
    pub patience: Option<Duration>,
    /// When they wait no longer they do not give up, but go elsewhere: by a key, or because the plan says so.
    pub goes_elsewhere: bool,
}

/// Calls that come as a Poisson process, with handle times and patience from exponential distributions.
#[derive(Clone, Debug)]
pub struct RandomCalls {
    pub profile: Profile,
    /// The mean handle time in seconds, wrap-up included.
    pub aht: f64,
    /// The mean patience in seconds. `None`: nobody gives up.
    pub patience: Option<f64>,
    /// So many stretches of time that are alike are counted, after one of warm-up.
    pub periods: u32,
    pub period: Duration,
}

impl RandomCalls {
    /// What theory says of so many agents, with answers within `within` seconds wanted.
    pub fn theory(&self, agents: u32, within: f64) -> Performance {
        self.profile.performance(self.aht, self.patience, agents, within)
    }

    /// Each caller's handle time and patience come from generators of their own: with the same seed other numbers of
    /// agents meet the very same callers.
    pub(super) fn draw(&self, seed: u64) -> impl Iterator<Item = Caller> + '_ {
        let mut chances = [1, 2, 3].map(|number| stream(seed, number));
        let end = Instant(0) + self.period * (self.periods + 1);
        let mut last = 0.0;
        std::iter::from_fn(move || {
            let [arrivals, handlings, patiences] = &mut chances;
            last = self.profile.next_call(last, exponential(arrivals, 1.0));
            let handling = seconds(exponential(handlings, self.aht));
            let patience = self.patience.map(|mean| seconds(exponential(patiences, mean)));
            Some(Caller { at: Instant(0) + seconds(last), kind: 0, handling, patience, goes_elsewhere: false })
        })
        .take_while(move |caller| caller.at < end)
    }
}

/// Generators of different numbers are independent.
pub(super) fn stream(seed: u64, number: u64) -> ChaCha12Rng {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    rng.set_stream(number);
    rng
}

/// By inversion; 53 random bits, and never infinite.
pub(super) fn exponential(rng: &mut ChaCha12Rng, mean: f64) -> f64 {
    let uniform = (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    -mean * (-uniform).ln_1p()
}

/// To the nanosecond.
pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

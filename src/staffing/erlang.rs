//! Erlang C and Erlang A: calls that come at random, agents who are alike, one line in order of arrival.
//!
//! Calls are a Poisson process, handle times are exponential. In Erlang C (M/M/N; A. K. Erlang, 1917) nobody gives up.
//! In Erlang A (M/M/N+M; C. Palm, "Research on telephone traffic carried by full availability groups", Tele, 1957) each
//! caller has an exponential patience. Both are one birth-and-death chain, and here one set of formulas.
//!
//! With λ calls a second, N agents who together end Nμ calls a second, patience 1/θ, and ρ = λ / Nμ: given that all
//! agents are busy, let r be the probability that nobody waits. It is 1 − ρ in Erlang C and 1 / A(Nμ/θ, λ/θ) in Erlang
//! A, where A is Palm's function. From Erlang's loss probability B then follows, for both,
//!
//! P(wait) = 1 / (1 + r (1/B − 1)).
//!
//! The rest is in A. Mandelbaum and S. Zeltyn, "Service engineering in action: the Palm/Erlang-A queue, with
//! applications to call centers", 2007. Every quantity is a sum of positive terms, so nothing cancels and nothing
//! overflows: 1/B by its recurrence from the first agent on, the line by a recurrence from its far end to its head.

#[cfg(test)]
mod tests;

use serde::Serialize;

/// More are not looked for.
pub const MOST_AGENTS: u32 = 20_000;

/// What comes to a queue, all the time alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Traffic {
    /// Calls a second.
    pub rate: f64,
    /// The mean handle time: talk, hold and wrap-up.
    pub aht: f64,
    /// The mean time after which a waiting caller gives up. `None`: nobody does.
    pub patience: Option<f64>,
}

/// A service level that is wanted: this share of the offered calls is answered within this time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    pub share: f64,
    pub within: f64,
}

/// What so many agents make of the traffic in the long run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Performance {
    /// The share of offered calls that find no agent free.
    pub wait_probability: f64,
    /// The share of offered calls whose caller gives up.
    pub abandonment: f64,
    /// Average speed of answer: the mean wait of the calls that are answered, those answered at once included.
    pub asa_s: f64,
    /// Answered within the time of the target, of all offered: an abandoned call is never in time.
    pub service_level: f64,
    /// Handling time of available time.
    pub occupancy: f64,
}

impl Performance {
    /// More comes than can be handled, and nobody gives up: the line grows for ever.
    const OVERLOADED: Performance = Performance {
        wait_probability: 1.0,
        abandonment: 0.0,
        asa_s: f64::INFINITY,
        service_level: 0.0,
        occupancy: 1.0,
    };
    const NO_CALLS: Performance =
        Performance { wait_probability: 0.0, abandonment: 0.0, asa_s: 0.0, service_level: 1.0, occupancy: 0.0 };
}

impl Traffic {
    /// In erlangs: so many agents would be busy if there were always enough of them.
    pub fn load(&self) -> f64 {
        self.rate * self.aht
    }

    /// What `agents` make of it; the service level is that of answers within `within`.
    pub fn performance(&self, agents: u32, within: f64) -> Performance {
        if self.rate <= 0.0 {
            return Performance::NO_CALLS;
        }
        let capacity = f64::from(agents) / self.aht;
        let rho = self.rate / capacity;
        let giving_up = self.patience.map_or(0.0, f64::recip);
        if self.patience.is_none() && rho >= 1.0 {
            return Performance::OVERLOADED;
        }
        let line = Line::new(self.rate, capacity, giving_up);
        let wait_probability = 1.0 / (1.0 + line.ln_empty.exp() * (inverse_erlang_b(agents, self.load()) - 1.0));
        let abandonment = wait_probability * line.waiting * giving_up / self.rate;
        let answered = 1.0 - abandonment;
        let late = wait_probability * line.answered_later_than(within, self.rate, capacity, giving_up);
        Performance {
            wait_probability,
            abandonment,
            asa_s: wait_probability * line.passing / (rho * answered),
            service_level: (answered - late).max(0.0),
            occupancy: rho * answered,
        }
    }

    /// The smallest number of agents that meets the target; `None` where it would be more than `MOST_AGENTS`.
    pub fn agents_for(&self, target: Target) -> Option<u32> {
        if self.rate <= 0.0 {
            return Some(0);
        }
        let meets = |agents: u32| self.performance(agents, target.within).service_level >= target.share;
        // From the load on in growing steps: the answer is near it, and the sums are long far below.
        let start = self.load().ceil().clamp(1.0, f64::from(MOST_AGENTS)) as u32;
        let mut step = 1;
        let (mut too_few, mut enough) = (start, start);
        if meets(start) {
            while too_few > 0 && (too_few == enough || meets(too_few)) {
                enough = too_few;
                too_few = too_few.saturating_sub(step);
                step *= 2;
            }
        } else {
            while enough == too_few || !meets(enough) {
                if enough == MOST_AGENTS {
                    return None;
                }
                too_few = enough;
                enough = (enough + step).min(MOST_AGENTS);
                step *= 2;
            }
        }
        while enough - too_few > 1 {
            let middle = too_few + (enough - too_few) / 2;
            *(if meets(middle) { &mut enough } else { &mut too_few }) = middle;
        }
        Some(enough)
    }
}

/// 1/B: B is the share of calls that would be lost if none could wait. Infinite where B is too small for a number.
fn inverse_erlang_b(agents: u32, load: f64) -> f64 {
    (1..=agents).fold(1.0, |inverse, agent| 1.0 + inverse * f64::from(agent) / load)
}

/// The line of waiting calls while all agents are busy, as a call that joins it finds it (PASTA).
#[derive(Clone, Copy, Debug)]
struct Line {
    /// The logarithm of the probability that nobody waits: in an overload far below what a number can hold.
    ln_empty: f64,
    /// The mean number of those who wait.
    waiting: f64,
    /// The mean time in which the line passes by, if nobody else joins: the sum, over the places of those who wait, of
    /// the mean time until somebody leaves.
    passing: f64,
}

impl Line {
    fn new(rate: f64, capacity: f64, giving_up: f64) -> Line {
        if giving_up == 0.0 {
            let rho = rate / capacity;
            let waiting = rho / (1.0 - rho);
            return Line { ln_empty: (1.0 - rho).ln(), waiting, passing: waiting / capacity };
        }
        // Seen from each place on: the part of the line that begins there. Beyond the far end there is nothing.
        let mut line = Line { ln_empty: 0.0, waiting: 0.0, passing: 0.0 };
        for place in (1..=far_end(rate / giving_up, capacity / giving_up)).rev() {
            let leaving = capacity + place as f64 * giving_up;
            let (ratio, empty_behind) = (rate / leaving, line.ln_empty.exp());
            let taken = ratio / (ratio + empty_behind);
            line.ln_empty -= (ratio + empty_behind).ln();
            line.waiting = taken * (1.0 + line.waiting);
            line.passing = taken * (1.0 / leaving + line.passing);
        }
        line
    }

    /// Of the calls that wait, the share that is answered, but later than this.
    ///
    /// With φ(t) = λ(1 − e^−θt)/θ − Nμt, the wait that a caller with endless patience would have has a density that is
    /// proportional to e^φ(t) (F. Baccelli and G. Hebuterne, "On queues with impatient customers", 1981). What follows
    /// after t is the same line with λ e^−θt in the place of λ.
    fn answered_later_than(&self, time: f64, rate: f64, capacity: f64, giving_up: f64) -> f64 {
        let (growth, rate_then) = match giving_up {
            0.0 => (rate * time, rate),
            _ => (-(-giving_up * time).exp_m1() * rate / giving_up, rate * (-giving_up * time).exp()),
        };
        let then = Line::new(rate_then, capacity, giving_up);
        let ln_share = growth - capacity * time + self.ln_empty - then.ln_empty;
        ln_share.exp() * -then.ln_empty.exp_m1() * capacity / rate
    }
}

/// A place that is reached with a probability below 1e-20, given that all agents are busy; by rates in units of θ. The
/// chain's terms grow up to the place where as many leave as come, and fall from there at least as a normal density
/// does.
fn far_end(rate: f64, capacity: f64) -> u64 {
    let summit = (rate - capacity).max(0.0);
    (summit + 11.0 * rate.max(capacity).sqrt() + 100.0) as u64
}

//! Who of those that wait is next: by aged priority, then by the ratio of the time waited to the queue's target, then by
//! the time waited. That is the greatest need, and what agents go by unless they are to go by the order of their queues.
//!
//! By the order of queues: first the aged priority in whole steps, rounded down; then the queue that stands first with the
//! agent; and only then the need as above. So a caller of a later queue waits while others of an earlier one have the same
//! priority, and passes those who come when one step more has been waited for: nobody starves, where priorities age.
//!
//! Priorities age: one step of priority is worth a certain wait, so that whoever waited since s has at the time t the
//! priority p + (t - s) / step. All of a queue age alike, so the order within it is that of s - p * step, a time before
//! which an ordinary caller would have had to come to stand at the same place. It does not change with t: the lines are
//! sorted by it once, when somebody comes. Only across queues, whose steps and targets differ, time changes who is
//! ahead; so an agent who chooses compares the first of each queue, as they are at that moment.

use std::cmp::Ordering;
use std::time::Duration;

use super::contact::Place;
use super::queues::{Queue, QueueIndex};
use crate::settings::CallPreference;
use crate::time::Instant;
use crate::trace::{Rule, rounded};

/// One who waits, as an agent sees them who serves several queues.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) place: Place,
    pub(super) queue: QueueIndex,
    /// Where the queue stands in the agent's own order, and whether they go by it.
    preference: usize,
    by_queue: bool,
    step: Option<Duration>,
    target: Duration,
    /// The step is so many targets, the same number in every queue.
    ages_by_target: bool,
}

impl Claim {
    /// As all agents see it alike.
    pub(super) fn new(place: Place, queue: QueueIndex, of: &Queue) -> Claim {
        let ages_by_target = of.settings.priority_step.is_none();
        let (step, target) = (of.priority_step(), of.settings.answer_within);
        Claim { place, queue, preference: 0, by_queue: false, step, target, ages_by_target }
    }

    /// As an agent sees it with whom the queue stands at this place.
    pub(super) fn of_agent(self, preference: usize, goes_by: CallPreference) -> Claim {
        Claim { preference, by_queue: goes_by == CallPreference::QueueOrder, ..self }
    }

    /// `Less` is served first; and why.
    pub(super) fn compare(&self, other: &Claim, now: Instant) -> (Ordering, Rule) {
        let by_queue = if self.by_queue { self.compare_queues(other, now) } else { None };
        match by_queue.or_else(|| self.compare_need(other, now)) {
            Some((order, Rule::Priority)) if self.place.priority == other.place.priority => {
                (order, self.gains_by(other))
            }
            Some(decided) => decided,
            None => (Ordering::Equal, Rule::OnlyOne),
        }
    }

    /// By the order of queues.
    fn compare_queues(&self, other: &Claim, now: Instant) -> Option<(Ordering, Rule)> {
        decides(other.whole_priority(now).cmp(&self.whole_priority(now)), Rule::Priority)
            .or_else(|| decides(self.preference.cmp(&other.preference), Rule::QueuePreference))
    }

    fn compare_need(&self, other: &Claim, now: Instant) -> Option<(Ordering, Rule)> {
        decides(other.priority_above(self, now), Rule::Priority)
            .or_else(|| decides(other.ratio_above(self, now), Rule::ServiceLevel))
            .or_else(|| decides(self.place.since.cmp(&other.place.since), Rule::LongestWait))
            .or_else(|| decides(self.preference.cmp(&other.preference), Rule::QueuePreference))
            .or_else(|| decides(self.place.arrival.cmp(&other.place.arrival), Rule::FirstCome))
    }

    /// By what one gained more than another of the same priority.
    fn gains_by(&self, other: &Claim) -> Rule {
        if self.queue == other.queue {
            Rule::LongestWait
        } else if self.ages_by_target && other.ages_by_target {
            Rule::ServiceLevel
        } else {
            Rule::Ageing
        }
    }

    pub(super) fn is_before(&self, other: &Claim, now: Instant) -> bool {
        self.compare(other, now).0.is_lt()
    }

    /// As a fraction, so that equals are equal: numerator and denominator.
    fn aged_priority(&self, now: Instant) -> (i128, i128) {
        let priority = i128::from(self.place.priority);
        match self.step.map(nanos).filter(|step| *step > 0) {
            Some(step) => (priority * step + nanos(self.waited(now)), step),
            None => (priority, 1),
        }
    }

    /// In whole steps.
    fn whole_priority(&self, now: Instant) -> i128 {
        let (priority, of) = self.aged_priority(now);
        priority.div_euclid(of)
    }

    fn priority_above(&self, other: &Claim, now: Instant) -> Ordering {
        let ((own, of), (others, of_other)) = (self.aged_priority(now), other.aged_priority(now));
        (own * of_other).cmp(&(others * of))
    }

    fn ratio_above(&self, other: &Claim, now: Instant) -> Ordering {
        (nanos(self.waited(now)) * nanos(other.target)).cmp(&(nanos(other.waited(now)) * nanos(self.target)))
    }

    pub(super) fn waited(&self, now: Instant) -> Duration {
        now.since(self.place.since)
    }

    /// The aged priority, for people.
    pub(super) fn priority(&self, now: Instant) -> f64 {
        let (priority, of) = self.aged_priority(now);
        rounded(priority as f64 / of as f64)
    }

    /// The time waited as a share of the queue's target, for people.
    pub(super) fn ratio(&self, now: Instant) -> f64 {
        rounded(self.waited(now).as_secs_f64() / self.target.as_secs_f64().max(1e-9))
    }
}

fn decides(order: Ordering, rule: Rule) -> Option<(Ordering, Rule)> {
    order.is_ne().then_some((order, rule))
}

/// Exact, and of a bound that products of two stay far within 128 bits.
fn nanos(duration: Duration) -> i128 {
    i128::from(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

//! How busy the agents of a queue were lately, all together: the occupancy of the trade, over the last quarter of an hour.
//!
//! The time in which they handled contacts, of this queue or another, as a share of the time in which they did or could:
//! (talking + holding + wrap-up) / (those + available + reserved + ringing). It is measured anew at each whole minute of
//! the process's clock, so that it stands still between two.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Acd;
use super::queues::Queue;
use crate::time::{Instant, Now};
use crate::trace::rounded;
use crate::views::OccupancyBand;

/// In nanoseconds.
const MINUTE: u64 = 60 * 1_000_000_000;
/// So many whole minutes are looked at.
const LATELY: u64 = 15;
/// Less time of agents does not tell.
const FEWEST: u64 = 5 * MINUTE;

/// The measure of one queue.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Busy {
    /// Up to here time is counted.
    until: Instant,
    /// Agents who handle a contact, and those who do or could.
    handling: u64,
    working: u64,
    /// The last minutes: which, and the nanoseconds of all agents in it.
    minutes: VecDeque<(u64, u64, u64)>,
    /// At the last whole minute.
    share: Option<f64>,
}

impl Busy {
    /// So many more handle a contact, and do or could, from now on; `part` is the opposite.
    pub(super) fn join(&mut self, (handling, working): (u64, u64), now: Instant) {
        self.pass(now);
        self.handling += handling;
        self.working += working;
    }

    pub(super) fn part(&mut self, (handling, working): (u64, u64), now: Instant) {
        self.pass(now);
        self.handling = self.handling.saturating_sub(handling);
        self.working = self.working.saturating_sub(working);
    }

    /// From 0 to 1; `None` where too little was seen.
    pub(super) fn share(&self) -> Option<f64> {
        self.share
    }

    fn pass(&mut self, now: Instant) {
        let mut from = self.until.0.max(now.0.saturating_sub((LATELY + 1) * MINUTE));
        while self.working > 0 && from < now.0 {
            let minute = from / MINUTE;
            let to = now.0.min((minute + 1).saturating_mul(MINUTE));
            let (handled, worked) = ((to - from) * self.handling, (to - from) * self.working);
            match self.minutes.back_mut().filter(|(last, ..)| *last == minute) {
                Some((_, of_handling, of_working)) => {
                    *of_handling += handled;
                    *of_working += worked;
                }
                None => self.minutes.push_back((minute, handled, worked)),
            }
            from = to;
        }
        self.until = self.until.max(now);
        self.forget(now);
    }

    fn forget(&mut self, now: Instant) {
        let oldest = (now.0 / MINUTE).saturating_sub(LATELY);
        while self.minutes.front().is_some_and(|(minute, ..)| *minute < oldest) {
            self.minutes.pop_front();
        }
    }

    /// At a whole minute, or a moment later. Whether the share has changed.
    fn measure(&mut self, now: Instant) -> bool {
        self.pass(now);
        let whole = self.minutes.iter().filter(|(minute, ..)| *minute < now.0 / MINUTE);
        let (handled, worked) = whole.fold((0, 0), |sum, (_, handled, worked)| (sum.0 + handled, sum.1 + worked));
        let share = (worked >= FEWEST).then(|| rounded(handled as f64 / worked as f64));
        std::mem::replace(&mut self.share, share) != share
    }
}

impl Queue {
    pub(super) fn occupancy_band(&self) -> Option<OccupancyBand> {
        let percent = self.busy.share()? * 100.0;
        let (low, high) = self.settings.occupancy_band;
        Some(match percent {
            percent if percent < f64::from(low) => OccupancyBand::Below,
            percent if percent < f64::from(high) => OccupancyBand::Within,
            _ => OccupancyBand::Above,
        })
    }
}

impl Acd {
    /// Agents come, go, or change what they do: from the next whole minute on it is measured.
    pub(super) fn measure_later(&mut self, now: Instant) {
        self.staff_changed = now;
        if self.measure_at.is_none() {
            self.measure_at = Some(next_minute(now));
        }
    }

    pub(super) fn measure(&mut self, now: Now) {
        if self.measure_at.is_none_or(|at| at > now.instant) {
            return;
        }
        for (index, queue) in &mut self.queues {
            if queue.busy.measure(now.instant) {
                self.changed_queues.insert(*index);
            }
        }
        // When nothing has changed for as long as is looked at, nothing will.
        let lasts = now.instant.since(self.staff_changed) > Duration::from_nanos((LATELY + 2) * MINUTE);
        self.measure_at = (!lasts).then(|| next_minute(now.instant));
    }
}

fn next_minute(now: Instant) -> Instant {
    Instant((now.0 / MINUTE + 1).saturating_mul(MINUTE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: f64) -> Instant {
        Instant((minutes * MINUTE as f64) as u64)
    }

    fn shares(busy: &mut Busy, minutes: &[u64]) -> Vec<Option<f64>> {
        let measured = minutes.iter().map(|minute| {
            busy.measure(at(*minute as f64));
            busy.share()
        });
        measured.collect()
    }

    #[test]
    fn the_share_is_that_of_all_agents_over_the_last_quarter_of_an_hour() {
        let mut busy = Busy::default();
        busy.join((0, 1), at(100.0));
        busy.join((1, 1), at(100.0));
        busy.part((1, 1), at(106.0));
        busy.join((0, 1), at(106.0));
        // Six minutes of twenty, of thirty; then the six go by.
        let expected = [Some(0.3), Some(0.2), Some(0.1), Some(0.0)];
        assert_eq!(shares(&mut busy, &[110, 115, 118, 121]), expected);
    }

    #[test]
    fn too_little_time_tells_nothing_and_old_time_neither() {
        let mut busy = Busy::default();
        busy.join((1, 1), at(100.0));
        assert_eq!(shares(&mut busy, &[104, 105]), [None, Some(1.0)]);
        busy.part((1, 1), at(105.0));
        assert_eq!(shares(&mut busy, &[115, 116]), [Some(1.0), None], "five minutes, and then four of them");
    }

    #[test]
    fn a_part_of_a_minute_counts_when_the_minute_is_over() {
        let mut busy = Busy::default();
        busy.join((0, 2), at(99.0));
        busy.part((0, 2), at(103.5));
        busy.join((2, 2), at(103.5));
        assert_eq!(shares(&mut busy, &[103]), [Some(0.0)]);
        busy.measure(at(103.9));
        assert_eq!(busy.share(), Some(0.0));
        assert_eq!(shares(&mut busy, &[104]), [Some(0.1)]);
    }
}

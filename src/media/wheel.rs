//! A timing wheel without allocation: entries are numbers, slots are lists threaded through one table of links.

use std::time::Duration;

use crate::time::Instant;

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Link {
    previous: u32,
    next: u32,
    /// The slot in the ring, or `NONE` while the entry is not scheduled.
    slot: u32,
}

const IDLE: Link = Link { previous: NONE, next: NONE, slot: NONE };

/// `SLOTS` slots of one step each. An entry stands in at most one slot; deadlines are absolute, so nothing drifts.
pub(super) struct Wheel<const SLOTS: usize> {
    step: u64,
    heads: [u32; SLOTS],
    counts: [u32; SLOTS],
    links: Vec<Link>,
    scheduled: usize,
    /// The first slot that has not been worked off, counted from the clock's start.
    cursor: u64,
}

impl<const SLOTS: usize> Wheel<SLOTS> {
    /// A wheel that begins at `now`.
    pub fn new(step: Duration, now: Instant) -> Self {
        let step = u64::try_from(step.as_nanos()).unwrap_or(u64::MAX).max(1);
        Wheel {
            step,
            heads: [NONE; SLOTS],
            counts: [0; SLOTS],
            links: Vec::new(),
            scheduled: 0,
            cursor: now.0.div_ceil(step),
        }
    }

    /// Makes room for entries below `entries`: the only place that allocates.
    pub fn grow(&mut self, entries: usize) {
        if self.links.len() < entries {
            self.links.resize(entries.next_power_of_two(), IDLE);
        }
    }

    /// Puts an entry on the first slot at or after `at`, taking it from where it stood. What is due already goes to the
    /// next slot, what is due past the wheel's end to its last one: the owner looks at its own deadline when called.
    pub fn schedule(&mut self, entry: u32, at: Instant) {
        self.cancel(entry);
        let wanted = at.0.div_ceil(self.step);
        let number = wanted.clamp(self.cursor + 1, self.cursor + SLOTS as u64 - 1);
        let slot = (number % SLOTS as u64) as usize;
        let Some(head) = self.heads.get_mut(slot) else { return };
        let next = *head;
        let Some(link) = self.links.get_mut(entry as usize) else { return };
        *link = Link { previous: NONE, next, slot: slot as u32 };
        *head = entry;
        if let Some(behind) = self.links.get_mut(next as usize) {
            behind.previous = entry;
        }
        self.counts[slot] += 1;
        self.scheduled += 1;
    }

    /// Puts an entry on the emptiest of the next `within` slots.
    pub fn schedule_where_idle(&mut self, entry: u32, within: usize) {
        self.cancel(entry);
        let first = self.cursor + 1;
        let count = |number: u64| self.counts[(number % SLOTS as u64) as usize];
        let best = (first..first + within.clamp(1, SLOTS - 1) as u64).min_by_key(|number| count(*number));
        self.schedule(entry, Instant(best.unwrap_or(first) * self.step));
    }

    pub fn cancel(&mut self, entry: u32) {
        let Some(link) = self.links.get_mut(entry as usize) else { return };
        if link.slot == NONE {
            return;
        }
        let Link { previous, next, slot } = std::mem::replace(link, IDLE);
        match self.links.get_mut(previous as usize) {
            Some(before) => before.next = next,
            None => self.heads[slot as usize % SLOTS] = next,
        }
        if let Some(behind) = self.links.get_mut(next as usize) {
            behind.previous = previous;
        }
        self.counts[slot as usize % SLOTS] -= 1;
        self.scheduled -= 1;
    }

    pub fn is_scheduled(&self, entry: u32) -> bool {
        self.links.get(entry as usize).is_some_and(|link| link.slot != NONE)
    }

    /// Passes over empty slots up to `now`, so that what is scheduled next is not put into the past.
    pub fn keep_up(&mut self, now: Instant) {
        let present = now.0 / self.step;
        if self.scheduled == 0 {
            self.cursor = self.cursor.max(present + 1);
        }
        while self.cursor <= present && self.heads[(self.cursor % SLOTS as u64) as usize] == NONE {
            self.cursor += 1;
        }
    }

    /// Takes out one entry that is due, with the time of its slot. Call until `None`.
    pub fn expire(&mut self, now: Instant) -> Option<(u32, Instant)> {
        self.keep_up(now);
        if self.cursor > now.0 / self.step {
            return None;
        }
        let entry = self.heads[(self.cursor % SLOTS as u64) as usize];
        self.cancel(entry);
        Some((entry, Instant(self.cursor * self.step)))
    }

    /// After a standstill of more than a whole turn the turns are skipped, every entry keeping its place, so that
    /// nobody's backlog goes out as a burst. Returns how many turns were lost.
    pub fn skip_lost_turns(&mut self, now: Instant) -> u64 {
        self.keep_up(now);
        let turns = (now.0 / self.step).saturating_sub(self.cursor) / SLOTS as u64;
        self.cursor += turns * SLOTS as u64;
        turns
    }

    /// When the next entry is due.
    pub fn next(&self) -> Option<Instant> {
        if self.scheduled == 0 {
            return None;
        }
        (self.cursor..self.cursor + SLOTS as u64)
            .find(|number| self.heads[(number % SLOTS as u64) as usize] != NONE)
            .map(|number| Instant(number * self.step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn wheel() -> Wheel<32> {
        let mut wheel = Wheel::new(Duration::from_millis(2), Instant(0));
        wheel.grow(200);
        wheel
    }

    fn drain(wheel: &mut Wheel<32>, now: u64) -> Vec<(u32, u64)> {
        let mut due = Vec::new();
        while let Some((entry, at)) = wheel.expire(Instant(now * MS)) {
            due.push((entry, at.0 / MS));
        }
        due.sort_unstable();
        due
    }

    #[test]
    fn entries_come_out_when_their_slot_is_reached_and_not_before() {
        let mut wheel = wheel();
        wheel.schedule(1, Instant(20 * MS));
        wheel.schedule(2, Instant(19 * MS));
        wheel.schedule(3, Instant(40 * MS));
        assert_eq!(wheel.next(), Some(Instant(20 * MS)));
        assert_eq!(drain(&mut wheel, 19), []);
        assert_eq!(drain(&mut wheel, 21), [(1, 20), (2, 20)]);
        assert_eq!(wheel.next(), Some(Instant(40 * MS)));
        assert_eq!(drain(&mut wheel, 45), [(3, 40)]);
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn an_entry_scheduled_again_stands_in_one_slot() {
        let mut wheel = wheel();
        wheel.schedule(1, Instant(10 * MS));
        wheel.schedule(1, Instant(30 * MS));
        assert_eq!(drain(&mut wheel, 60), [(1, 30)]);
    }

    #[test]
    fn cancelled_entries_leave_their_neighbours_in_place() {
        let mut wheel = wheel();
        for entry in 0..5 {
            wheel.schedule(entry, Instant(10 * MS));
        }
        wheel.cancel(0);
        wheel.cancel(2);
        wheel.cancel(4);
        assert!(!wheel.is_scheduled(2) && wheel.is_scheduled(3));
        assert_eq!(drain(&mut wheel, 10), [(1, 10), (3, 10)]);
    }

    #[test]
    fn a_rescheduled_entry_keeps_its_pace_however_late_the_ticks_are() {
        let mut wheel = wheel();
        wheel.schedule(7, Instant(20 * MS));
        let mut times = Vec::new();
        for now in [21, 47, 61, 99, 100, 121] {
            while let Some((entry, at)) = wheel.expire(Instant(now * MS)) {
                times.push(at.0 / MS);
                wheel.schedule(entry, at + Duration::from_millis(20));
            }
        }
        assert_eq!(times, [20, 40, 60, 80, 100, 120]);
    }

    #[test]
    fn a_standstill_costs_whole_turns_and_no_burst() {
        let mut wheel = wheel();
        wheel.schedule(7, Instant(20 * MS));
        assert_eq!(wheel.skip_lost_turns(Instant(10_000 * MS)), 155);
        let mut times = 0;
        while let Some((entry, at)) = wheel.expire(Instant(10_000 * MS)) {
            times += 1;
            wheel.schedule(entry, at + Duration::from_millis(20));
        }
        assert!(times <= 4, "{times} packets at once");
    }

    #[test]
    fn what_is_scheduled_after_idle_time_is_not_put_into_the_past() {
        let mut wheel = wheel();
        wheel.schedule(1, Instant(60 * MS));
        wheel.keep_up(Instant(31 * MS));
        wheel.schedule_where_idle(2, 10);
        wheel.schedule(3, Instant(5 * MS));
        assert_eq!(drain(&mut wheel, 31), []);
        assert_eq!(drain(&mut wheel, 60), [(1, 60), (2, 34), (3, 34)]);
        wheel.keep_up(Instant(1_000_000 * MS));
        wheel.schedule_where_idle(2, 10);
        assert!(wheel.next().unwrap() > Instant(1_000_000 * MS));
    }

    #[test]
    fn idle_time_is_no_standstill() {
        let mut wheel = wheel();
        assert_eq!(wheel.skip_lost_turns(Instant(10_000 * MS)), 0);
        wheel.schedule(7, Instant(10_050 * MS));
        assert_eq!(wheel.skip_lost_turns(Instant(10_050 * MS)), 0);
    }

    #[test]
    fn idle_slots_are_filled_evenly() {
        let mut wheel = wheel();
        for entry in 0..100 {
            wheel.schedule_where_idle(entry, 10);
        }
        for turn in 1..=10 {
            assert_eq!(drain(&mut wheel, 2 * turn).len(), 10, "slot {turn}");
        }
    }

    #[test]
    fn deadlines_past_the_end_are_called_at_the_end() {
        let mut wheel = wheel();
        wheel.schedule(1, Instant(10_000 * MS));
        assert_eq!(drain(&mut wheel, 64), [(1, 62)]);
    }
}

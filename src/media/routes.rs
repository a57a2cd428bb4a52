//! Which thread carries a group of legs, a call's or a room's: all of them one and the same, so that nothing between them
//! is locked.
//!
//! Calls gather on few threads. A packet that comes while its thread is still at work costs no wake, and a wake is the
//! dearest part of a relayed packet: two threads at a quarter of their cores cost half as much again as one at half.

use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;

use crate::bridge::Group;
use crate::ids::LegId;

/// Millionths: how shares of a core are counted here.
pub(super) const WHOLE: u64 = 1_000_000;

/// A thread takes new calls until this share of its core is in use, then the next one does. The rest is for what its
/// calls may yet ask of it (a conference costs more than a relay), and for the machine's other work.
const FULL: u64 = WHOLE / 2;

/// What a leg is reckoned at when its thread's clock does not show it yet: it rings, or its packets have only begun.
/// A leg that plays or is relayed needs about as much.
const LEG: u64 = WHOLE / 2000;

/// How much of its core a thread uses, as others may know it.
#[derive(Default)]
pub(super) struct Load {
    /// By the thread's own processor clock, in `WHOLE`ths, over its last measured stretch.
    busy: AtomicU64,
    legs: AtomicU64,
}

impl Load {
    /// For the thread itself: what it measured.
    pub fn tell(&self, busy: u64) {
        self.busy.store(busy, Ordering::Relaxed);
    }

    fn reckoned(&self) -> u64 {
        match self.legs.load(Ordering::Relaxed) {
            // A thread without legs sleeps, and what it measured last is long past.
            0 => 0,
            legs => self.busy.load(Ordering::Relaxed).max(legs * LEG),
        }
    }
}

/// The first thread that is not full; where all are, the one with the least to do.
fn choose(loads: &[u64]) -> usize {
    let open = loads.iter().position(|load| *load < FULL);
    open.or_else(|| (0..loads.len()).min_by_key(|at| loads.get(*at))).unwrap_or(0)
}

struct Gathered {
    thread: usize,
    legs: usize,
}

/// The threads of groups and legs.
#[derive(Default)]
pub(super) struct Routes {
    groups: DashMap<Group, Gathered>,
    legs: DashMap<LegId, (usize, Group)>,
}

impl Routes {
    /// The thread of a new leg: its group's, or the one that `choose` picks for a new group.
    pub fn open<'a>(&self, leg: LegId, group: Group, loads: impl Iterator<Item = &'a Load> + Clone) -> usize {
        if let Some(thread) = self.of(leg) {
            return thread;
        }
        let mut entry = self.groups.entry(group).or_insert_with(|| {
            let reckoned: Vec<u64> = loads.clone().map(Load::reckoned).collect();
            Gathered { thread: choose(&reckoned), legs: 0 }
        });
        entry.legs += 1;
        let thread = entry.thread;
        drop(entry);
        self.legs.insert(leg, (thread, group));
        if let Some(load) = loads.clone().nth(thread) {
            load.legs.fetch_add(1, Ordering::Relaxed);
        }
        thread
    }

    /// The leg goes over to another group: the thread it was on, and the one it is on from now on.
    pub fn move_to<'a>(
        &self,
        leg: LegId,
        group: Group,
        loads: impl Iterator<Item = &'a Load> + Clone,
    ) -> Option<(usize, usize)> {
        let from = self.close(leg, loads.clone())?;
        // A group that nobody is in yet stays where its first leg was.
        self.groups.entry(group).or_insert(Gathered { thread: from, legs: 0 });
        Some((from, self.open(leg, group, loads)))
    }

    /// Forgets a leg, and its group with the last one; the thread it was on.
    pub fn close<'a>(&self, leg: LegId, mut loads: impl Iterator<Item = &'a Load>) -> Option<usize> {
        let (_, (thread, group)) = self.legs.remove(&leg)?;
        if let Some(mut entry) = self.groups.get_mut(&group) {
            entry.legs = entry.legs.saturating_sub(1);
        }
        self.groups.remove_if(&group, |_, entry| entry.legs == 0);
        if let Some(load) = loads.nth(thread) {
            load.legs.fetch_sub(1, Ordering::Relaxed);
        }
        Some(thread)
    }

    pub fn of(&self, leg: LegId) -> Option<usize> {
        self.legs.get(&leg).map(|entry| entry.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{CallId, RoomId};

    fn call(id: u128) -> Group {
        Group::Call(CallId(id))
    }

    #[test]
    fn the_first_thread_that_is_not_full_is_chosen() {
        assert_eq!(choose(&[0, 0]), 0);
        assert_eq!(choose(&[FULL - 1, 0]), 0);
        assert_eq!(choose(&[FULL, 0, 0]), 1);
        assert_eq!(choose(&[FULL + 3, FULL + 2, FULL + 4]), 1, "all are full");
    }

    #[test]
    fn new_legs_fill_a_thread_before_its_clock_shows_them() {
        let (routes, loads) = (Routes::default(), [Load::default(), Load::default()]);
        let threads: Vec<usize> = (0..1100).map(|n| routes.open(LegId(n), call(n.into()), loads.iter())).collect();
        assert_eq!(threads.iter().filter(|thread| **thread == 0).count() as u64, FULL / LEG);
        assert!(threads.is_sorted());
    }

    #[test]
    fn a_thread_whose_clock_says_full_gets_no_new_call_but_the_legs_of_its_own() {
        let (routes, loads) = (Routes::default(), [Load::default(), Load::default()]);
        assert_eq!(routes.open(LegId(1), call(1), loads.iter()), 0);
        loads[0].tell(FULL);
        assert_eq!(routes.open(LegId(2), call(2), loads.iter()), 1);
        assert_eq!(routes.open(LegId(3), call(1), loads.iter()), 0);
    }

    #[test]
    fn what_an_empty_thread_measured_is_past() {
        let (routes, loads) = (Routes::default(), [Load::default(), Load::default()]);
        routes.open(LegId(1), call(1), loads.iter());
        loads[0].tell(WHOLE);
        assert_eq!(routes.close(LegId(1), loads.iter()), Some(0));
        assert_eq!(routes.open(LegId(2), call(2), loads.iter()), 0);
    }

    #[test]
    fn a_leg_that_moves_lives_on_the_thread_of_its_new_call() {
        let (routes, loads) = (Routes::default(), [Load::default(), Load::default()]);
        assert_eq!(routes.open(LegId(1), call(1), loads.iter()), 0);
        loads[0].tell(FULL);
        assert_eq!(routes.open(LegId(2), call(2), loads.iter()), 1);
        assert_eq!(routes.move_to(LegId(2), call(1), loads.iter()), Some((1, 0)));
        assert_eq!((routes.of(LegId(2)), routes.move_to(LegId(9), call(1), loads.iter())), (Some(0), None));
        for leg in [1, 2] {
            routes.close(LegId(leg), loads.iter());
        }
        assert!(routes.groups.is_empty() && routes.legs.is_empty());
    }

    #[test]
    fn those_who_meet_live_on_one_thread_and_stay_there_when_they_part() {
        let (routes, loads) = (Routes::default(), [Load::default(), Load::default()]);
        let room = Group::Room(RoomId(1));
        routes.open(LegId(1), call(1), loads.iter());
        loads[0].tell(FULL);
        routes.open(LegId(2), call(2), loads.iter());
        assert_eq!(routes.move_to(LegId(2), room, loads.iter()), Some((1, 1)), "the first one's");
        assert_eq!(routes.move_to(LegId(1), room, loads.iter()), Some((0, 1)));
        assert_eq!(routes.move_to(LegId(1), call(1), loads.iter()), Some((1, 1)), "nothing is gained by going back");
        for leg in [1, 2] {
            routes.close(LegId(leg), loads.iter());
        }
        assert!(routes.groups.is_empty() && routes.legs.is_empty());
        assert!(loads.iter().all(|load| load.legs.load(Ordering::Relaxed) == 0));
    }

    #[test]
    fn a_call_and_its_legs_leave_nothing_behind() {
        let (routes, loads) = (Routes::default(), [Load::default()]);
        for leg in [1, 2, 2] {
            routes.open(LegId(leg), call(7), loads.iter());
        }
        assert_eq!((routes.of(LegId(2)), routes.of(LegId(9))), (Some(0), None));
        for leg in [1, 2, 2] {
            routes.close(LegId(leg), loads.iter());
        }
        assert!(routes.groups.is_empty() && routes.legs.is_empty());
        assert_eq!(loads[0].legs.load(Ordering::Relaxed), 0);
    }
}

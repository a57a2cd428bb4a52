//! How often something may be done in a while, by whoever does it.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// When something was last done, by each who did it.
#[derive(Debug)]
pub(super) struct Recent<K> {
    window: Duration,
    /// How many are remembered.
    most: usize,
    seen: HashMap<K, VecDeque<Instant>>,
}

impl<K: Eq + Hash + Clone> Recent<K> {
    pub fn new(window: Duration, most: usize) -> Recent<K> {
        Recent { window, most, seen: HashMap::new() }
    }

    /// How long until `who` may do it once more, at most `allowed` times in the window; `None`: now. Where too many are
    /// remembered, who is not among them waits until the oldest are forgotten.
    pub fn wait(&mut self, who: &K, allowed: usize, now: Instant) -> Option<Duration> {
        let window = self.window;
        if self.seen.len() >= self.most && !self.seen.contains_key(who) {
            self.seen.retain(|_, times| forget(times, window, now));
            return (self.seen.len() >= self.most).then_some(window);
        }
        let times = self.seen.get_mut(who)?;
        forget(times, window, now);
        let first = times.front().filter(|_| times.len() >= allowed)?;
        Some(window.saturating_sub(now.duration_since(*first)))
    }

    /// `who` does it.
    pub fn note(&mut self, who: K, now: Instant) {
        self.seen.entry(who).or_default().push_back(now);
    }

    /// What `who` did last does not count.
    pub fn take_back(&mut self, who: &K) {
        if let Some(times) = self.seen.get_mut(who) {
            times.pop_back();
        }
    }

    /// Nothing that `who` did counts.
    pub fn forgive(&mut self, who: &K) {
        self.seen.remove(who);
    }
}

/// Drops what is over; false when nothing is left.
fn forget(times: &mut VecDeque<Instant>, window: Duration, now: Instant) -> bool {
    while times.front().is_some_and(|first| now.duration_since(*first) >= window) {
        times.pop_front();
    }
    !times.is_empty()
}

/// An IPv6 host has a whole /64 of addresses.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
        v4 => v4,
    }
}

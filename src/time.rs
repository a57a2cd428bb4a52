//! Time as an argument. The pure rooms never ask a clock; they are told, and they say when they want to be called again.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point on the monotonic clock, in nanoseconds since the clock's own start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Instant(pub u64);

impl Instant {
    /// Time since `earlier`; zero if `earlier` is later.
    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, rhs: Duration) -> Instant {
        Instant(self.0.saturating_add(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;

    fn sub(self, rhs: Duration) -> Instant {
        Instant(self.0.saturating_sub(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// The wall clock (UTC).
pub type Wall = jiff::Timestamp;

/// The time of an input, on both clocks: decisions use `instant`, records and calendars use `wall`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    pub instant: Instant,
    pub wall: Wall,
}

/// A table of deadlines: at most one for a key. Ties expire in key order, so a run is reproducible.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Vec<(Instant, K)>", into = "Vec<(Instant, K)>")]
#[serde(bound(
    serialize = "K: Serialize + Ord + Clone + Hash",
    deserialize = "K: Deserialize<'de> + Ord + Clone + Hash"
))]
pub struct Deadlines<K: Ord + Clone + Hash> {
    order: BTreeSet<(Instant, K)>,
    at: HashMap<K, Instant>,
}

impl<K: Ord + Clone + Hash> Default for Deadlines<K> {
    fn default() -> Self {
        Deadlines { order: BTreeSet::new(), at: HashMap::new() }
    }
}

impl<K: Ord + Clone + Hash> Deadlines<K> {
    /// Sets the deadline of `key`, replacing an earlier one.
    pub fn set(&mut self, key: K, at: Instant) {
        self.clear(&key);
        self.at.insert(key.clone(), at);
        self.order.insert((at, key));
    }

    /// Removes the deadline of `key` if it has one.
    pub fn clear(&mut self, key: &K) {
        if let Some(at) = self.at.remove(key) {
            self.order.remove(&(at, key.clone()));
        }
    }

    /// The deadline of `key`.
    pub fn get(&self, key: &K) -> Option<Instant> {
        self.at.get(key).copied()
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes out the earliest key that is due at `now`. Call until `None`.
    pub fn expire(&mut self, now: Instant) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        let (_, key) = self.order.pop_first()?;
        self.at.remove(&key);
        Some(key)
    }

    pub fn len(&self) -> usize {
        self.at.len()
    }

    pub fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// The keys that have a deadline, in order of their deadlines.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.order.iter().map(|(_, key)| key)
    }
}

impl<K: Ord + Clone + Hash> From<Vec<(Instant, K)>> for Deadlines<K> {
    fn from(entries: Vec<(Instant, K)>) -> Self {
        let mut deadlines = Deadlines::default();
        for (at, key) in entries {
            deadlines.set(key, at);
        }
        deadlines
    }
}

impl<K: Ord + Clone + Hash> From<Deadlines<K>> for Vec<(Instant, K)> {
    fn from(deadlines: Deadlines<K>) -> Self {
        deadlines.order.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_set_again_replaces_the_first() {
        let mut deadlines = Deadlines::default();
        deadlines.set("a", Instant(10));
        deadlines.set("a", Instant(30));
        deadlines.set("b", Instant(20));
        assert_eq!(deadlines.next(), Some(Instant(20)));
        assert_eq!(deadlines.expire(Instant(25)), Some("b"));
        assert_eq!(deadlines.expire(Instant(25)), None);
        assert_eq!(deadlines.expire(Instant(30)), Some("a"));
        assert!(deadlines.is_empty());
    }

    #[test]
    fn deadlines_survive_serialisation() {
        let mut deadlines = Deadlines::default();
        deadlines.set(7u64, Instant(10));
        deadlines.set(5u64, Instant(10));
        let text = serde_json::to_string(&deadlines).unwrap();
        let mut back: Deadlines<u64> = serde_json::from_str(&text).unwrap();
        assert_eq!(back.expire(Instant(10)), Some(5));
        assert_eq!(back.expire(Instant(10)), Some(7));
    }
}

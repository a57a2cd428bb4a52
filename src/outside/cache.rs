//! Answers that may be used again for a while.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Bounded: when it is full the entry goes whose time is over first.
#[derive(Debug)]
pub struct Cache<K, V> {
    capacity: usize,
    entries: HashMap<K, (V, (Instant, u64))>,
    /// By the end of their time; the number tells entries of one moment apart.
    ends: BTreeMap<(Instant, u64), K>,
    next: u64,
}

impl<K: Clone + Eq + Hash, V: Clone> Cache<K, V> {
    pub fn new(capacity: usize) -> Cache<K, V> {
        Cache { capacity, entries: HashMap::new(), ends: BTreeMap::new(), next: 0 }
    }

    pub fn get(&self, key: &K, now: Instant) -> Option<V> {
        self.entries.get(key).filter(|(_, (end, _))| *end > now).map(|(value, _)| value.clone())
    }

    pub fn put(&mut self, key: K, value: V, keep: Duration, now: Instant) {
        if self.capacity == 0 || keep.is_zero() {
            return;
        }
        if let Some((_, end)) = self.entries.remove(&key) {
            self.ends.remove(&end);
        }
        while let Some(first) = self.ends.first_entry()
            && (self.entries.len() >= self.capacity || first.key().0 <= now)
        {
            self.entries.remove(&first.remove());
        }
        let end = (now + keep, self.next);
        self.next += 1;
        self.ends.insert(end, key.clone());
        self.entries.insert(key, (value, end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_answer_is_used_again_until_its_time_is_over() {
        let start = Instant::now();
        let mut cache = Cache::new(10);
        cache.put("a", 1, 5 * SECOND, start);
        assert_eq!(cache.get(&"a", start + 4 * SECOND), Some(1));
        assert_eq!(cache.get(&"a", start + 5 * SECOND), None);
        cache.put("a", 2, 9 * SECOND, start + SECOND);
        assert_eq!(cache.get(&"a", start + 9 * SECOND), Some(2));
        cache.put("b", 3, SECOND, start + 20 * SECOND);
        assert_eq!((cache.entries.len(), cache.ends.len()), (1, 1), "what is over is thrown away");
    }

    #[test]
    fn it_holds_no_more_than_it_may() {
        let start = Instant::now();
        let mut cache = Cache::new(3);
        for n in 0..100 {
            cache.put(n, n, (100 - n) * SECOND, start);
        }
        assert_eq!((cache.entries.len(), cache.ends.len()), (3, 3));
        assert_eq!(cache.get(&99, start), Some(99), "the newest is in it");
        let mut none = Cache::new(0);
        none.put(1, 1, SECOND, start);
        assert_eq!(none.get(&1, start), None);
    }
}

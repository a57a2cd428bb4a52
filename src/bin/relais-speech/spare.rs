//! What was made, got warm, and is used by nobody now. The next caller need not wait for another one.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The latest few of each use are kept.
pub struct Spare<K, T> {
    kept: Mutex<VecDeque<(K, T)>>,
    most: usize,
}

impl<K: PartialEq, T> Spare<K, T> {
    pub fn new(most: usize) -> Spare<K, T> {
        Spare { kept: Mutex::default(), most }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(K, T)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn take(&self, of: &K) -> Option<T> {
        let mut kept = self.lock();
        let at = kept.iter().rposition(|(key, _)| key == of)?;
        kept.remove(at).map(|(_, spare)| spare)
    }

    pub fn give(&self, of: K, spare: T) {
        let mut kept = self.lock();
        kept.push_back((of, spare));
        // What is dropped takes its time, while which nobody else should wait.
        let oldest = if kept.len() > self.most { kept.pop_front() } else { None };
        drop(kept);
        drop(oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_few_are_kept_each_for_its_use() {
        let spare = Spare::new(2);
        assert_eq!(spare.take(&"ko"), None);
        for (of, what) in [("ko", 1), ("fr", 2), ("ko", 3)] {
            spare.give(of, what);
        }
        assert_eq!(spare.take(&"ko"), Some(3));
        assert_eq!(spare.take(&"ko"), None, "the first was one too many");
        assert_eq!(spare.take(&"fr"), Some(2));
    }
}

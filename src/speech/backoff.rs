//! How long to wait before an engine that failed is tried again.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);
/// An engine that was well for so long failed for the first time.
const WELL: Duration = Duration::from_secs(60);

/// Doubles from 0.2 s to 30 s while failures follow each other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failures: u32,
    ready_since: Option<Instant>,
}

impl Backoff {
    pub fn ready(&mut self, now: Instant) {
        self.ready_since = Some(now);
    }

    /// The wait after a failure now.
    pub fn failed(&mut self, now: Instant) -> Duration {
        if self.ready_since.take().is_some_and(|since| now.saturating_duration_since(since) >= WELL) {
            self.failures = 0;
        }
        let wait = FIRST.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(LONGEST);
        self.failures = (self.failures + 1).min(16);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_start_anew_after_a_good_minute() {
        let now = Instant::now();
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..10).map(|_| backoff.failed(now).as_millis()).collect();
        assert_eq!(waits, [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
        backoff.ready(now);
        assert_eq!(backoff.failed(now + Duration::from_secs(59)), LONGEST, "ready, but not for long");
        backoff.ready(now);
        assert_eq!(backoff.failed(now + Duration::from_secs(60)), FIRST);
    }

    #[test]
    fn a_thousand_failures_are_no_overflow() {
        let now = Instant::now();
        let mut backoff = Backoff::default();
        assert!((0..1_000).map(|_| backoff.failed(now)).all(|wait| wait <= LONGEST));
    }
}

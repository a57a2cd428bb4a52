//! Where a leg's time went: talk, hold, consultation and conference are counted apart, so that AHT = talk + hold + ACW.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// What a leg is doing, as far as its figures care.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Activity {
    /// Not with anybody: ringing, in the IVR, waiting.
    #[default]
    Apart,
    Talk,
    Hold,
    /// In private with the one asked, or waiting for them to answer.
    Consult,
    /// With two others or more, or in a conference room with another.
    Conference,
}

/// A stop-watch with one total an activity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LegClock {
    activity: Activity,
    since: Instant,
    talk: Duration,
    hold: Duration,
    consult: Duration,
    conference: Duration,
}

impl LegClock {
    /// Ends the running activity at `now` and begins `next`.
    pub fn switch(&mut self, next: Activity, now: Instant) {
        let spent = now.since(self.since);
        match self.activity {
            Activity::Apart => {}
            Activity::Talk => self.talk += spent,
            Activity::Hold => self.hold += spent,
            Activity::Consult => self.consult += spent,
            Activity::Conference => self.conference += spent,
        }
        self.activity = next;
        self.since = now;
    }

    pub fn talk_ms(&self) -> u64 {
        millis(self.talk)
    }

    pub fn hold_ms(&self) -> u64 {
        millis(self.hold)
    }

    pub fn consult_ms(&self) -> u64 {
        millis(self.consult)
    }

    pub fn conference_ms(&self) -> u64 {
        millis(self.conference)
    }

    /// All the time with somebody.
    pub fn total(&self) -> Duration {
        self.talk + self.hold + self.consult + self.conference
    }
}

/// Whole milliseconds, as records state durations.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_leg_does_is_counted_apart() {
        let at = |ms: u64| Instant(ms * 1_000_000);
        let mut clock = LegClock::default();
        clock.switch(Activity::Talk, at(1_000));
        clock.switch(Activity::Hold, at(4_000));
        clock.switch(Activity::Talk, at(5_500));
        clock.switch(Activity::Apart, at(6_000));
        clock.switch(Activity::Consult, at(9_000));
        clock.switch(Activity::Conference, at(9_700));
        clock.switch(Activity::Apart, at(9_900));
        clock.switch(Activity::Apart, at(20_000));
        assert_eq!((clock.talk_ms(), clock.hold_ms()), (3_500, 1_500));
        assert_eq!((clock.consult_ms(), clock.conference_ms()), (700, 200));
    }
}

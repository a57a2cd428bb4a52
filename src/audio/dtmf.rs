//! Keys as tones in the speech band (ITU-T Q.23, Q.24).

use serde::{Deserialize, Serialize};

/// The low and the high frequency of a key, in Hz; `event` is its RFC 4733 code (0–9, 10 `*`, 11 `#`, 12–15 A–D).
pub fn dtmf_frequencies(event: u8) -> Option<[u16; 2]> {
    let _ = event;
    None
}

/// Hears keys in linear audio: each once, at least 40 ms long, and none in speech.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DtmfDetector {
    rate_hz: u32,
}

impl DtmfDetector {
    /// For 8000 or 16000 samples a second.
    pub fn new(rate_hz: u32) -> Self {
        DtmfDetector { rate_hz }
    }

    /// The next samples, any number of them up to 20 ms; the event code when a key has become certain in them.
    pub fn detect(&mut self, pcm: &[i16]) -> Option<u8> {
        let _ = (pcm, self.rate_hz);
        None
    }
}

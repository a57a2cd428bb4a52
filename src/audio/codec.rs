//! One encoder and one decoder for every codec of the settings.

use serde::{Deserialize, Serialize};

use crate::settings::Codec;

/// The rate of the linear audio a codec works on: 8000 for G.711, 16000 for G.722 (whose RTP clock is 8000 all the same).
pub fn sample_rate_hz(codec: Codec) -> u32 {
    match codec {
        Codec::Pcmu | Codec::Pcma => 8000,
        Codec::G722 => 16000,
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Encoder {
    Pcmu,
    Pcma,
    G722,
}

impl Encoder {
    pub fn new(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu => Encoder::Pcmu,
            Codec::Pcma => Encoder::Pcma,
            Codec::G722 => Encoder::G722,
        }
    }

    /// Encodes `pcm` (at the codec's rate; an even number of samples for G.722) into the front of `out` and returns the
    /// octets written: as many as both slices hold. 20 ms are 160 octets in every codec.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        let _ = (pcm, out);
        0
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Decoder {
    Pcmu,
    Pcma,
    G722,
}

impl Decoder {
    pub fn new(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu => Decoder::Pcmu,
            Codec::Pcma => Decoder::Pcma,
            Codec::G722 => Decoder::G722,
        }
    }

    /// Decodes `payload` into the front of `out` and returns the samples written, at the codec's rate: one an octet for
    /// G.711, two for G.722; as many as both slices hold.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        let _ = (payload, out);
        0
    }
}

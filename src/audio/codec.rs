//! One encoder and one decoder for every codec that voices have within; for Opus it is the one that carries it.

use serde::{Deserialize, Serialize};

use super::{g711, g722};
use crate::settings::Codec;

/// The rate of the linear audio a codec works on: 8000 for G.711, 16000 for G.722 (whose RTP clock is 8000 all the same,
/// RFC 3551 §4.5.2).
pub fn sample_rate_hz(codec: Codec) -> u32 {
    match codec {
        Codec::Pcmu | Codec::Pcma => 8000,
        Codec::G722 | Codec::Opus => 16000,
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Encoder {
    Pcmu,
    Pcma,
    G722(Box<g722::Encoder>),
}

impl Encoder {
    pub fn new(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu => Encoder::Pcmu,
            Codec::Pcma => Encoder::Pcma,
            Codec::G722 | Codec::Opus => Encoder::G722(Box::new(g722::Encoder::new())),
        }
    }

    /// Encodes `pcm` (at the codec's rate; an even number of samples for G.722) into the front of `out` and returns the
    /// octets written: as many as both slices hold. 20 ms are 160 octets in every codec.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> usize {
        match self {
            Encoder::Pcmu => each(pcm, out, g711::ulaw_encode),
            Encoder::Pcma => each(pcm, out, g711::alaw_encode),
            Encoder::G722(encoder) => {
                let pairs = pcm.as_chunks().0;
                for (place, [first, second]) in out.iter_mut().zip(pairs) {
                    *place = encoder.encode(*first, *second);
                }
                out.len().min(pairs.len())
            }
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Decoder {
    Pcmu,
    Pcma,
    G722(Box<g722::Decoder>),
}

impl Decoder {
    pub fn new(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu => Decoder::Pcmu,
            Codec::Pcma => Decoder::Pcma,
            Codec::G722 | Codec::Opus => Decoder::G722(Box::new(g722::Decoder::new())),
        }
    }

    /// Decodes `payload` into the front of `out` and returns the samples written, at the codec's rate: one an octet for
    /// G.711, two for G.722; as many as both slices hold.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        match self {
            Decoder::Pcmu => each(payload, out, g711::ulaw_decode),
            Decoder::Pcma => each(payload, out, g711::alaw_decode),
            Decoder::G722(decoder) => {
                let pairs = out.as_chunks_mut().0;
                let octets = pairs.len().min(payload.len());
                for (place, octet) in pairs.iter_mut().zip(payload) {
                    *place = decoder.decode(*octet);
                }
                octets * 2
            }
        }
    }
}

/// Converts element by element and returns how many.
fn each<T: Copy, U>(from: &[T], to: &mut [U], convert: impl Fn(T) -> U) -> usize {
    for (place, value) in to.iter_mut().zip(from) {
        *place = convert(*value);
    }
    from.len().min(to.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_milliseconds_are_160_octets_in_every_codec() {
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
            let pcm = vec![1000; sample_rate_hz(codec) as usize / 50];
            let mut octets = [0; 200];
            assert_eq!(Encoder::new(codec).encode(&pcm, &mut octets), 160);
            let mut back = vec![0; 1000];
            assert_eq!(Decoder::new(codec).decode(&octets[..160], &mut back), pcm.len());
        }
    }

    #[test]
    fn short_slices_are_filled_and_no_more() {
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
            assert_eq!(Encoder::new(codec).encode(&[5; 400], &mut [0; 7]), 7);
            let written = Decoder::new(codec).decode(&[5; 400], &mut [0; 7]);
            assert_eq!(written, if codec == Codec::G722 { 6 } else { 7 });
            assert_eq!(Encoder::new(codec).encode(&[], &mut [0; 7]), 0);
        }
    }
}

//! Puts what comes in packets, out of order and with holes, to its place in time.

use crate::audio::{Decoder, Downsampler, Upsampler, sample_rate_hz};
use crate::settings::Codec;

use super::super::voice::{FRAME_OCTETS, Frame, WIDE};

/// Units of RTP time in a second, whatever the codec.
pub(super) const UNITS: u64 = 8000;

/// Nothing is final before it is this old: packets may be late.
pub(super) const LAG: u64 = UNITS;

/// What is held: more than the lag, so that packets with early timestamps have their place too.
const WINDOW: u64 = 3 * UNITS;

/// A packet whose timestamp says a later place than its arrival, by more than this, or an earlier one that is final
/// already, begins a new count: the sender has started anew, or its clock has run away. Packets that a network has held
/// back and hands over all at once still find their places.
const AHEAD: i64 = UNITS as i64 / 2;

/// One side of a recording.
pub(super) struct Timeline {
    /// Samples a unit: 1 at 8 kHz, 2 at 16 kHz.
    per_unit: usize,
    anchor: Option<Anchor>,
    decoder: Option<(Codec, Decoder)>,
    upsampler: Upsampler,
    downsampler: Downsampler,
    /// The samples of the window, each at its place modulo the window's length.
    window: Box<[i16]>,
}

/// A timestamp of the sender's and its place.
#[derive(Clone, Copy)]
struct Anchor {
    timestamp: u32,
    /// May lie before the recording's beginning.
    place: i64,
}

/// A piece that was put in its place: where it begins, and its audio at the rate of the file.
pub(super) struct Placed {
    pub end: u64,
    pub pcm: Frame,
    pub samples: usize,
}

impl Timeline {
    pub fn new(per_unit: usize) -> Timeline {
        Timeline {
            per_unit,
            anchor: None,
            decoder: None,
            upsampler: Upsampler::new(),
            downsampler: Downsampler::new(),
            window: vec![0; WINDOW as usize * per_unit].into_boxed_slice(),
        }
    }

    /// Decodes a payload of at most 20 ms that came at `at`; what lies before `written` or too far ahead is left out.
    pub fn put(&mut self, codec: Codec, timestamp: u32, at: u64, payload: &[u8], written: u64) -> Placed {
        let place = self.place(timestamp, at);
        let mut pcm: Frame = [0; WIDE];
        let samples = self.decode(codec, payload, &mut pcm);
        for (n, sample) in pcm.iter().take(samples).enumerate() {
            let Ok(unit) = u64::try_from(place + (n / self.per_unit) as i64) else { continue };
            if unit >= written && unit < written + WINDOW {
                let slot = (unit % WINDOW) as usize * self.per_unit + n % self.per_unit;
                if let Some(slot) = self.window.get_mut(slot) {
                    *slot = *sample;
                }
            }
        }
        Placed { end: u64::try_from(place + (samples / self.per_unit) as i64).unwrap_or(0), pcm, samples }
    }

    fn place(&mut self, timestamp: u32, at: u64) -> i64 {
        let at = i64::try_from(at).unwrap_or(i64::MAX / 2);
        let counted = self.anchor.map(|anchor| {
            let distance = timestamp.wrapping_sub(anchor.timestamp) as i32;
            anchor.place + i64::from(distance)
        });
        let near = at - LAG as i64..=at + AHEAD;
        let place = counted.filter(|place| near.contains(place)).unwrap_or(at);
        self.anchor = Some(Anchor { timestamp, place });
        place
    }

    fn decode(&mut self, codec: Codec, payload: &[u8], out: &mut Frame) -> usize {
        let payload = payload.get(..payload.len().min(FRAME_OCTETS)).unwrap_or_default();
        let decoder = match &mut self.decoder {
            Some((known, decoder)) if *known == codec => decoder,
            other => &mut other.insert((codec, Decoder::new(codec))).1,
        };
        let mut decoded: Frame = [0; WIDE];
        let samples = decoder.decode(payload, &mut decoded);
        let decoded = decoded.get(..samples).unwrap_or_default();
        match (sample_rate_hz(codec) > 8000, self.per_unit) {
            (false, 2) => self.upsampler.process(decoded, out),
            (true, 1) => self.downsampler.process(decoded, out),
            _ => {
                if let Some(out) = out.get_mut(..samples) {
                    out.copy_from_slice(decoded);
                }
                samples
            }
        }
    }

    /// Takes the sample of a unit out of the window; its slot is silence for the next that comes there.
    pub fn take(&mut self, unit: u64, of_unit: usize) -> i16 {
        let slot = (unit % WINDOW) as usize * self.per_unit + of_unit;
        self.window.get_mut(slot).map(std::mem::take).unwrap_or_default()
    }
}

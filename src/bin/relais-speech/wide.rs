//! Telephone speech for models that have learnt from wide-band speech. Above 4 kHz a telephone has nothing, which such a
//! model takes for another sound: an `s` for an `h`. What is missing is put back as noise, as loud as the highest part of
//! what there is (after Makhoul and Berouti, High-frequency regeneration in speech coding systems, ICASSP 1979).

use std::collections::VecDeque;

use relais::audio::Upsampler;

use crate::noise::White;

pub const NARROW_HZ: u32 = 8_000;
pub const WIDE_HZ: u32 = 16_000;
/// What of the telephone's band the noise is as loud as, and where the noise begins, in Hz.
const UPPER_PART_HZ: f32 = 2_500.0;
const NOISE_HZ: f32 = 4_200.0;
/// There is some noise in any room, or the model hears nothing it knows.
const LEAST_NOISE: f32 = 20.0;
/// Loudness is that of about ten milliseconds.
const FORGETS: f32 = 1.0 / 80.0;
const TAPS: usize = 63;

/// 8 kHz in, 16 kHz out.
pub struct Widener {
    upsampler: Upsampler,
    upper_part: HighPass,
    above: HighPass,
    power: f32,
    white: White,
}

impl Widener {
    pub fn new() -> Widener {
        Widener {
            upsampler: Upsampler::new(),
            upper_part: HighPass::new(UPPER_PART_HZ / NARROW_HZ as f32),
            above: HighPass::new(NOISE_HZ / WIDE_HZ as f32),
            power: 0.0,
            white: White::new(1),
        }
    }

    /// Two samples for each.
    pub fn widen(&mut self, pcm: &[i16]) -> Vec<i16> {
        let mut wide = vec![0; pcm.len() * 2];
        self.upsampler.process(pcm, &mut wide);
        let (pairs, _) = wide.as_chunks_mut::<2>();
        for (pair, sample) in pairs.iter_mut().zip(pcm) {
            let upper = self.upper_part.push(f32::from(*sample));
            self.power += (upper * upper - self.power) * FORGETS;
            let loudness = LEAST_NOISE + self.power.max(0.0).sqrt();
            for sample in pair {
                let noise = self.above.push(loudness * self.white.next());
                // The cast saturates.
                *sample = (f32::from(*sample) + noise) as i16;
            }
        }
        wide
    }
}

/// A windowed-sinc filter (Hamming) that lets pass what is above its edge.
struct HighPass {
    taps: Vec<f32>,
    past: VecDeque<f32>,
}

impl HighPass {
    /// The edge as a share of the sample rate.
    fn new(edge: f32) -> HighPass {
        use std::f32::consts::PI;
        let middle = (TAPS / 2) as f32;
        let tap = |place: usize| {
            let t = place as f32 - middle;
            let low = if t == 0.0 { 2.0 * edge } else { (2.0 * PI * edge * t).sin() / (PI * t) };
            let window = 0.54 - 0.46 * (2.0 * PI * place as f32 / (TAPS - 1) as f32).cos();
            (if t == 0.0 { 1.0 } else { 0.0 }) - low * window
        };
        HighPass { taps: (0..TAPS).map(tap).collect(), past: VecDeque::from(vec![0.0; TAPS]) }
    }

    fn push(&mut self, sample: f32) -> f32 {
        self.past.pop_front();
        self.past.push_back(sample);
        self.taps.iter().zip(&self.past).map(|(tap, sample)| tap * sample).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f32, amplitude: f32) -> Vec<i16> {
        let sample = |at: u32| (at as f32 * hz / NARROW_HZ as f32 * std::f32::consts::TAU).sin() * amplitude;
        (0..NARROW_HZ).map(|at| sample(at) as i16).collect()
    }

    /// Above the telephone's band, and in it.
    fn loudness(wide: &[i16]) -> (f32, f32) {
        let mut above = HighPass::new(NOISE_HZ / WIDE_HZ as f32);
        let rms = |samples: &[f32]| (samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32).sqrt();
        let high: Vec<f32> = wide.iter().map(|sample| above.push(f32::from(*sample))).skip(TAPS).collect();
        let all: Vec<f32> = wide.iter().map(|sample| f32::from(*sample)).collect();
        (rms(&high), rms(&all))
    }

    #[test]
    fn what_hisses_gets_its_upper_half_back_and_what_hums_does_not() {
        let (hiss, _) = loudness(&Widener::new().widen(&tone(3_300.0, 8_000.0)));
        let (hum, whole) = loudness(&Widener::new().widen(&tone(300.0, 8_000.0)));
        let (silence, _) = loudness(&Widener::new().widen(&vec![0; NARROW_HZ as usize]));
        assert!((2_500.0..6_500.0).contains(&hiss), "{hiss}");
        assert!(hum < 60.0 && (5_400.0..5_900.0).contains(&whole), "{hum} of {whole}");
        assert!((6.0..20.0).contains(&silence), "{silence}");
    }

    #[test]
    fn pieces_come_to_the_same_as_the_whole() {
        let pcm = tone(2_900.0, 20_000.0);
        let (mut one, mut other) = (Widener::new(), Widener::new());
        let pieces: Vec<i16> = pcm.chunks(161).flat_map(|piece| one.widen(piece)).collect();
        assert_eq!(pieces, other.widen(&pcm));
    }

    #[test]
    fn the_loudest_square_wave_stays_within_16_bits() {
        let square: Vec<i16> = (0..8_000).map(|at| if at / 2 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
        let wide = Widener::new().widen(&square);
        assert_eq!(wide.len(), 16_000);
        assert!(wide.contains(&i16::MAX) && wide.contains(&i16::MIN));
    }
}

//! Tones of one or two frequencies with a cadence, continuous in phase over the blocks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::dtmf::dtmf_frequencies;

/// Peak of a sine of 0 dBm0: 3.14 dB below full scale (G.711 §4).
const ZERO_DBM0: f64 = 22_828.0;
/// Level of each frequency of a signalling tone.
const TONE_DBM0: f64 = -12.0;
/// Levels of a key's low and high frequency: the high one loses more on the way.
const KEY_DBM0: [f64; 2] = [-9.0, -7.0];

/// A tone that goes on until it is dropped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tone {
    oscillators: [Oscillator; 2],
    /// In samples; an `off` of 0 never pauses.
    on: u64,
    off: u64,
    /// Within the period of both.
    at: u64,
}

impl Tone {
    /// Frequencies in Hz (a zero is none) at -12 dBm0 each; `on` and `off` alternate, and with no `off` it never pauses.
    pub fn new(rate_hz: u32, frequencies_hz: [u16; 2], on: Duration, off: Duration) -> Self {
        let samples = |time: Duration| (time.as_micros() * u128::from(rate_hz) / 1_000_000).min(1 << 40) as u64;
        Tone {
            oscillators: frequencies_hz.map(|hz| Oscillator::new(rate_hz, hz, TONE_DBM0)),
            on: samples(on),
            off: samples(off),
            at: 0,
        }
    }

    /// The two frequencies of a key (RFC 4733 event code 0 to 15), at the usual levels; silence for any other code.
    pub fn key(rate_hz: u32, event: u8) -> Self {
        let [low, high] = dtmf_frequencies(event).unwrap_or_default();
        let oscillators = [Oscillator::new(rate_hz, low, KEY_DBM0[0]), Oscillator::new(rate_hz, high, KEY_DBM0[1])];
        Tone { oscillators, on: 0, off: 0, at: 0 }
    }

    /// The next samples.
    pub fn fill(&mut self, pcm: &mut [i16]) {
        for sample in pcm {
            if self.off > 0 {
                if self.at == 0 {
                    self.oscillators.iter_mut().for_each(Oscillator::restart);
                }
                let sounds = self.at < self.on;
                self.at = (self.at + 1) % (self.on + self.off);
                if !sounds {
                    *sample = 0;
                    continue;
                }
            }
            let sum: f64 = self.oscillators.iter_mut().map(Oscillator::next).sum();
            *sample = sum.round() as i16;
        }
    }
}

/// A sine by its recurrence: y(n) = 2 cos(w) y(n-1) - y(n-2).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Oscillator {
    factor: f64,
    /// The two values before the first: those of -1 and -2 steps.
    start: [f64; 2],
    last: [f64; 2],
}

impl Oscillator {
    fn new(rate_hz: u32, hz: u16, dbm0: f64) -> Self {
        let step = f64::from(hz) / f64::from(rate_hz.max(1)) * std::f64::consts::TAU;
        let peak = if hz == 0 { 0.0 } else { ZERO_DBM0 * 10f64.powf(dbm0 / 20.0) };
        let start = [peak * (-step).sin(), peak * (-2.0 * step).sin()];
        Oscillator { factor: 2.0 * step.cos(), start, last: start }
    }

    fn restart(&mut self) {
        self.last = self.start;
    }

    fn next(&mut self) -> f64 {
        let [last, before] = self.last;
        let value = self.factor * last - before;
        self.last = [value, last];
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(tone: &mut Tone, count: usize, block: usize) -> Vec<i16> {
        let mut pcm = vec![0; count];
        pcm.chunks_mut(block).for_each(|block| tone.fill(block));
        pcm
    }

    #[test]
    fn a_tone_is_its_sine_over_all_blocks() {
        let mut tone = Tone::new(8000, [425, 0], Duration::ZERO, Duration::ZERO);
        let pcm = filled(&mut tone, 80_000, 160);
        let peak = ZERO_DBM0 * 10f64.powf(-12.0 / 20.0);
        for (at, sample) in pcm.iter().enumerate() {
            let exact = peak * (at as f64 / 8000.0 * 425.0 * std::f64::consts::TAU).sin();
            assert!((f64::from(*sample) - exact).abs() <= 1.0, "sample {at}");
        }
    }

    #[test]
    fn two_frequencies_are_added() {
        let (on, off) = (Duration::ZERO, Duration::ZERO);
        let both = filled(&mut Tone::new(16_000, [350, 440], on, off), 1600, 320);
        let one = filled(&mut Tone::new(16_000, [350, 0], on, off), 1600, 320);
        let other = filled(&mut Tone::new(16_000, [440, 0], on, off), 1600, 320);
        for ((both, one), other) in both.iter().zip(one).zip(other) {
            assert!((both - one - other).abs() <= 1);
        }
    }

    #[test]
    fn the_cadence_is_kept_whatever_the_blocks() {
        let tone = || Tone::new(8000, [425, 0], Duration::from_millis(50), Duration::from_millis(30));
        let pcm = filled(&mut tone(), 8000, 160);
        assert_eq!(pcm, filled(&mut tone(), 8000, 7));
        for (at, sample) in pcm.iter().enumerate() {
            if at % 640 >= 400 {
                assert_eq!(*sample, 0, "sample {at}");
            }
        }
        assert_eq!(pcm[..640], pcm[640..1280], "every pulse begins alike");
        assert!(pcm[..400].iter().any(|sample| *sample > 5000));
    }

    #[test]
    fn what_is_no_key_is_silent() {
        assert!(filled(&mut Tone::key(8000, 16), 800, 160).iter().all(|sample| *sample == 0));
        assert!(filled(&mut Tone::key(8000, 15), 800, 160).iter().any(|sample| *sample != 0));
    }
}

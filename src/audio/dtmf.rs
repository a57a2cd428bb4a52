//! Keys as tones in the speech band (ITU-T Q.23, Q.24).

use serde::{Deserialize, Serialize};

const LOW_HZ: [u16; 4] = [697, 770, 852, 941];
const HIGH_HZ: [u16; 4] = [1209, 1336, 1477, 1633];
/// RFC 4733 event codes by row and column.
const EVENTS: [[u8; 4]; 4] = [[1, 2, 3, 12], [4, 5, 6, 13], [7, 8, 9, 14], [10, 0, 11, 15]];

/// The low and the high frequency of a key, in Hz; `event` is its RFC 4733 code (0–9, 10 `*`, 11 `#`, 12–15 A–D).
pub fn dtmf_frequencies(event: u8) -> Option<[u16; 2]> {
    let row = EVENTS.iter().position(|row| row.contains(&event))?;
    let column = EVENTS[row].iter().position(|known| *known == event)?;
    Some([LOW_HZ[row], HIGH_HZ[column]])
}

/// 12.75 ms: 40 ms of tone, or of pause, always hold two whole blocks.
const BLOCK_AT_8000: usize = 102;
/// Blocks alike in a row that make a key, and blocks without it that end it.
const CERTAIN: u8 = 2;
/// The weakest frequency that is heard: 45 dB below a full-scale sine.
const WEAKEST: f32 = 184.0;
/// One frequency over the other, as a ratio of powers: 9 dB either way.
const TWIST: f32 = 8.0;
/// A frequency over the others of its group: 8 dB.
const STANDS_OUT: f32 = 6.3;
/// The share of the block's whole power that is in the two frequencies. Speech spreads wider.
const SHARE: f32 = 0.8;

/// Hears keys in linear audio: each once, at least 40 ms long, and none in speech.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DtmfDetector {
    block: usize,
    /// Goertzel's coefficient and its two last values for each frequency, the low group first.
    filters: [Filter; 8],
    power: f32,
    samples: usize,
    /// What the last block held.
    last: Option<u8>,
    /// Blocks in a row that held the same.
    alike: u8,
    /// The key that is held.
    held: Option<u8>,
    /// Blocks in a row without it.
    missed: u8,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Filter {
    factor: f32,
    last: f32,
    before: f32,
}

impl Filter {
    fn new(hz: u16, rate_hz: u32) -> Filter {
        let step = f64::from(hz) / f64::from(rate_hz.max(1)) * std::f64::consts::TAU;
        Filter { factor: (2.0 * step.cos()) as f32, last: 0.0, before: 0.0 }
    }

    fn push(&mut self, sample: f32) {
        let next = self.factor * self.last - self.before + sample;
        self.before = self.last;
        self.last = next;
    }

    /// The squared amplitude at this frequency, over `samples`; begins the next block.
    fn power(&mut self, samples: f32) -> f32 {
        let squared = self.last * self.last + self.before * self.before - self.factor * self.last * self.before;
        self.last = 0.0;
        self.before = 0.0;
        squared * 4.0 / (samples * samples)
    }
}

impl DtmfDetector {
    /// For 8000 or 16000 samples a second.
    pub fn new(rate_hz: u32) -> Self {
        let mut filters = [Filter::new(0, rate_hz); 8];
        for (filter, hz) in filters.iter_mut().zip(LOW_HZ.iter().chain(&HIGH_HZ)) {
            *filter = Filter::new(*hz, rate_hz);
        }
        DtmfDetector {
            block: (BLOCK_AT_8000 * rate_hz as usize / 8000).max(1),
            filters,
            power: 0.0,
            samples: 0,
            last: None,
            alike: 0,
            held: None,
            missed: 0,
        }
    }

    /// The next samples, any number of them up to 20 ms; the event code when a key has become certain in them.
    pub fn detect(&mut self, pcm: &[i16]) -> Option<u8> {
        let mut key = None;
        for sample in pcm {
            let sample = f32::from(*sample);
            self.power += sample * sample;
            self.filters.iter_mut().for_each(|filter| filter.push(sample));
            self.samples += 1;
            if self.samples == self.block {
                self.samples = 0;
                let heard = self.judge();
                key = self.follow(heard).or(key);
            }
        }
        key
    }

    /// Whether a key is held down.
    pub fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// What a whole block holds.
    fn judge(&mut self) -> Option<u8> {
        let samples = self.block as f32;
        let whole = std::mem::take(&mut self.power) / samples;
        let mut powers = [0.0; 8];
        for (power, filter) in powers.iter_mut().zip(&mut self.filters) {
            *power = filter.power(samples);
        }
        let (low, high) = powers.split_at(4);
        let (row, low) = stands_out(low)?;
        let (column, high) = stands_out(high)?;
        let strong = low.min(high) >= WEAKEST * WEAKEST;
        let even = low <= high * TWIST && high <= low * TWIST;
        // The power of a sine is half its squared amplitude.
        let alone = (low + high) / 2.0 >= SHARE * whole;
        (strong && even && alone).then(|| EVENTS[row][column])
    }

    fn follow(&mut self, heard: Option<u8>) -> Option<u8> {
        self.alike = if heard == self.last { self.alike.saturating_add(1) } else { 1 };
        self.last = heard;
        if self.held.is_some() && heard == self.held {
            self.missed = 0;
            return None;
        }
        self.missed = self.missed.saturating_add(1);
        if self.missed >= CERTAIN {
            self.held = None;
        }
        if heard.is_some() && self.alike >= CERTAIN {
            self.held = heard;
            self.missed = 0;
            return heard;
        }
        None
    }
}

/// The strongest of a group and its power, where it stands out from the others.
fn stands_out(powers: &[f32]) -> Option<(usize, f32)> {
    let (at, power) = powers.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let alone = powers.iter().enumerate().all(|(other, weaker)| other == at || weaker * STANDS_OUT <= power);
    alone.then_some((at, power))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha12Rng;
    use rand_core::{RngCore, SeedableRng};

    use super::*;

    const NONE: [u8; 0] = [];

    /// A unit normal variable (sum of twelve even ones).
    fn normal(rng: &mut ChaCha12Rng) -> f64 {
        (0..12).map(|_| f64::from(rng.next_u32()) / f64::from(u32::MAX)).sum::<f64>() - 6.0
    }

    /// Two tones whose sum peaks at `dbfs`, the low one `twist` dB over the high one.
    fn key(event: u8, rate: u32, ms: usize, dbfs: f64, twist: f64, detuned: f64) -> Vec<f64> {
        let [low, high] = dtmf_frequencies(event).unwrap().map(|hz| f64::from(hz) * detuned);
        let ratio = 10f64.powf(twist / 20.0);
        let peak = 32_767.0 * 10f64.powf(dbfs / 20.0);
        let (low_peak, high_peak) = (peak * ratio / (1.0 + ratio), peak / (1.0 + ratio));
        (0..rate as usize * ms / 1000)
            .map(|at| {
                let angle = at as f64 / f64::from(rate) * std::f64::consts::TAU;
                low_peak * (angle * low).sin() + high_peak * (angle * high).sin()
            })
            .collect()
    }

    fn silence(rate: u32, ms: usize) -> Vec<f64> {
        vec![0.0; rate as usize * ms / 1000]
    }

    fn noise(pcm: &mut [f64], power: f64, rng: &mut ChaCha12Rng) {
        pcm.iter_mut().for_each(|sample| *sample += power.sqrt() * normal(rng));
    }

    fn heard(pcm: &[f64], rate: u32) -> Vec<u8> {
        let pcm: Vec<i16> = pcm.iter().map(|sample| sample.round() as i16).collect();
        let mut detector = DtmfDetector::new(rate);
        pcm.chunks(rate as usize / 50).filter_map(|block| detector.detect(block)).collect()
    }

    #[test]
    fn every_key_has_its_two_frequencies() {
        assert_eq!(dtmf_frequencies(0), Some([941, 1336]));
        assert_eq!(dtmf_frequencies(1), Some([697, 1209]));
        assert_eq!(dtmf_frequencies(10), Some([941, 1209]));
        assert_eq!(dtmf_frequencies(11), Some([941, 1477]));
        assert_eq!(dtmf_frequencies(15), Some([941, 1633]));
        assert_eq!(dtmf_frequencies(16), None);
    }

    #[test]
    fn all_keys_at_all_levels_and_twists_are_heard_once_in_noise() {
        for rate in [8000, 16_000] {
            for event in 0..16 {
                for dbfs in [-30.0, -20.0, -10.0, 0.0] {
                    for twist in [-6.0, 0.0, 6.0] {
                        for start in [0, 3, 7, 11] {
                            let seed = u64::from(event) + start as u64 * 100;
                            let rng = &mut ChaCha12Rng::seed_from_u64(seed);
                            let tone = key(event, rate, 45, dbfs, twist, 1.0);
                            let power = tone.iter().map(|sample| sample * sample).sum::<f64>() / tone.len() as f64;
                            let mut pcm = [silence(rate, start), tone, silence(rate, 50)].concat();
                            noise(&mut pcm, power / 10f64.powf(1.5), rng);
                            let at = format!("{rate} Hz, key {event}, {dbfs} dBFS, twist {twist}, seed {seed}");
                            assert_eq!(heard(&pcm, rate), [event], "{at}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn forty_milliseconds_suffice_wherever_they_begin() {
        for start in 0..103 {
            let mut pcm = vec![0.0; start];
            pcm.extend(key(5, 8000, 40, -10.0, 0.0, 1.0));
            pcm.extend(silence(8000, 40));
            pcm.extend(key(5, 8000, 40, -10.0, 0.0, 1.0));
            pcm.extend(silence(8000, 40));
            assert_eq!(heard(&pcm, 8000), [5, 5], "start {start}");
        }
    }

    #[test]
    fn tones_a_little_off_are_keys_and_far_off_are_none() {
        for event in 0..16 {
            for detuned in [0.985, 0.99, 1.01, 1.015] {
                assert_eq!(heard(&key(event, 8000, 60, -10.0, 0.0, detuned), 8000), [event], "{event} {detuned}");
            }
            for detuned in [0.94, 1.05] {
                assert_eq!(heard(&key(event, 8000, 200, -10.0, 0.0, detuned), 8000), NONE, "{event} {detuned}");
            }
        }
    }

    #[test]
    fn a_key_held_long_with_a_dropout_is_one_key() {
        let mut pcm = key(9, 8000, 3000, -10.0, 2.0, 1.0);
        pcm[4000..4080].fill(0.0);
        assert_eq!(heard(&pcm, 8000), [9]);
    }

    #[test]
    fn dialled_numbers_are_heard_in_order_through_g711() {
        let number = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 3, 3, 3];
        let mut pcm = Vec::new();
        for event in number {
            pcm.extend(key(event, 8000, 70, -12.0, -2.0, 1.0));
            pcm.extend(silence(8000, 60));
        }
        let coded: Vec<f64> = pcm
            .iter()
            .map(|sample| f64::from(super::super::g711::alaw_decode(super::super::g711::alaw_encode(*sample as i16))))
            .collect();
        assert_eq!(heard(&coded, 8000), number);
    }

    #[test]
    fn short_pips_and_single_tones_are_no_keys() {
        for start in 0..20 {
            let pcm = [silence(8000, start), key(1, 8000, 12, -10.0, 0.0, 1.0), silence(8000, 50)].concat();
            assert_eq!(heard(&pcm, 8000), NONE, "start {start}");
        }
        for hz in (300..3400).step_by(10) {
            let pcm: Vec<f64> = (0..4000)
                .map(|at| 10_000.0 * (f64::from(at) / 8000.0 * f64::from(hz) * std::f64::consts::TAU).sin())
                .collect();
            assert_eq!(heard(&pcm, 8000), NONE, "{hz} Hz");
        }
    }

    /// Voiced speech: pulses of a wandering pitch through three wandering formants, with pauses and some breath.
    fn speech(seed: u64, seconds: usize) -> Vec<f64> {
        let rng = &mut ChaCha12Rng::seed_from_u64(seed);
        let mut even = move || f64::from(rng.next_u32()) / f64::from(u32::MAX);
        let mut pcm = Vec::with_capacity(seconds * 8000);
        let mut phase = 0.0;
        while pcm.len() < seconds * 8000 {
            let pitch = 80.0 + 220.0 * even();
            let glide = 0.8 + 0.4 * even();
            let formants = [250.0 + 600.0 * even(), 800.0 + 1500.0 * even(), 2300.0 + 900.0 * even()];
            let mut memory = [[0.0; 2]; 3];
            let (length, breath, level) = (400 + (even() * 2400.0) as usize, 0.05 * even(), 2000.0 + 8000.0 * even());
            for at in 0..length {
                phase += pitch * (1.0 + (glide - 1.0) * at as f64 / length as f64) / 8000.0;
                let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
                phase %= 1.0;
                let mut sample = 0.0;
                for (number, (formant, memory)) in formants.iter().zip(&mut memory).enumerate() {
                    let radius = 0.985 - 0.01 * number as f64;
                    let step = formant / 8000.0 * std::f64::consts::TAU;
                    let value = pulse + breath * (even() - 0.5) + 2.0 * radius * step.cos() * memory[0]
                        - radius * radius * memory[1];
                    *memory = [value, memory[0]];
                    sample += value / (number + 1) as f64;
                }
                pcm.push((sample * level / 4.0).clamp(-32_000.0, 32_000.0));
            }
            pcm.extend(std::iter::repeat_n(0.0, (even() * 1200.0) as usize));
        }
        pcm
    }

    #[test]
    fn speech_and_noise_are_no_keys() {
        let mut keys = 0;
        for seed in 0..10 {
            keys += heard(&speech(seed, 30), 8000).len();
        }
        assert_eq!(keys, 0, "in five minutes of speech");
        for seed in 0..3 {
            let rng = &mut ChaCha12Rng::seed_from_u64(seed);
            let mut pcm = silence(8000, 30_000);
            noise(&mut pcm, 3000.0 * 3000.0, rng);
            assert_eq!(heard(&pcm, 8000), NONE, "seed {seed}");
        }
    }
}

//! Mixing: everyone is summed once, and each hears the sum less their own voice.

use serde::{Deserialize, Serialize};

/// Up to here the sum passes unchanged; above it bends towards full scale instead of being cut off.
const KNEE: i32 = 24_576;

/// The sum of one 20 ms block (160 or 320 samples).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mixer {
    sum: Vec<i32>,
}

impl Mixer {
    /// `block` is the number of samples of a block.
    pub fn new(block: usize) -> Self {
        Mixer { sum: vec![0; block] }
    }

    /// Begins the next block.
    pub fn clear(&mut self) {
        self.sum.fill(0);
    }

    /// Adds one voice; a shorter one counts as silent at its end.
    pub fn add(&mut self, voice: &[i16]) {
        for (sum, sample) in self.sum.iter_mut().zip(voice) {
            *sum = sum.saturating_add(i32::from(*sample));
        }
    }

    /// What one hears: the sum, less their own voice where it was added, softly limited. Silence beyond the block.
    pub fn hear(&self, own: Option<&[i16]>, out: &mut [i16]) {
        let own = own.unwrap_or_default();
        let (with_own, without) = self.sum.split_at(own.len().min(self.sum.len()));
        let mut places = out.iter_mut();
        for ((sum, own), place) in with_own.iter().zip(own).zip(places.by_ref()) {
            *place = limit(sum.saturating_sub(i32::from(*own)));
        }
        for (sum, place) in without.iter().zip(places.by_ref()) {
            *place = limit(*sum);
        }
        places.for_each(|place| *place = 0);
    }
}

/// Bends what exceeds the knee: K + R x / (R + x) for the excess x and the room R above the knee, so the curve leaves
/// the knee with slope 1 and never quite reaches full scale.
fn limit(sum: i32) -> i16 {
    let magnitude = sum.unsigned_abs();
    let bent = match magnitude.checked_sub(KNEE as u32) {
        None => magnitude,
        Some(excess) => {
            let room = u64::from(i16::MAX as u16) - KNEE as u64;
            KNEE as u32 + (room * u64::from(excess) / (room + u64::from(excess))) as u32
        }
    };
    let bent = bent as i16;
    if sum < 0 { -bent } else { bent }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha12Rng;
    use rand_core::{RngCore, SeedableRng};

    use super::*;

    fn reference(sum: f64) -> f64 {
        let (knee, room) = (f64::from(KNEE), f64::from(i16::MAX) - f64::from(KNEE));
        let excess = sum.abs() - knee;
        let bent = if excess <= 0.0 { sum.abs() } else { knee + room * excess / (room + excess) };
        bent.copysign(sum)
    }

    #[test]
    fn everyone_hears_all_the_others() {
        for seed in 0..50 {
            let rng = &mut ChaCha12Rng::seed_from_u64(seed);
            let block = if seed % 2 == 0 { 160 } else { 320 };
            let count = 2 + rng.next_u32() as usize % 12;
            let voices: Vec<Vec<i16>> =
                (0..count).map(|_| (0..block).map(|_| rng.next_u32() as i16).collect()).collect();
            let mut mixer = Mixer::new(block);
            for _ in 0..2 {
                mixer.clear();
                voices.iter().for_each(|voice| mixer.add(voice));
            }
            for listener in 0..=count {
                let mut heard = vec![0; block];
                mixer.hear(voices.get(listener).map(Vec::as_slice), &mut heard);
                for (at, heard) in heard.iter().enumerate() {
                    let others = voices.iter().enumerate().filter(|(speaker, _)| *speaker != listener);
                    let sum: f64 = others.map(|(_, voice)| f64::from(voice[at])).sum();
                    assert!((f64::from(*heard) - reference(sum)).abs() <= 1.0, "seed {seed}: {sum} became {heard}");
                }
            }
        }
    }

    #[test]
    fn the_limit_is_even_rising_and_never_reached() {
        let mut before = limit(-2_000_000);
        for sum in (-2_000_000..2_000_000).step_by(97) {
            let bent = limit(sum);
            assert!(bent >= before && bent == -limit(-sum), "{sum}");
            before = bent;
        }
        assert_eq!((limit(KNEE), limit(-KNEE), limit(0)), (KNEE as i16, -KNEE as i16, 0));
        assert!(limit(i32::MAX) > 32_000 && limit(i32::MIN) < -32_000, "no wrap");
    }

    #[test]
    fn short_voices_and_long_ears_are_filled_with_silence() {
        let mut mixer = Mixer::new(4);
        mixer.add(&[1, 2]);
        mixer.add(&[10, 10, 10, 10, 10]);
        let mut heard = [7; 6];
        mixer.hear(Some(&[1, 2]), &mut heard);
        assert_eq!(heard, [10, 10, 10, 10, 0, 0]);
        mixer.hear(Some(&[10; 5]), &mut heard[..3]);
        assert_eq!(heard, [1, 2, 0, 10, 0, 0]);
    }
}

//! Noise behind a voice. Whoever a model has learnt from was not in complete silence; a voice unlike theirs it hears less wrong
//! with some noise than without any, and each time otherwise, so that two who listen hear more than one.

use crate::wide::NARROW_HZ;

/// Below the loudest tenth of a second, as amplitude: 26 dB, which is about 20 dB below the whole of what is said.
const BELOW: f32 = 0.05;
/// There is some noise in any room.
const LEAST: f32 = 20.0;
/// Loudness is the power of a tenth of a second; half of what it was is forgotten in two seconds.
const FORGETS: f32 = 10.0 / NARROW_HZ as f32;
const HALVES_IN_S: f32 = 2.0;
/// Each sample has so much of the one before: the noise falls towards high frequencies, as in a room.
const COLOUR: f32 = 0.7;

/// White noise of power 1, the same at each run.
#[derive(Clone, Copy)]
pub struct White(u32);

impl White {
    pub fn new(seed: u32) -> White {
        White(seed)
    }

    pub fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let uniform = (self.0 >> 8) as f32 / (1u32 << 23) as f32 - 1.0;
        uniform * 3f32.sqrt()
    }
}

/// Audio with noise behind it. The times hold at 8 kHz; at 16 kHz they are half as long.
pub struct Noise {
    seed: u32,
    white: White,
    last: f32,
    power: f32,
    loudest: f32,
}

impl Noise {
    pub fn new(seed: u32) -> Noise {
        Noise { seed, white: White::new(seed), last: 0.0, power: 0.0, loudest: 0.0 }
    }

    pub fn forget(&mut self) {
        *self = Noise::new(self.seed);
    }

    pub fn behind(&mut self, pcm: &[i16]) -> Vec<i16> {
        let keeps = 0.5f32.powf(1.0 / (HALVES_IN_S * NARROW_HZ as f32));
        let with_noise = |sample: &i16| {
            let sample = f32::from(*sample);
            self.power += (sample * sample - self.power) * FORGETS;
            self.loudest = (self.loudest * keeps).max(self.power);
            self.last = self.white.next() * (1.0 - COLOUR * COLOUR).sqrt() + self.last * COLOUR;
            // The cast saturates.
            (sample + self.last * (LEAST + BELOW * self.loudest.sqrt())) as i16
        };
        pcm.iter().map(with_noise).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rms(samples: &[f32]) -> f32 {
        (samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32).sqrt()
    }

    fn added(noise: &mut Noise, pcm: &[i16]) -> f32 {
        let with = noise.behind(pcm);
        let added: Vec<f32> = with.iter().zip(pcm).map(|(one, other)| f32::from(*one) - f32::from(*other)).collect();
        rms(&added)
    }

    #[test]
    fn it_is_as_much_softer_than_a_loud_voice_as_than_a_soft_one() {
        for amplitude in [1_000.0, 12_000.0] {
            let voice = |at: usize| (at as f32 / 8_000.0 * 300.0 * std::f32::consts::TAU).sin() * amplitude;
            let pcm: Vec<i16> = (0..16_000).map(|at| voice(at) as i16).collect();
            let mut noise = Noise::new(1);
            noise.behind(&pcm[..4_000]);
            let wanted = LEAST + BELOW * amplitude / 2f32.sqrt();
            let found = added(&mut noise, &pcm[4_000..]);
            assert!((found / wanted - 1.0).abs() < 0.1, "{found} for {wanted}");
        }
    }

    #[test]
    fn after_a_loud_voice_it_becomes_soft_again() {
        let mut noise = Noise::new(1);
        noise.behind(&[8_000; 4_000]);
        noise.behind(&[0; 160_000]);
        let found = added(&mut noise, &[0; 8_000]);
        assert!((15.0..60.0).contains(&found), "{found}");
    }

    #[test]
    fn each_seed_has_its_own_and_the_same_again() {
        let pcm = [3_000; 1_000];
        let (one, other) = (Noise::new(1).behind(&pcm), Noise::new(2).behind(&pcm));
        assert!(one != other && one == Noise::new(1).behind(&pcm));
    }

    #[test]
    fn pieces_come_to_the_same_as_the_whole_and_what_was_forgotten_is_new() {
        let pcm: Vec<i16> = (0..4_000).map(|at| (at % 97 * 300) as i16).collect();
        let mut noise = Noise::new(7);
        let pieces: Vec<i16> = pcm.chunks(161).flat_map(|piece| noise.behind(piece)).collect();
        noise.forget();
        assert_eq!(pieces, noise.behind(&pcm));
    }
}

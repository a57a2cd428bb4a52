//! The line on which somebody speaks: clean, or with people or a street behind the voice.

use std::f64::consts::TAU;

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

use crate::audio::{RATE_HZ, at_level, mixed, silence};

/// Of the voice, in dB below full scale, as a telephone has it.
pub const VOICE_DB: f64 = -23.0;
/// What is behind it is so much weaker.
pub const RATIO_DB: f64 = 15.0;
/// Voices at once in a hall of people.
const PEOPLE: usize = 7;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Line {
    Clean,
    Babble,
    Street,
}

impl Line {
    pub fn name(self) -> &'static str {
        match self {
            Line::Clean => "clean",
            Line::Babble => "babble at 15 dB",
            Line::Street => "street at 15 dB",
        }
    }

    /// What is behind the voice for so many samples; `people` is what voices say.
    pub fn behind(self, samples: usize, people: &[Vec<i16>], seed: u64) -> Vec<i16> {
        let level = VOICE_DB - RATIO_DB;
        match self {
            Line::Clean => vec![0; samples],
            Line::Babble => at_level(&babble(samples, people, seed), level),
            Line::Street => at_level(&street(samples, seed), level),
        }
    }
}

/// A number from 0 to 1.
pub fn share(random: &mut ChaCha8Rng) -> f64 {
    f64::from(random.next_u32()) / f64::from(u32::MAX)
}

/// Several people speak at once, each one sentence after the other.
fn babble(samples: usize, people: &[Vec<i16>], seed: u64) -> Vec<i16> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut hall = vec![0; samples];
    for _ in 0..PEOPLE {
        let mut person = Vec::new();
        // In the middle of a sentence.
        let mut skipped = (share(&mut random) * 3.0 * f64::from(RATE_HZ)) as usize;
        while person.len() < samples {
            let Some(voice) = people.get(random.next_u32() as usize % people.len().max(1)) else { break };
            let pause = silence(0.1 + 0.6 * share(&mut random));
            let said = [at_level(voice, -40.0), pause].concat();
            let from = skipped.min(said.len());
            skipped -= from;
            person.extend_from_slice(&said[from..]);
        }
        if !person.is_empty() {
            hall = mixed(&hall, &person);
        }
    }
    hall
}

/// Engines far away, and cars that pass: a rumble that falls by 6 dB an octave, and the hiss of tyres about 900 Hz that
/// comes and goes every few seconds.
fn street(samples: usize, seed: u64) -> Vec<i16> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let rate = f64::from(RATE_HZ);
    let mut cars = Vec::new();
    let mut next = 3.0 * share(&mut random);
    while next < samples as f64 / rate + 3.0 {
        cars.push((next, 0.6 + 0.6 * share(&mut random)));
        next += 2.5 + 1.5 * share(&mut random);
    }
    let (mut rumble, mut low, mut band) = (0.0, 0.0, 0.0);
    let sound = (0..samples).map(|at| {
        let (first, second) = (share(&mut random) - 0.5, share(&mut random) - 0.5);
        rumble += TAU * 40.0 / rate * (12.0 * first - rumble);
        // Two poles: below 1.4 kHz, and without what is below 500 Hz.
        low += TAU * 1_400.0 / rate * 0.6 * (second - low);
        band += TAU * 500.0 / rate * (low - band);
        let time = at as f64 / rate;
        let near: f64 = cars.iter().map(|(passes, lasts)| (-((time - passes) / lasts).powi(2)).exp()).sum();
        ((rumble + 1.5 * near * (low - band)) * 8_000.0) as i16
    });
    sound.collect()
}

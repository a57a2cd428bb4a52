//! The line on which somebody speaks: clean, or with people or a street behind the voice.

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

use crate::audio::{RATE_HZ, at_level, mixed, share, silence, street};

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

//! Speech played faster, and so higher: as one would say it who is smaller. What a model makes of a voice unlike those it has
//! learnt from is less wrong where it hears it both ways.

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler};

/// As fast as this.
const TIMES: (usize, usize) = (6, 5);
/// What is taken at once: 30 ms at 8 kHz.
const CHUNK: usize = 240;

pub struct Faster {
    resampler: Fft<f32>,
    waiting: Vec<f32>,
}

impl Faster {
    pub fn new() -> Result<Faster, String> {
        let resampler = Fft::new(TIMES.0, TIMES.1, CHUNK, 1, FixedSync::Both).map_err(|error| error.to_string())?;
        Ok(Faster { resampler, waiting: Vec::with_capacity(2 * CHUNK) })
    }

    pub fn forget(&mut self) {
        self.resampler.reset();
        self.waiting.clear();
    }

    /// What there is for whole chunks; the rest waits for more.
    pub fn play(&mut self, pcm: &[i16]) -> Vec<i16> {
        self.waiting.extend(pcm.iter().map(|sample| f32::from(*sample)));
        let chunk = self.resampler.input_frames_next();
        let mut played = Vec::new();
        let mut taken = 0;
        while let Some(samples) = self.waiting.get(taken..taken + chunk) {
            taken += chunk;
            let Ok(input) = SequentialSlice::new(samples, 1, chunk) else { continue };
            let Ok(output) = self.resampler.process(&input, None) else { continue };
            // The cast saturates.
            played.extend(output.take_data().into_iter().map(|sample| sample.round() as i16));
        }
        self.waiting.drain(..taken);
        played
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_five_sixths_of_the_time_and_is_six_fifths_as_high() {
        let tone: Vec<i16> = (0..8_000)
            .map(|at| (10_000.0 * (at as f32 / 8_000.0 * 1_000.0 * std::f32::consts::TAU).sin()) as i16)
            .collect();
        let mut faster = Faster::new().unwrap();
        let played: Vec<i16> = tone.chunks(160).flat_map(|piece| faster.play(piece)).collect();
        assert!((6_600..=6_667).contains(&played.len()), "{}", played.len());
        let steady = &played[1_000..6_000];
        let rises = steady.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
        let hz = rises as f32 * 8_000.0 / steady.len() as f32;
        assert!((hz - 1_200.0).abs() < 10.0, "{hz} Hz");
    }
}

//! What Whisper sees of a voice: 80 bands of the mel scale every 10 ms, as OpenAI's `log_mel_spectrogram` makes them.

use std::f64::consts::TAU;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

pub const RATE_HZ: usize = 16_000;
/// One column of the spectrogram.
pub const HOP: usize = 160;
const WINDOW: usize = 400;
const BINS: usize = WINDOW / 2 + 1;

pub struct Mel {
    bands: usize,
    fft: Arc<dyn RealToComplex<f32>>,
    hann: Vec<f32>,
    /// Of each band its first bin and the weights from there on.
    filters: Vec<(usize, Vec<f32>)>,
}

impl Mel {
    pub fn new(bands: usize) -> Mel {
        let hann = (0..WINDOW).map(|at| (0.5 - 0.5 * (TAU * at as f64 / WINDOW as f64).cos()) as f32);
        Mel {
            bands,
            fft: RealFftPlanner::new().plan_fft_forward(WINDOW),
            hann: hann.collect(),
            filters: filters(bands),
        }
    }

    /// `bands` rows of `columns` values, row after row. What the samples do not fill is silence.
    pub fn spectrogram(&self, samples: &[f32], columns: usize) -> Result<Vec<f32>, String> {
        let mut values = vec![0.0; self.bands * columns];
        let mut window = vec![0.0; WINDOW];
        let mut spectrum = vec![Complex::default(); BINS];
        let mut powers = vec![0.0; BINS];
        for column in 0..columns {
            for (offset, (place, hann)) in window.iter_mut().zip(&self.hann).enumerate() {
                *place = mirrored(samples, (column * HOP + offset) as i64 - (WINDOW / 2) as i64) * hann;
            }
            self.fft.process(&mut window, &mut spectrum).map_err(|error| error.to_string())?;
            for (power, bin) in powers.iter_mut().zip(&spectrum) {
                *power = bin.norm_sqr();
            }
            for (band, (first, weights)) in self.filters.iter().enumerate() {
                let sum: f32 = powers.iter().skip(*first).zip(weights).map(|(power, weight)| power * weight).sum();
                if let Some(place) = values.get_mut(band * columns + column) {
                    *place = sum.max(1e-10).log10();
                }
            }
        }
        let loudest = values.iter().copied().fold(f32::MIN, f32::max);
        values.iter_mut().for_each(|value| *value = (value.max(loudest - 8.0) + 4.0) / 4.0);
        Ok(values)
    }
}

/// The sample at a place; before the first one the voice is mirrored, after the last one there is silence.
fn mirrored(samples: &[f32], at: i64) -> f32 {
    samples.get(usize::try_from(at.unsigned_abs()).unwrap_or(usize::MAX)).copied().unwrap_or(0.0)
}

/// Triangles of equal area on Slaney's mel scale: linear to 1 kHz, logarithmic above.
fn filters(bands: usize) -> Vec<(usize, Vec<f32>)> {
    let step = 6.4_f64.ln() / 27.0;
    let mel = |hz: f64| if hz < 1_000.0 { hz * 3.0 / 200.0 } else { 15.0 + (hz / 1_000.0).ln() / step };
    let hz = |mel: f64| if mel < 15.0 { mel * 200.0 / 3.0 } else { 1_000.0 * (step * (mel - 15.0)).exp() };
    let highest = mel(RATE_HZ as f64 / 2.0);
    let corner = |index: usize| hz(highest * index as f64 / (bands + 1) as f64);
    let bin_hz = |bin: usize| bin as f64 * RATE_HZ as f64 / WINDOW as f64;
    let weights = |band: usize| {
        let (low, middle, high) = (corner(band), corner(band + 1), corner(band + 2));
        let weight = move |bin: usize| {
            let rising = (bin_hz(bin) - low) / (middle - low);
            let falling = (high - bin_hz(bin)) / (high - middle);
            (rising.min(falling).max(0.0) * 2.0 / (high - low)) as f32
        };
        let first = (0..BINS).find(|bin| weight(*bin) > 0.0).unwrap_or(0);
        let weights = (first..BINS).map(weight).take_while(|weight| *weight > 0.0).collect();
        (first, weights)
    };
    (0..bands).map(weights).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, seconds: f64) -> Vec<f32> {
        let count = (seconds * RATE_HZ as f64) as usize;
        (0..count).map(|at| (0.1 * (TAU * hz * at as f64 / RATE_HZ as f64).sin()) as f32).collect()
    }

    /// The loudest band of a column.
    fn loudest(values: &[f32], columns: usize, column: usize) -> usize {
        let level = |band: &usize| values[band * columns + column];
        (0..80).max_by(|a, b| level(a).total_cmp(&level(b))).unwrap()
    }

    #[test]
    fn a_tone_lies_in_its_band_and_silence_in_none() {
        let mel = Mel::new(80);
        let values = mel.spectrogram(&tone(1_000.0, 1.0), 200).unwrap();
        assert_eq!(values.len(), 80 * 200);
        // librosa.filters.mel(sr=16000, n_fft=400, n_mels=80): the centre of band 26 is 1004 Hz, that of 25 is 967 Hz.
        assert_eq!(loudest(&values, 200, 50), 26);
        let (peak, floor) = (values[26 * 200 + 50], values[26 * 200 + 150]);
        assert!((peak - floor - 2.0).abs() < 1e-6, "what is 80 dB and more below the loudest is flat: {peak} {floor}");
    }

    #[test]
    fn the_filters_have_slaneys_areas() {
        let filters = filters(80);
        // librosa.filters.mel(...)[0].max() and the whole of band 40.
        let largest = filters[0].1.iter().copied().fold(0.0, f32::max);
        assert!((largest - 0.024_862_59).abs() < 1e-6, "{largest}");
        assert!(filters.iter().all(|(_, weights)| !weights.is_empty()));
    }
}

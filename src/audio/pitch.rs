//! Whether a sound has a pitch as a voice has: how like it is to itself one period earlier.

/// What is looked at, in samples at 8 kHz: 32 ms.
const SPAN: usize = 256;
/// Periods of voices at 8 kHz: 70 to 400 Hz.
const PERIODS: std::ops::Range<usize> = 20..115;
/// A period is the same as the last one if it differs by no more than a seventh, or is half or twice as long: a voice is as like
/// itself two periods earlier. Noise of one colour, as in a cough, has likeness enough at times, but each time at another period.
const SAME: f32 = 0.15;

#[derive(Clone, Copy, Debug, Default)]
pub struct Pitch {
    /// 1 for a tone.
    pub likeness: f32,
    /// In samples at 8 kHz; 0 where there is none.
    pub period: f32,
}

impl Pitch {
    pub fn is_steady_since(self, last: Pitch) -> bool {
        [0.5, 1.0, 2.0].iter().any(|times| (self.period * times - last.period).abs() <= SAME * last.period)
    }
}

/// What is above 900 Hz, of a telephone's voice, changes from one period to the next: each of two poles lets through so much of
/// what is new.
const NEW: f32 = 0.5;

/// The last 32 ms at 8 kHz, without what is high.
#[derive(Clone, Copy, Debug)]
pub struct Pitched {
    samples: [f32; SPAN],
    poles: [f32; 2],
}

impl Default for Pitched {
    fn default() -> Self {
        Pitched { samples: [0.0; SPAN], poles: [0.0; 2] }
    }
}

impl Pitched {
    /// The next 16 ms at 16 kHz.
    pub fn push(&mut self, window: &[i16; SPAN]) {
        self.samples.copy_within(SPAN / 2.., 0);
        let halved = window.as_chunks().0.iter().map(|[a, b]| (f32::from(*a) + f32::from(*b)) / 2.0);
        let poles = &mut self.poles;
        let low = halved.map(|sample| {
            poles.iter_mut().fold(sample, |sample, low| {
                *low += NEW * (sample - *low);
                *low
            })
        });
        self.samples.iter_mut().skip(SPAN / 2).zip(low).for_each(|(place, sample)| *place = sample);
    }

    /// The period at which it is most like itself.
    pub fn pitch(&self) -> Pitch {
        let mean = self.samples.iter().sum::<f32>() / SPAN as f32;
        let samples = self.samples.map(|sample| sample - mean);
        let likeness = |period: usize| {
            let (mut product, mut early, mut late) = (0.0, 0.0, 0.0_f32);
            for (a, b) in samples.iter().zip(samples.iter().skip(period)) {
                product += a * b;
                early += a * a;
                late += b * b;
            }
            let size = (early * late).sqrt();
            Pitch { likeness: if size > 0.0 { product / size } else { 0.0 }, period: period as f32 }
        };
        PERIODS.map(likeness).fold(Pitch::default(), |most, one| if one.likeness > most.likeness { one } else { most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pitch_of(sound: impl Fn(f32) -> f32) -> Pitch {
        let mut pitched = Pitched::default();
        for window in 0..2 {
            let sample = |at: usize| sound((window * SPAN + at) as f32 / 16_000.0) as i16;
            pitched.push(&std::array::from_fn(sample));
        }
        pitched.pitch()
    }

    #[test]
    fn a_hum_has_its_period() {
        let hum = |hz: f32| move |time: f32| (time * hz * std::f32::consts::TAU).sin() * 8_000.0;
        for hz in [110.0, 200.0, 320.0] {
            let pitch = pitch_of(hum(hz));
            let periods = pitch.period * hz / 8_000.0;
            assert!(pitch.likeness > 0.95, "{hz} Hz: {pitch:?}");
            assert!((periods - periods.round()).abs() < 0.05, "{hz} Hz: {pitch:?}");
        }
        assert!(pitch_of(hum(200.0)).is_steady_since(pitch_of(hum(205.0))));
        assert!(!pitch_of(hum(200.0)).is_steady_since(pitch_of(hum(140.0))));
        let (one, two) = (Pitch { likeness: 0.9, period: 40.0 }, Pitch { likeness: 0.8, period: 82.0 });
        assert!(one.is_steady_since(two) && two.is_steady_since(one));
    }

    #[test]
    fn silence_and_an_offset_have_none() {
        for level in [0.0, 900.0] {
            let pitch = pitch_of(|_| level);
            assert!(pitch.likeness == 0.0 && pitch.period == 0.0, "{pitch:?}");
        }
    }
}

//! Whether somebody speaks, by the level above the line's noise: for the end of a message, not for recognition.

/// The noise of a line is taken to lie between these, as mean squares of samples: 54 and 40 dB below
/// full scale.
const QUIETEST: f64 = square(65.4);
const LOUDEST: f64 = square(327.7);

/// Speech is this much above the noise: 9 dB.
const ABOVE: f64 = 7.943;

/// How fast the noise may seem to rise: 3 dB a second, in frames of 20 ms.
const RISE: f64 = 1.013_9;

const fn square(sample: f64) -> f64 {
    sample * sample
}

/// Follows the noise of one voice. A tone that is louder than any line's noise counts as speech however long it lasts.
#[derive(Clone, Copy, Debug)]
pub struct VoiceActivity {
    noise: f64,
}

impl Default for VoiceActivity {
    fn default() -> Self {
        VoiceActivity { noise: QUIETEST }
    }
}

impl VoiceActivity {
    /// Whether this frame (20 ms, at any rate) is speech.
    pub fn hear(&mut self, pcm: &[i16]) -> bool {
        if pcm.is_empty() {
            return false;
        }
        let mean = pcm.iter().map(|sample| f64::from(*sample)).sum::<f64>() / pcm.len() as f64;
        // A constant part (an exchange's offset) is no sound.
        let level = pcm.iter().map(|sample| square(f64::from(*sample) - mean)).sum::<f64>() / pcm.len() as f64;
        self.noise = level.min(self.noise * RISE).clamp(QUIETEST, LOUDEST);
        level > self.noise * ABOVE
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Tone;
    use super::*;

    /// A second of a tone at so many dB below full scale.
    fn tone(dbfs: f64) -> Vec<i16> {
        let mut tone = Tone::new(8000, [440, 0], Duration::from_secs(1), Duration::ZERO);
        let mut pcm = vec![0; 8000];
        tone.fill(&mut pcm);
        let loudest = f64::from(pcm.iter().copied().max().unwrap_or(1));
        let gain = 32_768.0 * 10f64.powf(dbfs / 20.0) / loudest;
        pcm.iter().map(|sample| (f64::from(*sample) * gain) as i16).collect()
    }

    fn voiced(activity: &mut VoiceActivity, pcm: &[i16]) -> usize {
        pcm.chunks(160).filter(|frame| activity.hear(frame)).count()
    }

    #[test]
    fn silence_and_an_offset_are_no_speech_and_a_voice_is() {
        let mut activity = VoiceActivity::default();
        assert_eq!(voiced(&mut activity, &[0; 8000]), 0);
        assert_eq!(voiced(&mut activity, &[900; 8000]), 0);
        assert_eq!(voiced(&mut activity, &tone(-25.0)), 50);
    }

    #[test]
    fn a_noisy_line_falls_silent_once_its_noise_is_known() {
        let mut activity = VoiceActivity::default();
        let noise = tone(-40.0);
        for _ in 0..5 {
            voiced(&mut activity, &noise);
        }
        assert_eq!(voiced(&mut activity, &noise), 0);
        assert_eq!(voiced(&mut activity, &tone(-20.0)), 50, "speech above it is heard");
    }

    #[test]
    fn a_loud_tone_is_never_taken_for_noise() {
        let mut activity = VoiceActivity::default();
        let loud = tone(-16.0);
        assert!((0..60).all(|_| voiced(&mut activity, &loud) == 50));
    }
}

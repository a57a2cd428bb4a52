//! Where an utterance begins and ends: voice activity by a small network (`earshot`), made steady over time and held to
//! the level of the line and of the prompt that plays.

use std::fmt;
use std::time::Duration;

use super::{DtmfDetector, Upsampler};

/// What the network looks at: 16 ms at 16 kHz.
const WINDOW: usize = 256;
const WINDOW_MS: u64 = 16;

/// Scores of the network from which on a window is voice: to begin, and to go on once it has begun.
const BEGINS: f32 = 0.6;
const GOES_ON: f32 = 0.35;
/// So many of the last `RECENT` windows are voice when speech begins: 112 of 160 ms. A click has fewer, a cough mostly.
const ENOUGH: u32 = 7;
const RECENT: u32 = 10;

/// Speech is louder than this, as a mean square of samples: 50 dB below full scale.
const QUIETEST: f32 = 10_737.0;
/// And this much above the noise of the line: 6 dB.
const ABOVE_NOISE: f32 = 4.0;
/// How fast the noise may seem to rise: 3 dB a second, in windows.
const RISE: f32 = 1.011_1;
const LOUDEST_NOISE: f32 = 1.0e7;
/// A line returns a prompt at least this much weaker: 12 dB. Weaker voices are not told from the echo.
const ECHO_LOSS: f32 = 15.85;
/// How long an echo lingers, in windows: the longest delay of a telephone line, and the room behind it.
const ECHO_WINDOWS: usize = 25;

/// What a piece of audio brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Somebody speaks; it began so long before the end of this piece.
    Began { ago: Duration },
    /// The utterance is over: by silence, or because it is as long as it may be.
    Ended { voiced: Duration, cut: bool },
}

/// Finds utterances in one voice. Give it every 20 ms, also while nobody is to be heard.
pub struct EndPointer {
    network: Box<earshot::Detector>,
    keys: DtmfDetector,
    upsampler: Option<Upsampler>,
    window: [i16; WINDOW],
    filled: usize,
    noise: f32,
    /// The last levels of what was played to this voice.
    played: [f32; ECHO_WINDOWS],
    played_at: usize,
    /// One bit a window, the latest lowest: whether it was voice.
    recent: u32,
    /// Windows since a key was heard.
    since_key: u32,
    speaking: Option<Speaking>,
    /// Windows of silence at the end of the last utterance.
    last_silent: u32,
    end: u32,
    longest: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Speaking {
    windows: u32,
    voiced: u32,
    silent: u32,
}

impl fmt::Debug for EndPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndPointer").field("noise", &self.noise).field("speaking", &self.speaking).finish()
    }
}

impl EndPointer {
    /// For 8000 or 16000 samples a second; `end` is the silence that ends an utterance, `longest` cuts it.
    pub fn new(rate_hz: u32, end: Duration, longest: Duration) -> EndPointer {
        let mut pointer = EndPointer {
            network: earshot::Detector::default_boxed(),
            keys: DtmfDetector::new(rate_hz),
            upsampler: (rate_hz == 8000).then(Upsampler::new),
            window: [0; WINDOW],
            filled: 0,
            noise: QUIETEST,
            played: [0.0; ECHO_WINDOWS],
            played_at: 0,
            recent: 0,
            since_key: u32::MAX,
            speaking: None,
            last_silent: 0,
            end: 1,
            longest: 1,
        };
        pointer.set_pauses(end, longest);
        pointer
    }

    /// Holds from now on, also for the utterance under way.
    pub fn set_pauses(&mut self, end: Duration, longest: Duration) {
        let windows = |time: Duration| u32::try_from(time.as_millis() / u128::from(WINDOW_MS)).unwrap_or(u32::MAX);
        self.end = windows(end).max(1);
        self.longest = windows(longest).max(1);
    }

    pub fn is_speaking(&self) -> bool {
        self.speaking.is_some()
    }

    /// The next piece, up to 20 ms, and the level (mean square) of what was played to the speaker meanwhile; 0 when
    /// nothing was.
    pub fn hear(&mut self, pcm: &[i16], played: f32) -> Option<Turn> {
        if self.keys.detect(pcm).is_some() {
            self.since_key = 0;
        }
        let mut wide = [0; 640];
        let pcm = match &mut self.upsampler {
            Some(upsampler) => {
                let written = upsampler.process(pcm, &mut wide);
                wide.get(..written).unwrap_or_default()
            }
            None => pcm,
        };
        let mut turn = None;
        for sample in pcm {
            if let Some(place) = self.window.get_mut(self.filled) {
                *place = *sample;
            }
            self.filled += 1;
            if self.filled == WINDOW {
                self.filled = 0;
                turn = self.judge(played).or(turn);
            }
        }
        turn
    }

    /// One whole window.
    fn judge(&mut self, played: f32) -> Option<Turn> {
        let voice = self.is_voice(played);
        self.recent = (self.recent << 1) | u32::from(voice);
        match &mut self.speaking {
            None => {
                let voiced = (self.recent & ((1 << RECENT) - 1)).count_ones();
                if voiced < ENOUGH {
                    return None;
                }
                let ago = 32 - (self.recent & ((1 << RECENT) - 1)).leading_zeros();
                self.speaking = Some(Speaking { windows: ago, voiced, silent: 0 });
                Some(Turn::Began { ago: Duration::from_millis(WINDOW_MS) * ago })
            }
            Some(speaking) => {
                speaking.windows += 1;
                if voice {
                    speaking.voiced += 1;
                    // A lone window in silence (a breath, a click) does not start the pause anew.
                    if (self.recent & 0b111).count_ones() >= 2 {
                        speaking.silent = 0;
                    }
                } else {
                    speaking.silent += 1;
                }
                let cut = speaking.windows >= self.longest;
                if !cut && speaking.silent < self.end {
                    return None;
                }
                Some(Turn::Ended { voiced: self.finish(), cut })
            }
        }
    }

    fn is_voice(&mut self, played: f32) -> bool {
        let level = level(&self.window);
        self.noise = level.min(self.noise * RISE).clamp(QUIETEST / ABOVE_NOISE, LOUDEST_NOISE);
        if let Some(place) = self.played.get_mut(self.played_at) {
            *place = played;
        }
        self.played_at = (self.played_at + 1) % ECHO_WINDOWS;
        let echo = self.played.iter().copied().fold(0.0, f32::max) / ECHO_LOSS;
        let score = self.network.predict_i16(&self.window);
        self.since_key = self.since_key.saturating_add(1);
        let threshold = if self.speaking.is_some() { GOES_ON } else { BEGINS };
        score >= threshold && level > QUIETEST.max(self.noise * ABOVE_NOISE).max(echo) && !self.near_a_key()
    }

    /// A key's tones and the voice of the network's doubt after them.
    fn near_a_key(&self) -> bool {
        self.since_key < 8
    }

    /// How long nothing has been said in the utterance under way.
    pub fn silence(&self) -> Duration {
        Duration::from_millis(WINDOW_MS) * self.speaking.map_or(0, |speaking| speaking.silent)
    }

    /// The silence with which the last utterance ended.
    pub fn last_silence(&self) -> Duration {
        Duration::from_millis(WINDOW_MS) * self.last_silent
    }

    /// Ends the utterance under way; how much voice was in it.
    pub fn finish(&mut self) -> Duration {
        let speaking = self.speaking.take().unwrap_or_default();
        self.recent = 0;
        self.last_silent = speaking.silent;
        Duration::from_millis(WINDOW_MS) * speaking.voiced
    }

    /// Forgets the utterance under way, not the line's noise.
    pub fn discard(&mut self) {
        self.finish();
    }
}

/// The mean square of samples, without their constant part.
pub fn level(pcm: &[i16]) -> f32 {
    if pcm.is_empty() {
        return 0.0;
    }
    let count = pcm.len() as f32;
    let mean = pcm.iter().map(|sample| f32::from(*sample)).sum::<f32>() / count;
    pcm.iter().map(|sample| (f32::from(*sample) - mean).powi(2)).sum::<f32>() / count
}

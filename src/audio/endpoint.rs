//! Where an utterance begins and ends: voice activity by a small network (`earshot`), made steady over time and held to
//! the level of the line and of the prompt that plays.

use std::fmt;
use std::time::Duration;

use super::echo::Echo;
use super::pitch::{Pitch, Pitched};
use super::{DtmfDetector, Upsampler};

/// What the network looks at: 16 ms at 16 kHz.
const WINDOW: usize = 256;
pub(super) const WINDOW_MS: u64 = 16;

/// Scores of the network from which on a window is voice: to begin, and to go on once it has begun.
const BEGINS: f32 = 0.5;
const GOES_ON: f32 = 0.35;
/// Speech begins with so many windows of voice among the last `RECENT`, 80 of 224 ms, in which a short syllable and the next
/// are found together. A click has fewer.
const ENOUGH: u32 = 5;
const RECENT: u32 = 14;
/// And with so many that have a pitch, which noise and coughs have not. The network alone takes noise for a voice.
const ENOUGH_PITCH: u32 = 3;
/// Where so many have, the syllable alone is enough.
const CLEAR_PITCH: u32 = 4;
/// Likeness of a voice to itself one period earlier, 1 for a tone. Of people far away each has less, for the others.
const PITCH: f32 = 0.75;
/// It is enough as well that so many windows are louder than they must be, by 2 dB, and have so much likeness, on average with
/// the window before, at the same period as that.
const ENOUGH_STEADY: u32 = 2;
const STEADY_PITCH: f32 = 0.55;
const LOUDER: f32 = 1.5;

/// Speech is louder than this, as a mean square of samples: 50 dB below full scale.
pub(super) const QUIETEST: f32 = 10_737.0;
/// And above the line's noise: by 7 dB to begin, by 4 dB to go on.
const ABOVE_TO_BEGIN: f32 = 5.0;
const ABOVE_TO_GO_ON: f32 = 2.5;
/// The noise is the median level of the last 1.6 s. While somebody speaks it is what it was before, or the level that is
/// never left: music and tones have no gaps between their syllables.
const LEVELS: usize = 100;
const FEWEST_LEVELS: usize = 12;
/// How fast the noise may seem to rise while somebody speaks: 3 dB a second, in windows.
const RISE: f32 = 1.011_1;
/// What is so much softer than the loudest of an utterance is not of the one who speaks: people in the room are voices as well.
/// 18 dB below; the loudest is forgotten as fast as the noise may rise.
const BELOW_LOUDEST: f32 = 0.016;
/// The network needs a while to get used to sound after complete silence, so it is never given that: 59 dB below full
/// scale, as amplitude.
const HISS: i16 = 60;
/// Windows after a key in which nothing counts as voice.
const AFTER_KEY: u32 = 8;

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
    pitched: Pitched,
    /// Of the window before, where it was loud enough for a voice.
    last_pitch: Pitch,
    levels: Levels,
    /// The line's noise when speech began.
    noise: f32,
    /// The loudest of the utterance under way.
    loudest: f32,
    echo: Echo,
    recent: Recent,
    /// Windows since a key was held.
    since_key: u32,
    hiss: u32,
    speaking: Option<Speaking>,
    /// Windows of silence at the end of the last utterance.
    last_silent: u32,
    end: u32,
    longest: u32,
}

/// What a window is. Only before speech begins its pitch is looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    voice: bool,
    pitch: bool,
    steady: bool,
}

/// What the last windows were: one bit each, the latest lowest.
#[derive(Clone, Copy, Debug, Default)]
struct Recent {
    voice: u32,
    pitch: u32,
    steady: u32,
}

impl Recent {
    fn push(&mut self, window: Window) {
        let push = |bits: u32, bit: bool| ((bits << 1) | u32::from(bit)) & ((1 << RECENT) - 1);
        self.voice = push(self.voice, window.voice);
        self.pitch = push(self.pitch, window.pitch);
        self.steady = push(self.steady, window.steady);
    }

    fn is_speech(self) -> bool {
        let pitched = self.pitch.count_ones();
        let long = self.voice.count_ones() >= ENOUGH && pitched >= ENOUGH_PITCH;
        long || pitched >= CLEAR_PITCH || self.steady.count_ones() >= ENOUGH_STEADY
    }
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
            pitched: Pitched::default(),
            last_pitch: Pitch::default(),
            levels: Levels::default(),
            noise: 0.0,
            loudest: 0.0,
            echo: Echo::default(),
            recent: Recent::default(),
            since_key: u32::MAX,
            hiss: 1,
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
        self.keys.detect(pcm);
        if self.keys.is_held() {
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
        let window = self.look(played);
        self.recent.push(window);
        match &mut self.speaking {
            None => {
                if !self.recent.is_speech() {
                    return None;
                }
                let ago = 32 - self.recent.voice.leading_zeros();
                let voiced = self.recent.voice.count_ones();
                self.speaking = Some(Speaking { windows: ago, voiced, silent: 0 });
                self.noise = self.levels.median();
                self.loudest = self.levels.latest();
                Some(Turn::Began { ago: Duration::from_millis(WINDOW_MS) * ago })
            }
            Some(speaking) => {
                speaking.windows += 1;
                if window.voice {
                    speaking.voiced += 1;
                    // A lone window in silence (a breath, a click) does not start the pause anew.
                    if (self.recent.voice & 0b111).count_ones() >= 2 {
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

    fn look(&mut self, played: f32) -> Window {
        let level = level(&self.window);
        let speaking = self.speaking.is_some();
        let floor = if speaking {
            self.noise *= RISE;
            // A click is no voice: the softer of two windows counts.
            self.loudest = (self.loudest / RISE).max(level.min(self.levels.latest()));
            (self.noise.max(self.levels.lowest()) * ABOVE_TO_GO_ON).max(self.loudest * BELOW_LOUDEST)
        } else {
            self.levels.median() * ABOVE_TO_BEGIN
        };
        self.levels.push(level);
        let echo = self.echo.loudest(level, played);
        self.since_key = self.since_key.saturating_add(1);
        self.pitched.push(&self.window);
        for sample in &mut self.window {
            // A linear congruence (Numerical Recipes); its high bits are noise enough.
            self.hiss = self.hiss.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = (self.hiss >> 16) as i16 % HISS;
            *sample = sample.saturating_add(hiss);
        }
        let score = self.network.predict_i16(&self.window);
        let threshold = if speaking { GOES_ON } else { BEGINS };
        let least = QUIETEST.max(floor).max(echo);
        let voice = score >= threshold && level > least && self.since_key > AFTER_KEY;
        let pitch = if !speaking && level > least { self.pitched.pitch() } else { Pitch::default() };
        let last = std::mem::replace(&mut self.last_pitch, pitch);
        let alike = pitch.likeness + last.likeness > 2.0 * STEADY_PITCH && pitch.is_steady_since(last);
        let steady = alike && level > least * LOUDER && self.levels.are_known();
        Window { voice, pitch: voice && pitch.likeness > PITCH, steady: voice && steady }
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
        self.recent = Recent::default();
        self.last_silent = speaking.silent;
        Duration::from_millis(WINDOW_MS) * speaking.voiced
    }

    /// Forgets the utterance under way, not the line's noise.
    pub fn discard(&mut self) {
        self.finish();
    }
}

/// The levels of the last windows.
#[derive(Clone, Copy, Debug)]
struct Levels {
    levels: [f32; LEVELS],
    count: usize,
}

impl Default for Levels {
    fn default() -> Self {
        Levels { levels: [0.0; LEVELS], count: 0 }
    }
}

impl Levels {
    fn push(&mut self, level: f32) {
        if let Some(place) = self.levels.get_mut(self.count % LEVELS) {
            *place = level;
        }
        self.count += 1;
        if self.count == 2 * LEVELS {
            self.count = LEVELS;
        }
    }

    fn latest(&self) -> f32 {
        self.count.checked_sub(1).and_then(|last| self.levels.get(last % LEVELS)).copied().unwrap_or(0.0)
    }

    fn median(&self) -> f32 {
        self.quantile(1, 2)
    }

    fn lowest(&self) -> f32 {
        self.quantile(1, 10)
    }

    fn are_known(&self) -> bool {
        self.count >= FEWEST_LEVELS
    }

    /// 0 until there are enough of them to tell.
    fn quantile(&self, part: usize, of: usize) -> f32 {
        if !self.are_known() {
            return 0.0;
        }
        let count = self.count.min(LEVELS);
        let mut sorted = self.levels;
        let Some(known) = sorted.get_mut(..count) else { return 0.0 };
        let (_, level, _) = known.select_nth_unstable_by(count * part / of, f32::total_cmp);
        *level
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

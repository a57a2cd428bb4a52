//! Where an utterance begins and ends: voice activity by a small network (`earshot`), made steady over time and held to
//! the level of the line and of the prompt that plays.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use super::{DtmfDetector, Upsampler};

/// What the network looks at: 16 ms at 16 kHz.
const WINDOW: usize = 256;
const WINDOW_MS: u64 = 16;

/// Scores of the network from which on a window is voice: to begin, and to go on once it has begun.
const BEGINS: f32 = 0.5;
const GOES_ON: f32 = 0.35;
/// So many of the last `RECENT` windows are voice when speech begins: 80 of 160 ms. A click has fewer.
const ENOUGH: u32 = 5;
const RECENT: u32 = 10;
/// And so many of them have a pitch, which noise and coughs have not. The network alone takes noise for a voice.
const ENOUGH_PITCH: u32 = 3;
/// Likeness of a voice to itself one period earlier, 1 for a tone.
const PITCH: f32 = 0.6;
/// Periods of voices at 8 kHz: 70 to 400 Hz.
const PERIODS: std::ops::Range<usize> = 20..115;

/// Speech is louder than this, as a mean square of samples: 50 dB below full scale.
const QUIETEST: f32 = 10_737.0;
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
/// A line returns a prompt at least this much weaker: 12 dB. Weaker voices are not told from the echo, until the line has
/// shown how little it returns.
const ECHO_LOSS: f32 = 15.85;
/// What it has shown is the most that came back in so many windows of a prompt, and not in fewer than these.
const SHOWN: usize = 100;
const FEWEST_SHOWN: usize = 20;
/// An echo may be louder than that by 9 dB, and no line returns less than 30 dB below.
const ECHO_MARGIN: f32 = 8.0;
const LEAST_ECHO: f32 = 0.001;
/// How long an echo lingers, in windows: the longest delay of a telephone line, and the room behind it.
const ECHO_WINDOWS: usize = 25;
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
    /// The last 32 ms at 8 kHz, for the pitch.
    pitched: [f32; WINDOW],
    levels: Levels,
    /// The line's noise when speech began.
    noise: f32,
    /// The loudest of the utterance under way.
    loudest: f32,
    /// The last levels of what was played to this voice.
    played: [f32; ECHO_WINDOWS],
    played_at: usize,
    /// Of each window of a prompt over which nobody spoke: the share of its level that came back.
    returned: VecDeque<f32>,
    /// One bit a window, the latest lowest: whether it was voice, and whether that had a pitch.
    recent: u32,
    recent_pitch: u32,
    /// Windows since a key was held.
    since_key: u32,
    hiss: u32,
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
            pitched: [0.0; WINDOW],
            levels: Levels::default(),
            noise: 0.0,
            loudest: 0.0,
            played: [0.0; ECHO_WINDOWS],
            played_at: 0,
            returned: VecDeque::with_capacity(SHOWN + 1),
            recent: 0,
            recent_pitch: 0,
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
        const LAST: u32 = (1 << RECENT) - 1;
        let (voice, pitch) = self.is_voice(played);
        self.recent = ((self.recent << 1) | u32::from(voice)) & LAST;
        self.recent_pitch = ((self.recent_pitch << 1) | u32::from(pitch)) & LAST;
        match &mut self.speaking {
            None => {
                let voiced = self.recent.count_ones();
                if voiced < ENOUGH || self.recent_pitch.count_ones() < ENOUGH_PITCH {
                    return None;
                }
                let ago = 32 - self.recent.leading_zeros();
                self.speaking = Some(Speaking { windows: ago, voiced, silent: 0 });
                self.noise = self.levels.median();
                self.loudest = self.levels.latest();
                // These windows were no echo.
                self.returned.truncate(self.returned.len().saturating_sub(ago as usize));
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

    /// Whether the window is voice, and whether it has a pitch as well; that is only looked at before speech begins.
    fn is_voice(&mut self, played: f32) -> (bool, bool) {
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
        if let Some(place) = self.played.get_mut(self.played_at) {
            *place = played;
        }
        self.played_at = (self.played_at + 1) % ECHO_WINDOWS;
        let played = self.played.iter().copied().fold(0.0, f32::max);
        let echo = played * self.echo();
        if !speaking && played > QUIETEST {
            self.returned.push_back(level / played);
            if self.returned.len() > SHOWN {
                self.returned.pop_front();
            }
        }
        self.since_key = self.since_key.saturating_add(1);
        self.pitched.copy_within(WINDOW / 2.., 0);
        let halved = self.window.as_chunks().0.iter().map(|[a, b]| (f32::from(*a) + f32::from(*b)) / 2.0);
        self.pitched.iter_mut().skip(WINDOW / 2).zip(halved).for_each(|(place, sample)| *place = sample);
        for sample in &mut self.window {
            // A linear congruence (Numerical Recipes); its high bits are noise enough.
            self.hiss = self.hiss.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = (self.hiss >> 16) as i16 % HISS;
            *sample = sample.saturating_add(hiss);
        }
        let score = self.network.predict_i16(&self.window);
        let threshold = if speaking { GOES_ON } else { BEGINS };
        let loud = level > QUIETEST.max(floor).max(echo);
        let voice = score >= threshold && loud && self.since_key > AFTER_KEY;
        (voice, voice && !speaking && pitch(&self.pitched) > PITCH)
    }

    /// The share of a prompt's level below which a sound may be its echo. The latest windows may be a voice already.
    fn echo(&self) -> f32 {
        let shown = self.returned.len().saturating_sub(RECENT as usize);
        if shown < FEWEST_SHOWN {
            return 1.0 / ECHO_LOSS;
        }
        let most = self.returned.iter().take(shown).copied().fold(LEAST_ECHO, f32::max);
        (most * ECHO_MARGIN).min(1.0 / ECHO_LOSS)
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
        self.recent_pitch = 0;
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

    /// 0 until there are enough of them to tell.
    fn quantile(&self, part: usize, of: usize) -> f32 {
        let count = self.count.min(LEVELS);
        if count < FEWEST_LEVELS {
            return 0.0;
        }
        let mut sorted = self.levels;
        let Some(known) = sorted.get_mut(..count) else { return 0.0 };
        let (_, level, _) = known.select_nth_unstable_by(count * part / of, f32::total_cmp);
        *level
    }
}

/// How like a voice is to itself one period of a human pitch earlier.
fn pitch(samples: &[f32; WINDOW]) -> f32 {
    let mean = samples.iter().sum::<f32>() / WINDOW as f32;
    let samples = samples.map(|sample| sample - mean);
    let likeness = |period: usize| {
        let (mut product, mut early, mut late) = (0.0, 0.0, 0.0_f32);
        for (a, b) in samples.iter().zip(samples.iter().skip(period)) {
            product += a * b;
            early += a * a;
            late += b * b;
        }
        let size = (early * late).sqrt();
        if size > 0.0 { product / size } else { 0.0 }
    };
    PERIODS.map(likeness).fold(0.0, f32::max)
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

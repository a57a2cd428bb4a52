//! How loud the echo of a prompt may be on the line: no louder than what has been heard when the prompt was loudest.

use super::endpoint::{QUIETEST, WINDOW_MS};

/// How long an echo lingers, in windows: the longest delay of a telephone line, and the room behind it.
const DELAYS: usize = 400 / WINDOW_MS as usize;
/// A line returns a prompt at least this much weaker: 12 dB. Weaker voices are not told from the echo, until the line has
/// shown how little it returns.
const LOSS: f32 = 15.85;
/// No line is trusted to return less than 21 dB below.
const LEAST: f32 = 0.008;
/// An echo may be louder than what was shown by 6 dB: in a room it comes in many ways.
const MARGIN: f32 = 4.0;
/// How fast what was shown is forgotten: 0.8 dB a second, in windows.
const FORGOTTEN: f32 = 1.003;

/// Learns for each delay which share of the prompt's level comes back at most: an echo is there whenever the prompt is,
/// while noise and voices only make it seem louder, so that the least share counts.
#[derive(Clone, Debug)]
pub struct Echo {
    /// Mean squares of what was played, the latest first; one more, for what was heard is compared with what was played before.
    played: [f32; DELAYS + 1],
    /// By delay in windows, as a ratio of mean squares.
    share: [f32; DELAYS],
    /// Of the last windows heard: a window of an echo lies over two of the prompt.
    heard: [f32; 3],
}

impl Default for Echo {
    fn default() -> Self {
        Echo { played: [0.0; DELAYS + 1], share: [1.0 / LOSS; DELAYS], heard: [0.0; 3] }
    }
}

impl Echo {
    /// The next window, as the mean squares of what was heard and of what was played meanwhile. Below the level returned a
    /// sound may be an echo.
    pub fn loudest(&mut self, heard: f32, played: f32) -> f32 {
        self.played.copy_within(..DELAYS, 1);
        self.played[0] = played;
        self.heard.copy_within(1.., 0);
        self.heard[2] = heard;
        let heard = self.heard.iter().copied().fold(0.0, f32::max);
        // What was heard lately is compared with the middle of it.
        for (share, played) in self.share.iter_mut().zip(self.played.iter().skip(1)) {
            if *played > QUIETEST {
                *share = (*share * FORGOTTEN).min(heard / played).max(LEAST / MARGIN);
            }
        }
        let most = self.played.iter().copied().fold(0.0, f32::max);
        let next = self.played.iter().skip(1).chain([&0.0]);
        let last = [&0.0].into_iter().chain(&self.played);
        let around = self.played.iter().zip(next).zip(last).map(|((a, b), c)| a.max(*b).max(*c));
        let echo = around.zip(&self.share).map(|(played, share)| played * share).fold(0.0, f32::max);
        (echo * MARGIN).max(most * LEAST).min(most / LOSS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A prompt's syllables, a quarter of a second each: as mean squares, the loudest at 20 dB below full scale.
    const LOUDEST: f32 = 1.0e7;
    const WINDOWS: usize = 200;

    fn prompt(window: usize) -> f32 {
        LOUDEST * [1.0, 0.1, 0.4, 0.01][window / 16 % 4]
    }

    /// What a line returns of it, and the level below which a sound may be that, window by window.
    fn levels(returned: impl Fn(usize) -> f32) -> Vec<(f32, f32)> {
        let mut echo = Echo::default();
        (0..WINDOWS).map(|window| (returned(window), echo.loudest(returned(window), prompt(window)))).collect()
    }

    #[test]
    fn before_the_line_has_shown_it_an_echo_may_be_12_db_weaker() {
        assert_eq!(levels(|window| prompt(window) / LOSS)[0].1, LOUDEST / LOSS);
    }

    #[test]
    fn no_echo_is_louder_than_the_level_below_which_it_may_be_one() {
        for (delay, share) in [(0, 0.06), (5, 0.03), (20, 0.01), (DELAYS - 2, 0.002)] {
            let returned = |window: usize| window.checked_sub(delay).map_or(0.0, |then| prompt(then) * share);
            for (window, (echo, level)) in levels(returned).into_iter().enumerate() {
                assert!(echo <= level, "{delay} windows later, {share}: {echo} of {level} in window {window}");
            }
        }
    }

    #[test]
    fn a_line_that_returns_nothing_hides_nobody_who_is_21_db_weaker_than_the_prompt() {
        let (_, level) = levels(|_| 0.0)[WINDOWS - 1];
        assert_eq!(level, LOUDEST * LEAST);
    }

    #[test]
    fn a_line_that_begins_to_return_something_is_known_in_ten_seconds() {
        let returned = |window: usize| if window < WINDOWS { 0.0 } else { prompt(window) / 20.0 };
        let mut echo = Echo::default();
        let mut heard = |window: usize| returned(window) > echo.loudest(returned(window), prompt(window));
        let taken: Vec<usize> = (0..8 * WINDOWS).filter(|window| heard(*window)).collect();
        let known = WINDOWS + 10_000 / WINDOW_MS as usize;
        assert!(taken.iter().all(|window| *window < known), "{taken:?}");
    }

    #[test]
    fn noise_is_not_taken_for_an_echo_as_loud() {
        let noise = LOUDEST / LOSS / 2.0;
        let levels = levels(|_| noise);
        // While the prompt is soft, its echo is softer than the noise.
        let soft = levels.iter().enumerate().skip(WINDOWS / 2).filter(|(window, _)| prompt(*window) < LOUDEST / 2.0);
        let least = soft.map(|(_, (_, level))| *level).fold(f32::INFINITY, f32::min);
        assert!(least < noise, "{least} of {noise}");
    }
}

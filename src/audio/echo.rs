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
    /// Mean squares of what was played, the latest first.
    played: [f32; DELAYS],
    /// By delay in windows, as a ratio of mean squares.
    share: [f32; DELAYS],
    /// Of the last windows heard: a window of an echo lies over two of the prompt.
    heard: [f32; 3],
}

impl Default for Echo {
    fn default() -> Self {
        Echo { played: [0.0; DELAYS], share: [1.0 / LOSS; DELAYS], heard: [0.0; 3] }
    }
}

impl Echo {
    /// The next window, as the mean squares of what was heard and of what was played meanwhile. Below the level returned a
    /// sound may be an echo.
    pub fn loudest(&mut self, heard: f32, played: f32) -> f32 {
        self.played.copy_within(..DELAYS - 1, 1);
        self.played[0] = played;
        self.heard.copy_within(1.., 0);
        self.heard[2] = heard;
        let heard = self.heard.iter().copied().fold(0.0, f32::max);
        // What was heard lately is compared with the middle of it.
        for (share, played) in self.share.iter_mut().zip(self.played.iter().skip(1)) {
            if *played > QUIETEST {
                *share = (*share * FORGOTTEN).min(heard / played);
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

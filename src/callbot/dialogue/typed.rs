//! A card number that is typed where something shorter is asked for: it falls into pieces, each of which looks like an answer.

use serde::{Deserialize, Serialize};

use super::{By, Dialogue, Duration, Instant, Turn};
use crate::bridge::Digit;
use crate::callbot::privacy::{HIDDEN, holds_card};
use crate::spoken::PREFIX;

/// Who reads a number off a card takes no longer from one key to the next. It is less than `between_keys` of a bot, so that a
/// key after a question was heard out is no part of what was typed before.
const ONE_BREATH: Duration = Duration::from_secs(3);

/// More keys than any card has, with what may be typed around it.
const MOST: usize = 40;

/// So few digits tell nothing of a card, and may be a choice.
const TELLS: usize = 4;

/// The digits that were typed in one breath, whatever they were taken for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Breath {
    digits: String,
    last: Option<Instant>,
    /// The turn of the transcript that its first digit belongs to.
    first_turn: usize,
    /// A card number is among them.
    card: bool,
}

impl Breath {
    /// The next key; `turns` stand in the transcript before it.
    pub fn key(&mut self, digit: Digit, turns: usize, now: Instant) {
        if self.last.is_none_or(|last| now.since(last) > ONE_BREATH) {
            *self = Breath { first_turn: turns, ..Breath::default() };
        }
        self.last = Some(now);
        if digit.key().is_ascii_digit() && self.digits.len() < MOST {
            self.digits.push(digit.key());
            self.card |= holds_card(&self.digits);
        }
    }

    /// Whether a text is a part of the card number.
    fn tells(&self, text: &str) -> bool {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        self.card && digits.len() >= TELLS && self.digits.contains(&digits)
    }
}

impl Dialogue {
    pub(super) fn is_of_card(&self, text: &str) -> bool {
        self.breath.tells(text)
    }

    /// Takes a card number that was typed in pieces out of what is kept: the turns, the misses, and what the bot said of it.
    /// A value that is made of it is private from now on.
    pub(super) fn hide_typed_card(&mut self) {
        if !self.breath.card {
            return;
        }
        self.holds_private = true;
        for turn in self.transcript.iter_mut().skip(self.breath.first_turn) {
            match turn {
                Turn::Caller { by: By::Keys, text, .. } => HIDDEN.clone_into(text),
                Turn::Caller { .. } => {}
                Turn::Bot { prompts, .. } => prompts.retain(|prompt| !prompt.starts_with(PREFIX)),
            }
        }
        for missed in self.missed.iter_mut().filter(|missed| self.breath.tells(missed)) {
            HIDDEN.clone_into(missed);
        }
        let made_of_it = self.slots.iter().filter(|(_, value)| self.breath.tells(value)).map(|(name, _)| name.clone());
        self.hidden.extend(made_of_it);
    }
}

//! What the bot says: texts to prompts, questions, last words.

use jiff::tz::TimeZone;

use super::{
    Action, Dialogue, Ending, Expect, LONGEST_SAYING, MOST_TURNS_KEPT, Mind, Now, Reason, State, Text, Turn, Wall,
};
use crate::callbot::bot::Piece;
use crate::callbot::slots::Kind;
use crate::spoken::{self, Amount};

impl Dialogue {
    /// A text's prompts, with values as their fragments. A value that is not there or cannot be said is left out.
    pub(super) fn prompts(&self, mind: Mind<'_>, text: &Text, now: Now) -> Vec<String> {
        let piece = |piece: &Piece| match piece {
            Piece::Prompt(name) => vec![name.clone()],
            Piece::Value { said, of } => {
                let value = self.slots.get(of).or_else(|| self.fields.get(of));
                let table = mind.spoken.get(&self.language);
                let fragments = |(value, table): (&String, _)| {
                    // The letters of an order number are not said.
                    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
                    let value = if said.kind == spoken::Kind::Digits { &digits } else { value };
                    said.prompts(Amount::Text(value), table, now.wall)
                };
                value.zip(table).and_then(fragments).unwrap_or_default()
            }
        };
        text.iter().flat_map(piece).collect()
    }

    /// Asks a question and listens; what is pending is said before it.
    pub(super) fn ask(&mut self, mind: Mind<'_>, text: &Text, state: State, now: Now) {
        let mut question = self.prompts(mind, text, now);
        self.state = state;
        self.expect = self.expected(mind);
        if self.by_keys && matches!(self.expect, Expect::YesOrNo) {
            question.extend(self.prompts(mind, &mind.bot.texts.one_or_two, now));
        }
        self.question = question.clone();
        let before = std::mem::take(&mut self.pending);
        self.set_private(mind);
        self.speak(before.into_iter().chain(question).collect(), now);
        self.listen();
    }

    /// Asks the same question again, with words before it.
    pub(super) fn ask_again(&mut self, mind: Mind<'_>, before: &Text, now: Now) {
        let mut prompts = self.prompts(mind, before, now);
        prompts.extend(self.question.iter().cloned());
        self.speak(prompts, now);
        self.listen();
    }

    /// What may the caller want? By key where nobody understands speech.
    pub(super) fn ask_for_wish(&mut self, mind: Mind<'_>, now: Now) {
        let text = if self.by_keys { &mind.bot.texts.keypad } else { &mind.bot.texts.go_ahead };
        self.ask(mind, text, State::Wish, now);
    }

    pub(super) fn ask_for_more(&mut self, mind: Mind<'_>, now: Now) {
        if self.by_keys {
            self.ask(mind, &mind.bot.texts.keypad, State::Wish, now);
        } else {
            self.ask(mind, &mind.bot.texts.anything_else, State::More, now);
        }
    }

    fn expected(&self, mind: Mind<'_>) -> Expect {
        match &self.state {
            State::SureOf(_) | State::Confirming(_) | State::Offered => Expect::YesOrNo,
            State::Asking(slot) => match mind.bot.slots.get(slot).map(|slot| &slot.kind) {
                Some(Kind::YesNo) => Expect::YesOrNo,
                Some(Kind::Digits { .. } | Kind::Pattern(_) | Kind::Phone | Kind::Number { .. }) => Expect::Spelled,
                Some(Kind::Choice(choices)) => {
                    let phrases = choices.values().filter_map(|phrases| phrases.get(&self.language)).flatten();
                    Expect::Phrases(phrases.cloned().collect())
                }
                _ => Expect::Anything,
            },
            State::Wish | State::More => Expect::Wish,
            _ => Expect::Anything,
        }
    }

    fn set_private(&mut self, mind: Mind<'_>) {
        let private = match &self.state {
            State::Asking(slot) | State::Confirming(slot) => mind.bot.slots.get(slot).is_some_and(|slot| slot.private),
            _ => false,
        };
        if private != self.private {
            self.private = private;
            self.actions.push_back(Action::PauseRecording(private));
        }
    }

    fn listen(&mut self) {
        if !self.by_keys {
            self.actions.push_back(Action::Listen { language: self.language.clone(), expect: self.expect.clone() });
        }
    }

    pub(super) fn speak(&mut self, prompts: Vec<String>, now: Now) {
        self.keys.clear();
        self.paused = false;
        let say = self.next_say;
        self.next_say += 1;
        self.saying = Some(say);
        self.deadline = Some(now.instant + LONGEST_SAYING);
        if !prompts.is_empty() {
            let mut shown = prompts.clone();
            if self.private || self.holds_private {
                shown.retain(|prompt| !prompt.starts_with(crate::spoken::PREFIX));
            }
            self.keep(Turn::Bot { at_ms: self.at_ms(now), prompts: shown });
        }
        self.actions.push_back(Action::Say { say, prompts, language: self.language.clone() });
    }

    pub(super) fn stop_speaking(&mut self) {
        if let Some(say) = self.saying.take() {
            self.actions.push_back(Action::StopSaying(say));
        }
    }

    pub(super) fn keep(&mut self, turn: Turn) {
        if self.transcript.len() < MOST_TURNS_KEPT {
            self.transcript.push(turn);
        } else {
            self.omitted = self.omitted.saturating_add(1);
        }
    }

    pub(super) fn hand_over(&mut self, mind: Mind<'_>, reason: Reason, now: Now) {
        self.end_with(mind, &mind.bot.texts.hand_over, Ending::HandOver(reason), now);
    }

    /// Says the last words; the end comes behind them.
    pub(super) fn end_with(&mut self, mind: Mind<'_>, text: &Text, ending: Ending, now: Now) {
        if self.private {
            self.private = false;
            self.actions.push_back(Action::PauseRecording(false));
        }
        let mut prompts = std::mem::take(&mut self.pending);
        prompts.extend(self.prompts(mind, text, now));
        self.state = State::Ending(ending);
        self.speaking = false;
        self.actions.push_back(Action::StopListening);
        if prompts.is_empty() {
            self.stop_speaking();
            self.over(mind, ending, now);
        } else {
            self.speak(prompts, now);
        }
    }

    pub(super) fn over(&mut self, mind: Mind<'_>, ending: Ending, now: Now) {
        self.state = State::Over;
        self.deadline = None;
        self.saying = None;
        let packet = Box::new(self.packet(mind, Some(ending), now));
        self.actions.push_back(Action::End { ending, packet });
    }

    /// The day it is where the bot is.
    pub(super) fn today(&self, mind: Mind<'_>, wall: Wall) -> jiff::civil::Date {
        let zone = TimeZone::get(&mind.bot.time_zone).unwrap_or(TimeZone::UTC);
        zone.to_datetime(wall).date()
    }
}

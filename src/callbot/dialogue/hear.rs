//! What the caller says and types, and what it means where the conversation stands.

use super::{By, Dialogue, Ending, Expect, Guess, MOST_NOISES, Mind, Now, Reason, State, Text, Turn, Utterance};
use crate::bridge::Digit;
use crate::callbot::privacy::{HIDDEN, without_cards};
use crate::callbot::slots::{Kind, yes_or_no};
use crate::callbot::text::{LONGEST, has_words, is_only, plain};
use crate::callbot::understanding::language_of;
use crate::callbot::words::{self, Words};
use crate::spoken::PREFIX;

/// An answer of so few words is no new wish.
const SHORT: usize = 4;

impl Dialogue {
    pub(super) fn speech_started(&mut self, mind: Mind<'_>, now: Now) {
        if self.by_keys || matches!(self.state, State::Ending(_) | State::LookingUp(_)) {
            return;
        }
        self.stop_speaking();
        self.speaking = true;
        self.deadline = Some(now.instant + mind.bot.times.recogniser);
    }

    pub(super) fn heard(&mut self, utterance: &Utterance, mind: Mind<'_>, now: Now) {
        if matches!(self.state, State::Ending(_) | State::LookingUp(_)) {
            return;
        }
        self.speaking = false;
        let text: String = utterance.text.chars().take(LONGEST).collect();
        let answer = self.heard_otherwise(mind, &text, &utterance.alternatives);
        let is_answer = answer.is_some();
        let text = answer.unwrap_or(text);
        let likelier = mind.understanding.likelier(mind.bot, &self.language, &text, &utterance.alternatives);
        if plain(&text).is_empty() {
            return self.noise(mind, now);
        }
        self.stop_speaking();
        self.turns += 1;
        self.noises = 0;
        self.silences = 0;
        self.keys.clear();
        self.keep(Turn::Caller {
            at_ms: self.at_ms(now),
            by: By::Speech,
            // For who reads it; what it is taken for goes by all that may have been said.
            text: self.shown(mind, likelier.as_deref().filter(|_| self.expect == Expect::Wish).unwrap_or(&text)),
            confidence: utterance.confidence,
            intent: None,
        });
        if self.turns > mind.bot.times.turns {
            return self.hand_over(mind, Reason::TooLong, now);
        }
        if !is_answer && utterance.confidence.is_some_and(|confidence| confidence < mind.bot.thresholds.heard) {
            return self.miss(mind, &text, &Text::new(), now);
        }
        self.follow_language(mind, &text);
        let words = words::of(&self.language);
        if words.is_some_and(|words| self.is_about_talking(words, &text, mind, now)) || self.is_angry(mind, &text, now)
        {
            return;
        }
        match (self.state.clone(), words) {
            (State::Asking(slot), Some(words)) => self.answer_to(mind, &slot, &text, words, now),
            (State::Confirming(slot), Some(words)) => self.confirmation(mind, &slot, &text, words, now),
            (State::SureOf(intent), words) => match words.and_then(|words| yes_or_no(&text, words)) {
                Some(true) => {
                    let wish = std::mem::take(&mut self.wish);
                    self.begin(mind, intent, 1.0, &wish, now);
                }
                answer => self.other_wish(mind, answer, &text, now),
            },
            (State::Offered, words) => match self.answer_or_wish(mind, &text, words) {
                Said::Answer(accepted) => self.after_offer(mind, accepted, now),
                // Who asks for the same again has not got what they need.
                Said::Wish(guess) if Some(guess.intent) == self.intent => {
                    self.hand_over(mind, Reason::Repeated, now);
                }
                Said::Wish(guess) => self.take(mind, guess, &text, now),
                Said::Nothing => self.miss(mind, &text, &Text::new(), now),
            },
            (State::More, words) => match self.answer_or_wish(mind, &text, words) {
                Said::Answer(false) => self.end_with(mind, &mind.bot.texts.goodbye, Ending::Served, now),
                Said::Answer(true) => self.ask_for_wish(mind, now),
                Said::Wish(guess) => self.take(mind, guess, &text, now),
                Said::Nothing => self.miss(mind, &text, &Text::new(), now),
            },
            (_, _) => self.wish(mind, &text, now),
        }
    }

    /// A yes or no that was taken for something else, and for nothing that means anything, though it was expected.
    fn heard_otherwise(&self, mind: Mind<'_>, text: &str, alternatives: &[String]) -> Option<String> {
        let words = words::of(&self.language)?;
        let plain = plain(text);
        let means_something = yes_or_no(text, words).is_some()
            || [&words.agent, &words.wait, &words.repeat].into_iter().flatten().any(|phrase| has_words(&plain, phrase))
            || mind.understanding.guess(mind.bot, &self.language, text).is_some_and(|guess| guess.accepted);
        if self.expect != Expect::YesOrNo || means_something {
            return None;
        }
        alternatives.iter().find(|other| short_answer(other, words).is_some()).cloned()
    }

    /// Sounds that were no speech: what was interrupted is said again, not for ever.
    fn noise(&mut self, mind: Mind<'_>, now: Now) {
        self.noises += 1;
        if self.noises > MOST_NOISES {
            self.silent(mind, now);
        } else if self.saying.is_none() {
            self.ask_again(mind, &Text::new(), now);
        }
    }

    /// Who speaks another of the bot's languages is answered in it.
    fn follow_language(&mut self, mind: Mind<'_>, text: &str) {
        let other = language_of(text, &mind.bot.languages, &self.language);
        if let Some(other) = other {
            self.language = other;
            self.question.retain(|prompt| !prompt.starts_with(PREFIX));
        }
    }

    /// "One moment", "pardon?", "agent": what concerns the conversation itself.
    fn is_about_talking(&mut self, words: &Words, text: &str, mind: Mind<'_>, now: Now) -> bool {
        let plain = plain(text);
        let length = plain.split(' ').count();
        let says = |phrases: &[String]| phrases.iter().any(|phrase| has_words(&plain, phrase));
        let is_example = mind.understanding.knows(&self.language, text);
        if length <= SHORT && !is_example && says(&words.agent) {
            self.guess = mind.bot.intent("agent").map(|agent| (Some(agent), 1.0));
            self.note_guess(mind);
            self.hand_over(mind, Reason::Agent, now);
            return true;
        }
        if length <= 2 * SHORT && says(&words.wait) && !matches!(self.state, State::Asking(_) if length > SHORT) {
            self.pending.clear();
            let prompts = self.prompts(mind, &mind.bot.texts.moment, now);
            self.speak(prompts, now);
            self.paused = true;
            return true;
        }
        if matches!(self.state, State::Wish | State::More)
            && is_only(&plain, &words.farewells)
            && !is_only(&plain, &words.yes)
        {
            self.end_with(mind, &mind.bot.texts.goodbye, Ending::Served, now);
            return true;
        }
        if self.state == State::Wish && is_only(&plain, &words.greetings) {
            self.ask_for_wish(mind, now);
            return true;
        }
        if length <= 2 * SHORT && says(&words.repeat) {
            self.ask_again(mind, &Text::new(), now);
            return true;
        }
        false
    }

    fn is_angry(&mut self, mind: Mind<'_>, text: &str, now: Now) -> bool {
        let plain = plain(text);
        let words = mind.bot.anger.get(&self.language);
        let angry = words.into_iter().flatten().any(|word| has_words(&plain, word));
        if angry {
            // What it is about is worth knowing all the same.
            if let Some(guess) = self.guessed(mind, text).filter(|guess| guess.accepted) {
                self.intent = Some(guess.intent);
                self.confidence = guess.confidence;
            }
            self.hand_over(mind, Reason::Anger, now);
        }
        angry
    }

    fn guessed(&mut self, mind: Mind<'_>, text: &str) -> Option<Guess> {
        let guess = mind.understanding.guess(mind.bot, &self.language, text);
        let accepted = guess.filter(|guess| guess.accepted).map(|guess| guess.intent);
        self.guess = Some((accepted, guess.map_or(0.0, |guess| guess.confidence)));
        self.note_guess(mind);
        guess
    }

    /// Into the transcript, behind the words it was made of.
    fn note_guess(&mut self, mind: Mind<'_>) {
        let Some((Some(intent), sure)) = self.guess else { return };
        let name = mind.bot.intents.get(intent).map(|intent| intent.name.clone());
        let last = self.transcript.iter_mut().rev().find(|turn| matches!(turn, Turn::Caller { .. }));
        if let (Some(Turn::Caller { intent, .. }), Some(name)) = (last, name) {
            *intent = Some((name, sure));
        }
    }

    fn wish(&mut self, mind: Mind<'_>, text: &str, now: Now) {
        match self.guessed(mind, text) {
            Some(guess) if guess.accepted => self.take(mind, guess, text, now),
            _ => self.miss(mind, text, &Text::new(), now),
        }
    }

    /// A short yes or no is an answer; a longer one is where it is no wish.
    fn answer_or_wish(&mut self, mind: Mind<'_>, text: &str, words: Option<&Words>) -> Said {
        if let Some(answer) = words.and_then(|words| short_answer(text, words)) {
            return Said::Answer(answer);
        }
        match self.guessed(mind, text).filter(|guess| guess.accepted) {
            Some(guess) => Said::Wish(guess),
            None => words.and_then(|words| yes_or_no(text, words)).map_or(Said::Nothing, Said::Answer),
        }
    }

    /// Acts on a guess, or asks back where it is not sure.
    fn take(&mut self, mind: Mind<'_>, guess: Guess, text: &str, now: Now) {
        let confirm = mind.bot.intents.get(guess.intent).map(|intent| intent.confirm.clone()).unwrap_or_default();
        let sure = mind.bot.thresholds.sure;
        // Who never wants to be asked back has set it to nothing.
        let is_sure = guess.confidence >= sure && (!guess.indirect || sure <= 0.0);
        if !is_sure && !confirm.is_empty() {
            self.intent = Some(guess.intent);
            self.confidence = guess.confidence;
            text.clone_into(&mut self.wish);
            self.ask(mind, &confirm, State::SureOf(guess.intent), now);
        } else {
            self.begin(mind, guess.intent, guess.confidence, text, now);
        }
    }

    /// It was not this; what was said may tell what it is.
    fn other_wish(&mut self, mind: Mind<'_>, answer: Option<bool>, text: &str, now: Now) {
        let refused = match self.state {
            State::SureOf(intent) => Some(intent),
            _ => None,
        };
        let guess = self.guessed(mind, text).filter(|guess| guess.accepted && Some(guess.intent) != refused);
        match guess {
            Some(guess) => self.begin(mind, guess.intent, guess.confidence, text, now),
            None => {
                self.intent = None;
                if answer.is_some() {
                    self.state = State::Wish;
                    self.question = self.prompts(mind, &mind.bot.texts.go_ahead, now);
                }
                self.miss(mind, text, &Text::new(), now);
            }
        }
    }

    /// An answer to the question for a slot, or something else altogether.
    fn answer_to(&mut self, mind: Mind<'_>, slot: &str, text: &str, words: &Words, now: Now) {
        let Some(form) = mind.bot.slots.get(slot) else { return self.advance(mind, now) };
        let today = self.today(mind, now.wall);
        let other = self.other_intent(mind, text);
        let value = form.kind.find(text, words, &self.language, today, true);
        let takes_all = matches!(form.kind, Kind::Text);
        match (value, other) {
            (Some(value), None) => self.fill(mind, slot, value, now),
            (Some(value), Some(_)) if !takes_all => self.fill(mind, slot, value, now),
            (Some(_), Some(other)) if other.confidence >= 1.0 => {
                self.begin(mind, other.intent, other.confidence, text, now)
            }
            (Some(value), Some(_)) => self.fill(mind, slot, value, now),
            (None, Some(other)) => self.begin(mind, other.intent, other.confidence, text, now),
            (None, None) if words.unknown.iter().any(|phrase| has_words(&plain(text), phrase)) => {
                self.hand_over(mind, Reason::Intent, now);
            }
            (None, None) => self.miss(mind, text, &form.invalid.clone(), now),
        }
    }

    fn fill(&mut self, mind: Mind<'_>, slot: &str, value: String, now: Now) {
        self.understood();
        self.slots.insert(slot.to_owned(), value);
        self.holds_private |= mind.bot.slots.get(slot).is_some_and(|form| form.private);
        self.advance(mind, now);
    }

    fn confirmation(&mut self, mind: Mind<'_>, slot: &str, text: &str, words: &Words, now: Now) {
        let Some(form) = mind.bot.slots.get(slot) else { return self.advance(mind, now) };
        let today = self.today(mind, now.wall);
        let corrected = match form.kind {
            Kind::YesNo | Kind::Text => None,
            ref kind => {
                kind.find(text, words, &self.language, today, false).filter(|value| self.slots.get(slot) != Some(value))
            }
        };
        match (yes_or_no(text, words), corrected) {
            (_, Some(value)) => {
                self.slots.insert(slot.to_owned(), value);
                self.ask(mind, &form.confirm, State::Confirming(slot.to_owned()), now);
            }
            (Some(true), None) => {
                self.understood();
                self.advance(mind, now);
            }
            (Some(false), None) => self.refused(mind, slot, now),
            (None, None) => match self.other_intent(mind, text) {
                Some(other) => self.begin(mind, other.intent, other.confidence, text, now),
                None => self.miss(mind, text, &Text::new(), now),
            },
        }
    }

    /// Something else altogether, and no doubt about it.
    fn other_intent(&mut self, mind: Mind<'_>, text: &str) -> Option<Guess> {
        self.guessed(mind, text).filter(|guess| {
            let sure = guess.accepted && guess.confidence >= mind.bot.thresholds.sure;
            sure && Some(guess.intent) != self.intent
        })
    }

    /// The value was heard wrong: a miss, and it is asked for again.
    fn refused(&mut self, mind: Mind<'_>, slot: &str, now: Now) {
        self.slots.remove(slot);
        self.misses += 1;
        if self.misses >= mind.bot.misses {
            self.hand_over(mind, Reason::Misses, now);
        } else {
            self.ask_for(mind, slot, now);
        }
    }

    pub(super) fn digit(&mut self, digit: Digit, mind: Mind<'_>, now: Now) {
        self.breath.key(digit, self.transcript.len(), now.instant);
        self.hide_typed_card();
        if matches!(self.state, State::Ending(_) | State::LookingUp(_)) {
            return;
        }
        self.stop_speaking();
        self.speaking = false;
        self.silences = 0;
        match self.state.clone() {
            State::Asking(slot) => {
                let most = mind.bot.slots.get(&slot).map_or(0, |form| form.kind.most_keys());
                match digit.key() {
                    '*' => return self.ask_again(mind, &Text::new(), now),
                    '#' => return self.typed(mind, now),
                    key => self.keys.push(key),
                }
                if self.keys.len() >= most {
                    self.typed(mind, now);
                } else {
                    self.deadline = Some(now.instant + mind.bot.times.between_keys);
                }
            }
            _ => {
                self.keys = digit.key().to_string();
                self.typed(mind, now);
            }
        }
    }

    /// The keys of an answer are complete.
    pub(super) fn typed(&mut self, mind: Mind<'_>, now: Now) {
        let keys = std::mem::take(&mut self.keys);
        self.turns += 1;
        let shown = if self.private { HIDDEN.to_owned() } else { self.shown(mind, &keys) };
        self.keep(Turn::Caller { at_ms: self.at_ms(now), by: By::Keys, text: shown, confidence: None, intent: None });
        self.hide_typed_card();
        self.answer_by_keys(mind, &keys, now);
        self.hide_typed_card();
    }

    fn answer_by_keys(&mut self, mind: Mind<'_>, keys: &str, now: Now) {
        if self.turns > mind.bot.times.turns {
            return self.hand_over(mind, Reason::TooLong, now);
        }
        let value = match &self.state {
            State::Asking(slot) => {
                let today = self.today(mind, now.wall);
                mind.bot.slots.get(slot).and_then(|form| form.kind.of_keys(keys, today))
            }
            _ => None,
        };
        match (self.state.clone(), value, keys) {
            (State::Asking(slot), Some(value), _) => self.fill(mind, &slot, value, now),
            (_, None, "0") => self.hand_over(mind, Reason::Key, now),
            (State::Asking(slot), None, _) => {
                let invalid = mind.bot.slots.get(&slot).map(|form| form.invalid.clone()).unwrap_or_default();
                self.miss(mind, keys, &invalid, now);
            }
            (_, _, "*") => self.ask_again(mind, &Text::new(), now),
            (State::SureOf(intent), _, "1") => {
                let wish = std::mem::take(&mut self.wish);
                self.begin(mind, intent, 1.0, &wish, now);
            }
            (State::Confirming(_), _, "1") => {
                self.understood();
                self.advance(mind, now);
            }
            (State::Confirming(slot), _, "2") => self.refused(mind, &slot, now),
            (State::Offered, _, "1") => self.after_offer(mind, true, now),
            (State::Offered, _, "2") => self.after_offer(mind, false, now),
            (State::Wish | State::More, _, key) => self.chosen(mind, key, now),
            (_, _, _) => self.miss(mind, keys, &Text::new(), now),
        }
    }

    /// An intent by its key.
    fn chosen(&mut self, mind: Mind<'_>, key: &str, now: Now) {
        let has_key = |key: &str| {
            let digit = key.chars().next().and_then(Digit::new);
            mind.bot.intents.iter().position(|intent| intent.key.is_some() && intent.key == digit)
        };
        match has_key(key) {
            Some(intent) => {
                self.guess = Some((Some(intent), 1.0));
                self.note_guess(mind);
                self.begin(mind, intent, 1.0, "", now);
            }
            None => self.miss(mind, key, &Text::new(), now),
        }
    }

    /// What may stand in a transcript of what was said.
    pub(super) fn shown(&self, mind: Mind<'_>, text: &str) -> String {
        let private = match &self.state {
            State::Asking(slot) | State::Confirming(slot) => mind.bot.slots.get(slot).is_some_and(|form| form.private),
            _ => false,
        };
        if private || self.is_of_card(text) {
            HIDDEN.to_owned()
        } else {
            without_cards(text, words::of(&self.language))
        }
    }
}

/// What was said where yes, no or something else was expected.
enum Said {
    Answer(bool),
    Wish(Guess),
    Nothing,
}

/// Yes or no, where the answer is short enough to be nothing else.
fn short_answer(text: &str, words: &Words) -> Option<bool> {
    (plain(text).split(' ').count() <= SHORT).then(|| yes_or_no(text, words))?
}

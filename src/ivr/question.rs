//! A question that is answered by key: asked, listened for, asked again after a wrong answer or silence, given up in
//! the end. The modules that ask say what an answer is.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::step::Step;
use super::{Event, Inputs};
use crate::bridge::Digit;
use crate::ids::PlayId;

/// What a question takes for an answer.
pub(super) trait Answer {
    /// Whether this key ends an answer and is no part of it.
    fn is_ended_by(&self, _key: Digit) -> bool {
        false
    }

    /// Whether a further key may follow these.
    fn goes_on(&self, keys: &str) -> bool;

    /// Whether these keys are an answer.
    fn accepts(&self, keys: &str) -> bool;
}

/// How a question ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ended {
    /// With these keys.
    Answered(String),
    /// After so many wrong answers and silences as the plan allows.
    GivenUp,
}

/// Takes its texts and times from the inputs `prompt`, `invalid`, `no_input`, `tries`, `barge_in`, `inter_digit_ms` and the
/// one that `first` names: the silence after the prompt that counts as no answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Question {
    prompt: Vec<String>,
    invalid: Vec<String>,
    no_input: Vec<String>,
    barge_in: bool,
    tries: usize,
    first: Duration,
    inter_digit: Duration,
    /// The play that runs.
    play: Option<PlayId>,
    /// Keys of an answer that may go on.
    keys: String,
    failures: usize,
}

impl Question {
    pub(super) fn new(inputs: &Inputs, first: &str) -> Question {
        Question {
            prompt: inputs.prompts("prompt"),
            invalid: inputs.prompts("invalid"),
            no_input: inputs.prompts("no_input"),
            barge_in: inputs.flag("barge_in").unwrap_or(true),
            tries: inputs.count("tries"),
            first: inputs.millis(first).unwrap_or_default(),
            inter_digit: inputs.millis("inter_digit_ms").unwrap_or_default(),
            play: None,
            keys: String::new(),
            failures: 0,
        }
    }

    /// Asks for the first time. Keys pressed in advance may answer it at once.
    pub(super) fn ask(&mut self, answer: &impl Answer, step: &mut Step<'_>) -> Option<Ended> {
        self.say(Vec::new(), answer, step)
    }

    pub(super) fn handle(&mut self, event: &Event, answer: &impl Answer, step: &mut Step<'_>) -> Option<Ended> {
        match (event, self.play) {
            (Event::Digit(digit), Some(_)) if !self.barge_in => {
                step.desk.typed.push(*digit);
                None
            }
            (Event::Digit(digit), _) => self.press(*digit, answer, step),
            (event, Some(play)) if step.is_end_of(play, event) => {
                self.play = None;
                self.listen(answer, step)
            }
            (Event::Timeout, None) => self.decide(answer, step),
            _ => None,
        }
    }

    /// Says why it asks again, then the prompt; keys pressed in advance are taken at once.
    fn say(&mut self, why: Vec<String>, answer: &impl Answer, step: &mut Step<'_>) -> Option<Ended> {
        step.answer();
        self.keys.clear();
        if self.barge_in && !step.desk.typed.is_empty() {
            return self.listen(answer, step);
        }
        let prompts: Vec<String> = why.into_iter().chain(self.prompt.iter().cloned()).collect();
        self.play = Some(step.play(&prompts, false));
        None
    }

    fn listen(&mut self, answer: &impl Answer, step: &mut Step<'_>) -> Option<Ended> {
        step.wait(self.first);
        let digit = step.desk.typed.take()?;
        self.press(digit, answer, step)
    }

    fn press(&mut self, digit: Digit, answer: &impl Answer, step: &mut Step<'_>) -> Option<Ended> {
        if let Some(play) = self.play.take() {
            step.stop(play);
        }
        if answer.is_ended_by(digit) {
            return self.decide(answer, step);
        }
        self.keys.push(digit.key());
        if !answer.goes_on(&self.keys) {
            return self.decide(answer, step);
        }
        step.wait(self.inter_digit);
        let digit = step.desk.typed.take()?;
        self.press(digit, answer, step)
    }

    fn decide(&mut self, answer: &impl Answer, step: &mut Step<'_>) -> Option<Ended> {
        let silence = self.keys.is_empty();
        if !silence && answer.accepts(&self.keys) {
            step.stop_waiting();
            step.desk.chose = true;
            return Some(Ended::Answered(std::mem::take(&mut self.keys)));
        }
        self.failures += 1;
        if self.failures >= self.tries {
            step.stop_waiting();
            return Some(Ended::GivenUp);
        }
        let why = if silence { self.no_input.clone() } else { self.invalid.clone() };
        self.say(why, answer, step)
    }
}

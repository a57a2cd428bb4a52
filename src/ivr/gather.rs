//! `gather`: the caller types a number.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use super::{Activity, Event, Inputs, Pattern, Started, Value};
use crate::bridge::Digit;
use crate::ids::PlayId;

/// More than any number a person types.
const MOST_DIGITS: i64 = 64;

pub const SPEC: Spec = Spec {
    name: "gather",
    summary: "Plays a prompt and takes a number typed by the caller; a wrong one or silence is told so and asked again.",
    inputs: &[
        Input { name: "prompt", kind: Kind::Prompt, need: Need::Required, doc: "what is asked for" },
        Input {
            name: "min",
            kind: Kind::Integer { min: 1, max: MOST_DIGITS },
            need: Need::Integer(1),
            doc: "fewest digits",
        },
        Input {
            name: "max",
            kind: Kind::Integer { min: 1, max: MOST_DIGITS },
            need: Need::Integer(16),
            doc: "most digits; with so many it is complete",
        },
        Input {
            name: "terminator",
            kind: Kind::Keys,
            need: Need::Text("#"),
            doc: "keys that end the number; may be empty",
        },
        Input { name: "pattern", kind: Kind::Pattern, need: Need::Optional, doc: "what the number must look like" },
        Input {
            name: "first_digit_ms",
            kind: Kind::Integer { min: 500, max: 60_000 },
            need: Need::Integer(6_000),
            doc: "silence after the prompt that counts as no answer",
        },
        Input {
            name: "inter_digit_ms",
            kind: Kind::Integer { min: 500, max: 60_000 },
            need: Need::Integer(3_000),
            doc: "silence after a digit that ends the number",
        },
        Input {
            name: "tries",
            kind: Kind::Integer { min: 1, max: 20 },
            need: Need::Integer(3),
            doc: "wrong numbers and silences before it gives up",
        },
        Input { name: "invalid", kind: Kind::Prompt, need: Need::Text("invalid"), doc: "said after a wrong number" },
        Input { name: "no_input", kind: Kind::Prompt, need: Need::Text("no-input"), doc: "said after silence" },
        Input {
            name: "barge_in",
            kind: Kind::Flag,
            need: Need::Flag(true),
            doc: "a digit counts while the prompt still plays; else it counts when the prompt has ended",
        },
    ],
    outputs: &[
        Output {
            name: "digits",
            kind: OutputKind::Text,
            doc: "what was typed, without the terminator; an empty text when nothing right was",
        },
        Output {
            name: "result",
            kind: OutputKind::Word(&["entered", "no_input"]),
            doc: "`entered`, or `no_input` when it gave up",
        },
    ],
    ends: Ends::Never,
    free_inputs: false,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Gather {
    prompt: Vec<String>,
    min: usize,
    max: usize,
    terminator: Vec<Digit>,
    pattern: Option<Pattern>,
    first_digit: Duration,
    inter_digit: Duration,
    tries: usize,
    invalid: Vec<String>,
    no_input: Vec<String>,
    barge_in: bool,
    play: Option<PlayId>,
    typed: String,
    failures: usize,
}

pub(super) fn start(inputs: &Inputs, step: &mut Step<'_>) -> Started {
    let mut gather = Gather {
        prompt: inputs.prompts("prompt"),
        min: inputs.count("min"),
        max: inputs.count("max").max(1),
        terminator: inputs.keys("terminator"),
        pattern: inputs.text("pattern").and_then(|pattern| Pattern::parse(pattern).ok()),
        first_digit: inputs.millis("first_digit_ms").unwrap_or_default(),
        inter_digit: inputs.millis("inter_digit_ms").unwrap_or_default(),
        tries: inputs.count("tries"),
        invalid: inputs.prompts("invalid"),
        no_input: inputs.prompts("no_input"),
        barge_in: inputs.flag("barge_in").unwrap_or(true),
        play: None,
        typed: String::new(),
        failures: 0,
    };
    match gather.ask(Vec::new(), step) {
        Some(done) => Started::Done(done),
        None => Started::Running(Activity::Gather(gather)),
    }
}

impl Gather {
    pub(super) fn handle(&mut self, event: &Event, step: &mut Step<'_>) -> Option<Done> {
        match (event, self.play) {
            (Event::Digit(digit), Some(_)) if !self.barge_in => {
                step.desk.typed.push(*digit);
                None
            }
            (Event::Digit(digit), _) => self.press(*digit, step),
            (event, Some(play)) if step.is_end_of(play, event) => {
                self.play = None;
                self.listen(step)
            }
            (Event::Timeout, None) => self.complete(step),
            _ => None,
        }
    }

    /// Says why, then the prompt; digits typed in advance are taken at once.
    fn ask(&mut self, why: Vec<String>, step: &mut Step<'_>) -> Option<Done> {
        step.answer();
        self.typed.clear();
        if self.barge_in && !step.desk.typed.is_empty() {
            return self.listen(step);
        }
        let prompts: Vec<String> = why.into_iter().chain(self.prompt.iter().cloned()).collect();
        self.play = Some(step.play(&prompts, false));
        None
    }

    fn listen(&mut self, step: &mut Step<'_>) -> Option<Done> {
        step.wait(self.first_digit);
        match step.desk.typed.take() {
            Some(digit) => self.press(digit, step),
            None => None,
        }
    }

    fn press(&mut self, digit: Digit, step: &mut Step<'_>) -> Option<Done> {
        if let Some(play) = self.play.take() {
            step.stop(play);
        }
        if self.terminator.contains(&digit) {
            return self.complete(step);
        }
        self.typed.push(digit.key());
        if self.typed.len() >= self.max {
            return self.complete(step);
        }
        step.wait(self.inter_digit);
        match step.desk.typed.take() {
            Some(digit) => self.press(digit, step),
            None => None,
        }
    }

    fn complete(&mut self, step: &mut Step<'_>) -> Option<Done> {
        let fits = self.pattern.as_ref().is_none_or(|pattern| pattern.capture(&self.typed).is_some());
        if !self.typed.is_empty() && self.typed.len() >= self.min && fits {
            step.stop_waiting();
            step.desk.chose = true;
            return Some(done("entered", self.typed.clone()));
        }
        self.failures += 1;
        if self.failures >= self.tries {
            step.stop_waiting();
            return Some(done("no_input", String::new()));
        }
        let why = if self.typed.is_empty() { self.no_input.clone() } else { self.invalid.clone() };
        self.ask(why, step)
    }
}

/// The path tells that something was typed, not what: it may be a card number.
fn done(result: &str, digits: String) -> Done {
    Done::Next { result: result.to_owned(), outputs: vec![("result", result.into()), ("digits", Value::Text(digits))] }
}

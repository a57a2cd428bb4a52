//! `gather`: the caller types a number.

use serde::{Deserialize, Serialize};

use super::question::{Answer, Ended, Question};
use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use super::{Activity, Event, Inputs, Pattern, Started, Value};
use crate::bridge::Digit;

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

/// What a number must look like.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Number {
    min: usize,
    max: usize,
    terminator: Vec<Digit>,
    pattern: Option<Pattern>,
}

impl Answer for Number {
    fn is_ended_by(&self, key: Digit) -> bool {
        self.terminator.contains(&key)
    }

    fn goes_on(&self, keys: &str) -> bool {
        keys.len() < self.max
    }

    fn accepts(&self, keys: &str) -> bool {
        keys.len() >= self.min && self.pattern.as_ref().is_none_or(|pattern| pattern.capture(keys).is_some())
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Gather {
    question: Question,
    number: Number,
}

pub(super) fn start(inputs: &Inputs, step: &mut Step<'_>) -> Started {
    let number = Number {
        min: inputs.count("min"),
        max: inputs.count("max").max(1),
        terminator: inputs.keys("terminator"),
        pattern: inputs.text("pattern").and_then(|pattern| Pattern::parse(pattern).ok()),
    };
    let mut gather = Gather { question: Question::new(inputs, "first_digit_ms"), number };
    match gather.question.ask(&gather.number, step) {
        Some(ended) => Started::Done(done(ended)),
        None => Started::Running(Activity::Gather(gather)),
    }
}

impl Gather {
    pub(super) fn handle(&mut self, event: &Event, step: &mut Step<'_>) -> Option<Done> {
        self.question.handle(event, &self.number, step).map(done)
    }
}

/// The path tells that something was typed, not what: it may be a card number.
fn done(ended: Ended) -> Done {
    let (result, digits) = match ended {
        Ended::Answered(digits) => ("entered", digits),
        Ended::GivenUp => ("no_input", String::new()),
    };
    Done::Next { result: result.to_owned(), outputs: vec![("result", result.into()), ("digits", Value::Text(digits))] }
}

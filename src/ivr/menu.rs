//! `menu`: the caller chooses by key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::question::{Answer, Ended, Question};
use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use super::{Activity, Event, Inputs, Started, Value};

pub const SPEC: Spec = Spec {
    name: "menu",
    summary: "Plays a prompt and takes one of the keys offered; a wrong key or silence is told so and asked again.",
    inputs: &[
        Input { name: "prompt", kind: Kind::Prompt, need: Need::Required, doc: "what the keys do" },
        Input {
            name: "choices",
            kind: Kind::Choices,
            need: Need::Required,
            doc: "what each key means; a key may have several digits",
        },
        Input {
            name: "default",
            kind: Kind::Text,
            need: Need::Text(""),
            doc: "the choice of a caller who never pressed a right key",
        },
        Input {
            name: "tries",
            kind: Kind::Integer { min: 1, max: 20 },
            need: Need::Integer(3),
            doc: "wrong keys and silences before the menu gives up",
        },
        Input {
            name: "timeout_ms",
            kind: Kind::Integer { min: 500, max: 60_000 },
            need: Need::Integer(5_000),
            doc: "silence after the prompt that counts as no answer",
        },
        Input {
            name: "inter_digit_ms",
            kind: Kind::Integer { min: 500, max: 60_000 },
            need: Need::Integer(2_500),
            doc: "wait for a further digit where the keys so far may go on",
        },
        Input { name: "invalid", kind: Kind::Prompt, need: Need::Text("invalid"), doc: "said after a wrong key" },
        Input { name: "no_input", kind: Kind::Prompt, need: Need::Text("no-input"), doc: "said after silence" },
        Input {
            name: "barge_in",
            kind: Kind::Flag,
            need: Need::Flag(true),
            doc: "a key counts while the prompt still plays; else it counts when the prompt has ended",
        },
    ],
    outputs: &[
        Output {
            name: "choice",
            kind: OutputKind::Choice("choices"),
            doc: "what the key pressed means, or the default",
        },
        Output { name: "key", kind: OutputKind::Text, doc: "the keys pressed, or an empty text" },
        Output {
            name: "result",
            kind: OutputKind::Word(&["chosen", "no_choice"]),
            doc: "`chosen`, or `no_choice` when the menu gave up",
        },
    ],
    ends: Ends::Never,
    free_inputs: false,
};

/// What each key means.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Choices(BTreeMap<String, String>);

impl Answer for Choices {
    fn goes_on(&self, keys: &str) -> bool {
        self.0.keys().any(|key| key.len() > keys.len() && key.starts_with(keys))
    }

    fn accepts(&self, keys: &str) -> bool {
        self.0.contains_key(keys)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Menu {
    question: Question,
    choices: Choices,
    default: String,
}

pub(super) fn start(inputs: &Inputs, step: &mut Step<'_>) -> Started {
    let choices = match inputs.get("choices") {
        Some(Value::Map(choices)) => choices.iter().map(|(key, choice)| (key.clone(), choice.to_string())).collect(),
        _ => BTreeMap::new(),
    };
    let mut menu = Menu {
        question: Question::new(inputs, "timeout_ms"),
        choices: Choices(choices),
        default: inputs.text("default").unwrap_or_default().to_owned(),
    };
    match menu.question.ask(&menu.choices, step) {
        Some(ended) => Started::Done(menu.done(ended)),
        None => Started::Running(Activity::Menu(menu)),
    }
}

impl Menu {
    pub(super) fn handle(&mut self, event: &Event, step: &mut Step<'_>) -> Option<Done> {
        let ended = self.question.handle(event, &self.choices, step)?;
        Some(self.done(ended))
    }

    fn done(&self, ended: Ended) -> Done {
        let (result, choice, key) = match ended {
            Ended::Answered(key) => ("chosen", self.choices.0.get(&key).cloned().unwrap_or_default(), key),
            Ended::GivenUp => ("no_choice", self.default.clone(), String::new()),
        };
        Done::Next {
            result: if choice.is_empty() { result.to_owned() } else { format!("{result} {choice}") },
            outputs: vec![("result", result.into()), ("choice", Value::Text(choice)), ("key", Value::Text(key))],
        }
    }
}

//! `menu`: the caller chooses by key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use super::{Activity, Event, Inputs, Started, Value};
use crate::bridge::Digit;
use crate::ids::PlayId;

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
        Output { name: "choice", kind: OutputKind::Choice, doc: "what the key pressed means, or the default" },
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

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Menu {
    prompt: Vec<String>,
    choices: BTreeMap<String, String>,
    default: String,
    tries: usize,
    timeout_ms: u64,
    inter_digit_ms: u64,
    invalid: Vec<String>,
    no_input: Vec<String>,
    barge_in: bool,
    /// The play that runs.
    play: Option<PlayId>,
    /// Keys of a choice that may go on.
    pressed: String,
    failures: usize,
}

enum Miss {
    WrongKey,
    Silence,
}

pub(super) fn start(inputs: &Inputs, step: &mut Step<'_>) -> Started {
    let choices = match inputs.get("choices") {
        Some(Value::Map(choices)) => choices.iter().map(|(key, choice)| (key.clone(), choice.to_string())).collect(),
        _ => BTreeMap::new(),
    };
    let millis = |name| inputs.integer(name).and_then(|millis| u64::try_from(millis).ok()).unwrap_or(0);
    let mut menu = Menu {
        prompt: inputs.prompts("prompt"),
        choices,
        default: inputs.text("default").unwrap_or_default().to_owned(),
        tries: inputs.count("tries"),
        timeout_ms: millis("timeout_ms"),
        inter_digit_ms: millis("inter_digit_ms"),
        invalid: inputs.prompts("invalid"),
        no_input: inputs.prompts("no_input"),
        barge_in: inputs.flag("barge_in").unwrap_or(true),
        play: None,
        pressed: String::new(),
        failures: 0,
    };
    match menu.say(Vec::new(), step) {
        Some(done) => Started::Done(done),
        None => Started::Running(Activity::Menu(menu)),
    }
}

impl Menu {
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
            (Event::Timeout, None) => self.give_time_up(step),
            _ => None,
        }
    }

    /// Says why, then the menu; keys pressed in advance are taken at once.
    fn say(&mut self, why: Vec<String>, step: &mut Step<'_>) -> Option<Done> {
        step.answer();
        self.pressed.clear();
        if self.barge_in && !step.desk.typed.is_empty() {
            return self.listen(step);
        }
        let prompts: Vec<String> = why.into_iter().chain(self.prompt.iter().cloned()).collect();
        self.play = Some(step.play(&prompts, false));
        None
    }

    fn listen(&mut self, step: &mut Step<'_>) -> Option<Done> {
        step.wait(std::time::Duration::from_millis(self.timeout_ms));
        match step.desk.typed.take() {
            Some(digit) => self.press(digit, step),
            None => None,
        }
    }

    fn press(&mut self, digit: Digit, step: &mut Step<'_>) -> Option<Done> {
        if let Some(play) = self.play.take() {
            step.stop(play);
        }
        self.pressed.push(digit.key());
        if self.goes_on() {
            step.wait(std::time::Duration::from_millis(self.inter_digit_ms));
            return match step.desk.typed.take() {
                Some(digit) => self.press(digit, step),
                None => None,
            };
        }
        self.decide(step)
    }

    /// Whether a longer key begins with what was pressed.
    fn goes_on(&self) -> bool {
        self.choices.keys().any(|key| key.len() > self.pressed.len() && key.starts_with(&self.pressed))
    }

    fn give_time_up(&mut self, step: &mut Step<'_>) -> Option<Done> {
        match self.pressed.is_empty() {
            true => self.miss(Miss::Silence, step),
            false => self.decide(step),
        }
    }

    fn decide(&mut self, step: &mut Step<'_>) -> Option<Done> {
        let Some(choice) = self.choices.get(&self.pressed).cloned() else {
            return self.miss(Miss::WrongKey, step);
        };
        step.stop_waiting();
        step.desk.chose = true;
        Some(self.done("chosen", choice))
    }

    fn miss(&mut self, miss: Miss, step: &mut Step<'_>) -> Option<Done> {
        self.failures += 1;
        if self.failures >= self.tries {
            step.stop_waiting();
            self.pressed.clear();
            return Some(self.done("no_choice", self.default.clone()));
        }
        let why = match miss {
            Miss::WrongKey => self.invalid.clone(),
            Miss::Silence => self.no_input.clone(),
        };
        self.say(why, step)
    }

    fn done(&self, result: &str, choice: String) -> Done {
        Done::Next {
            result: if choice.is_empty() { result.to_owned() } else { format!("{result} {choice}") },
            outputs: vec![
                ("result", result.into()),
                ("choice", Value::Text(choice)),
                ("key", Value::Text(self.pressed.clone())),
            ],
        }
    }
}

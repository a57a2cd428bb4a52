//! `deter`: tells the caller why the call cannot be taken now, offers what else there is, and else ends it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use super::{Activity, Event, Inputs, Started, Value};
use crate::bridge::Digit;
use crate::ids::PlayId;
use crate::record::Outcome;

pub const SPEC: Spec = Spec {
    name: "deter",
    summary: "Tells the caller why the call cannot be taken now and what else there is: voicemail, a call-back, another \
              number. What is chosen is put out for the levels that follow; where nothing is, the call ends with outcome \
              deterred.",
    inputs: &[
        Input { name: "prompt", kind: Kind::Prompt, need: Need::Text("closed"), doc: "the reason, as it is told" },
        Input {
            name: "offer",
            kind: Kind::Choices,
            need: Need::Optional,
            doc: "what the caller may choose by key; without it the call ends after the reason",
        },
        Input {
            name: "offer_prompt",
            kind: Kind::Prompt,
            need: Need::Optional,
            doc: "what the keys of the offer do, said after the reason; an offer needs it",
        },
        Input {
            name: "timeout_ms",
            kind: Kind::Integer { min: 500, max: 60_000 },
            need: Need::Integer(4_000),
            doc: "silence after the offer that declines it",
        },
        Input {
            name: "tries",
            kind: Kind::Integer { min: 1, max: 20 },
            need: Need::Integer(3),
            doc: "wrong keys before the call ends",
        },
        Input { name: "invalid", kind: Kind::Prompt, need: Need::Text("invalid"), doc: "said after a wrong key" },
    ],
    outputs: &[Output { name: "choice", kind: OutputKind::Choice("offer"), doc: "what the caller chose of the offer" }],
    ends: Ends::UnlessChosen,
    free_inputs: false,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deter {
    offer: BTreeMap<String, String>,
    offer_prompt: Vec<String>,
    timeout: Duration,
    tries: usize,
    invalid: Vec<String>,
    /// `None` while the caller thinks.
    play: Option<PlayId>,
    pressed: String,
    failures: usize,
}

pub(super) fn start(inputs: &Inputs, step: &mut Step<'_>) -> Started {
    let offer = match inputs.get("offer") {
        Some(Value::Map(offer)) => offer.iter().map(|(key, choice)| (key.clone(), choice.to_string())).collect(),
        _ => BTreeMap::new(),
    };
    let mut prompts = inputs.prompts("prompt");
    if offer.is_empty() {
        return Started::Running(Activity::Farewell(Farewell::start(&prompts, Outcome::Deterred, "deterred", step)));
    }
    let offer_prompt = inputs.prompts("offer_prompt");
    prompts.extend(offer_prompt.iter().cloned());
    // Keys pressed before are no answer to what has not been offered yet.
    while step.desk.typed.take().is_some() {}
    Started::Running(Activity::Deter(Box::new(Deter {
        offer,
        offer_prompt,
        timeout: inputs.millis("timeout_ms").unwrap_or_default(),
        tries: inputs.count("tries"),
        invalid: inputs.prompts("invalid"),
        play: Some(step.play(&prompts, false)),
        pressed: String::new(),
        failures: 0,
    })))
}

impl Deter {
    /// Something is offered, to be chosen by key.
    pub(super) fn listens(&self) -> bool {
        !self.offer.is_empty()
    }

    pub(super) fn handle(&mut self, event: &Event, step: &mut Step<'_>) -> Option<Done> {
        match (event, self.play) {
            (Event::Digit(digit), play) => {
                if let Some(play) = play {
                    step.stop(play);
                    self.play = None;
                }
                self.press(*digit, step)
            }
            (event, Some(play)) if step.is_end_of(play, event) => {
                self.play = None;
                // Told to the end: who hangs up now was deterred.
                step.desk.deterred = true;
                step.wait(self.timeout);
                None
            }
            (Event::Timeout, None) if self.pressed.is_empty() => Some(deterred(step)),
            (Event::Timeout, None) => self.decide(step),
            _ => None,
        }
    }

    fn press(&mut self, digit: Digit, step: &mut Step<'_>) -> Option<Done> {
        step.desk.deterred = true;
        self.pressed.push(digit.key());
        let goes_on = self.offer.keys().any(|key| key.len() > self.pressed.len() && key.starts_with(&self.pressed));
        if goes_on {
            step.wait(self.timeout);
            return None;
        }
        self.decide(step)
    }

    fn decide(&mut self, step: &mut Step<'_>) -> Option<Done> {
        step.stop_waiting();
        if let Some(choice) = self.offer.get(&self.pressed) {
            return Some(Done::Next {
                result: format!("chosen {choice}"),
                outputs: vec![("choice", Value::Text(choice.clone()))],
            });
        }
        self.pressed.clear();
        self.failures += 1;
        if self.failures >= self.tries {
            return Some(deterred(step));
        }
        let prompts: Vec<String> = self.invalid.iter().chain(&self.offer_prompt).cloned().collect();
        self.play = Some(step.play(&prompts, false));
        None
    }
}

fn deterred(step: &mut Step<'_>) -> Done {
    step.stop_waiting();
    Done::HangUp { status: 480, q850: 16, outcome: Outcome::Deterred, result: "deterred".to_owned() }
}

/// The last words of a call: a prompt that cannot be interrupted, then BYE.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Farewell {
    play: PlayId,
    outcome: Outcome,
    result: String,
}

impl Farewell {
    pub fn start(prompts: &[String], outcome: Outcome, result: &str, step: &mut Step<'_>) -> Farewell {
        Farewell { play: step.play(prompts, false), outcome, result: result.to_owned() }
    }

    pub(super) fn handle(&mut self, event: &Event, step: &mut Step<'_>) -> Option<Done> {
        step.is_end_of(self.play, event).then(|| Done::HangUp {
            status: 480,
            q850: 16,
            outcome: self.outcome,
            result: self.result.clone(),
        })
    }
}

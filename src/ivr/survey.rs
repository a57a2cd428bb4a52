//! `survey`: the caller gives a score by keypad.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::distribute::finished;
use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use super::{Action, Activity, Event, Inputs, Started, Value};
use crate::bridge::Digit;
use crate::ids::PlayId;

pub const SPEC: Spec = Spec {
    name: "survey",
    summary: "Asks the caller for a score by keypad and keeps it with the call. A score out of range is asked again; \
              silence gives up.",
    inputs: &[
        Input {
            name: "when",
            kind: Kind::Word(&["after_talk", "now"]),
            need: Need::Text("after_talk"),
            doc: "after_talk: asked when an agent has talked with the caller and has hung up first; the plan goes on at \
                  once. now: asked here",
        },
        Input { name: "name", kind: Kind::Text, need: Need::Text("csat"), doc: "what the score is called in reports" },
        Input { name: "prompt", kind: Kind::Prompt, need: Need::Text("survey-question"), doc: "the question" },
        Input { name: "min", kind: Kind::Integer { min: 0, max: 99 }, need: Need::Integer(1), doc: "lowest score" },
        Input { name: "max", kind: Kind::Integer { min: 1, max: 99 }, need: Need::Integer(5), doc: "highest score" },
        Input {
            name: "timeout_ms",
            kind: Kind::Integer { min: 500, max: 60_000 },
            need: Need::Integer(6_000),
            doc: "silence after the question that gives up",
        },
        Input {
            name: "inter_digit_ms",
            kind: Kind::Integer { min: 500, max: 60_000 },
            need: Need::Integer(2_000),
            doc: "wait for a second digit where the highest score has two",
        },
        Input {
            name: "tries",
            kind: Kind::Integer { min: 1, max: 20 },
            need: Need::Integer(3),
            doc: "scores out of range before it gives up",
        },
        Input {
            name: "invalid",
            kind: Kind::Prompt,
            need: Need::Text("survey-invalid"),
            doc: "said after a score out of range, before the question comes again",
        },
        Input { name: "thanks", kind: Kind::Prompt, need: Need::Text("survey-thanks"), doc: "said after the score" },
    ],
    outputs: &[
        Output { name: "score", kind: OutputKind::Any, doc: "the score; an empty text where none was given" },
        Output {
            name: "result",
            kind: OutputKind::Word(&["armed", "answered", "gave_up"]),
            doc: "`armed` for after the talk, `answered`, or `gave_up`",
        },
    ],
    ends: Ends::Never,
    free_inputs: false,
};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Stage {
    /// Armed, for after the talk.
    Waiting,
    Asking(PlayId),
    Listening,
    Thanking(PlayId),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Survey {
    name: String,
    prompt: Vec<String>,
    lowest: i64,
    highest: i64,
    timeout: Duration,
    inter_digit: Duration,
    tries: usize,
    invalid: Vec<String>,
    thanks: Vec<String>,
    /// The plan is over with it.
    after_talk: bool,
    stage: Stage,
    typed: String,
    failures: usize,
    score: Option<i64>,
}

pub(super) fn start(inputs: &Inputs, step: &mut Step<'_>) -> Started {
    let after_talk = inputs.text("when") != Some("now");
    let mut survey = Survey {
        name: inputs.text("name").unwrap_or_default().to_owned(),
        prompt: inputs.prompts("prompt"),
        lowest: inputs.integer("min").unwrap_or_default(),
        highest: inputs.integer("max").unwrap_or_default(),
        timeout: inputs.millis("timeout_ms").unwrap_or_default(),
        inter_digit: inputs.millis("inter_digit_ms").unwrap_or_default(),
        tries: inputs.count("tries"),
        invalid: inputs.prompts("invalid"),
        thanks: inputs.prompts("thanks"),
        after_talk,
        stage: Stage::Waiting,
        typed: String::new(),
        failures: 0,
        score: None,
    };
    if after_talk {
        step.desk.survey = Some(Box::new(survey));
        return Started::Done(done("armed", None));
    }
    survey.ask(Vec::new(), step);
    Started::Running(Activity::Survey(Box::new(survey)))
}

impl Survey {
    /// The talk is over: the armed survey begins.
    pub(super) fn begin(&mut self, step: &mut Step<'_>) {
        // Keys pressed during the talk were not meant for it.
        while step.desk.typed.take().is_some() {}
        self.ask(Vec::new(), step);
    }

    pub(super) fn handle(&mut self, event: &Event, step: &mut Step<'_>) -> Option<Done> {
        match (self.stage, event) {
            (Stage::Asking(play), Event::Digit(digit)) => {
                step.stop(play);
                self.press(*digit, step)
            }
            (Stage::Listening, Event::Digit(digit)) => self.press(*digit, step),
            (Stage::Asking(play), event) if step.is_end_of(play, event) => {
                self.stage = Stage::Listening;
                step.wait(self.timeout);
                None
            }
            (Stage::Listening, Event::Timeout) if self.typed.is_empty() => Some(self.over(step)),
            (Stage::Listening, Event::Timeout) => self.judge(step),
            (Stage::Thanking(play), event) if step.is_end_of(play, event) => Some(self.over(step)),
            _ => None,
        }
    }

    fn ask(&mut self, why: Vec<String>, step: &mut Step<'_>) {
        self.typed.clear();
        let prompts: Vec<String> = why.into_iter().chain(self.prompt.iter().cloned()).collect();
        self.stage = Stage::Asking(step.play(&prompts, false));
    }

    fn press(&mut self, digit: Digit, step: &mut Step<'_>) -> Option<Done> {
        self.stage = Stage::Listening;
        if digit.key() == '#' && !self.typed.is_empty() {
            return self.judge(step);
        }
        self.typed.push(digit.key());
        let could_go_on = self.typed.parse::<i64>().is_ok_and(|typed| typed > 0 && typed * 10 <= self.highest);
        if could_go_on {
            step.wait(self.inter_digit);
            return None;
        }
        self.judge(step)
    }

    fn judge(&mut self, step: &mut Step<'_>) -> Option<Done> {
        step.stop_waiting();
        let score = self.typed.parse::<i64>().ok().filter(|score| (self.lowest..=self.highest).contains(score));
        if let Some(score) = score {
            self.score = Some(score);
            step.desk.chose = true;
            let (lowest, highest) = (self.lowest, self.highest);
            step.ask(Action::Surveyed { name: self.name.clone(), score, lowest, highest });
            self.stage = Stage::Thanking(step.play(&self.thanks.clone(), false));
            return None;
        }
        self.failures += 1;
        if self.failures >= self.tries {
            return Some(self.over(step));
        }
        self.ask(self.invalid.clone(), step);
        None
    }

    fn over(&self, step: &mut Step<'_>) -> Done {
        step.stop_waiting();
        let result = if self.score.is_some() { "answered" } else { "gave_up" };
        if self.after_talk { finished(result) } else { done(result, self.score) }
    }
}

fn done(result: &str, score: Option<i64>) -> Done {
    let score = score.map_or(Value::from(""), Value::Integer);
    Done::Next { result: result.to_owned(), outputs: vec![("result", result.into()), ("score", score)] }
}

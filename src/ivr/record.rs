//! `record`: starts, pauses, goes on with or stops the recording of the call.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use super::{Action, Activity, Event, Inputs, Started};
use crate::bridge::Digit;
use crate::ids::PlayId;
use crate::views::RecordingWish;

pub const SPEC: Spec = Spec {
    name: "record",
    summary: "Starts, pauses, resumes or stops the recording of the call: what the caller says on the left, what the \
              caller hears on the right. Who has refused is not recorded in this call any more, whoever asks for it.",
    inputs: &[
        Input {
            name: "action",
            kind: Kind::Word(&["start", "pause", "resume", "stop"]),
            need: Need::Text("start"),
            doc: "what is done; start answers the call",
        },
        Input {
            name: "consent",
            kind: Kind::Word(&["none", "key", "objection"]),
            need: Need::Text("none"),
            doc: "key: recorded only if the caller agrees by key, silence refuses; objection: told so, and recorded unless \
                  the caller refuses by key; none: the caller is told elsewhere",
        },
        Input {
            name: "prompt",
            kind: Kind::Prompt,
            need: Need::Optional,
            doc: "how the caller is asked or told; record-consent for key, record-notice for objection, if not given",
        },
        Input { name: "agree", kind: Kind::Keys, need: Need::Text("1"), doc: "keys that agree" },
        Input { name: "refuse", kind: Kind::Keys, need: Need::Text("2"), doc: "keys that refuse" },
        Input {
            name: "timeout_ms",
            kind: Kind::Integer { min: 500, max: 60_000 },
            need: Need::Integer(5_000),
            doc: "with key, how long the caller may think after the prompt",
        },
    ],
    outputs: &[Output {
        name: "result",
        kind: OutputKind::Word(&["recording", "paused", "stopped", "refused"]),
        doc: "`recording`, `paused`, `stopped`, or `refused` by the caller",
    }],
    ends: Ends::Never,
    free_inputs: false,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// `None` while the caller thinks after it.
    play: Option<PlayId>,
    /// Silence agrees.
    objection: bool,
    agree: Vec<Digit>,
    refuse: Vec<Digit>,
    timeout: Duration,
}

pub(super) fn start(inputs: &Inputs, step: &mut Step<'_>) -> Started {
    let wish = match inputs.text("action") {
        Some("pause") => RecordingWish::Paused,
        Some("stop") => RecordingWish::Off,
        _ => RecordingWish::On,
    };
    if wish != RecordingWish::On {
        step.ask(Action::RecordCall(wish));
        return Started::Done(Done::next(if wish == RecordingWish::Off { "stopped" } else { "paused" }));
    }
    if step.desk.recording_refused {
        return Started::Done(Done::next("refused"));
    }
    step.answer();
    let consent = inputs.text("consent").unwrap_or("none");
    if consent == "none" || inputs.text("action") == Some("resume") {
        return Started::Done(agreed(step));
    }
    let objection = consent == "objection";
    let prompts = match inputs.prompts("prompt") {
        prompts if prompts.is_empty() => vec![default_prompt(consent).to_owned()],
        prompts => prompts,
    };
    let play = Some(step.play(&prompts, false));
    let (agree, refuse) = (inputs.keys("agree"), inputs.keys("refuse"));
    let timeout = inputs.millis("timeout_ms").unwrap_or_default();
    Started::Running(Activity::Record(Record { play, objection, agree, refuse, timeout }))
}

/// What is said where the rule names no prompt.
pub fn default_prompt(consent: &str) -> &'static str {
    if consent == "objection" { "record-notice" } else { "record-consent" }
}

impl Record {
    pub(super) fn handle(&mut self, event: &Event, step: &mut Step<'_>) -> Option<Done> {
        match (event, self.play) {
            (Event::Digit(digit), play) => {
                let agrees = self.agree.contains(digit);
                if !agrees && !self.refuse.contains(digit) {
                    return None;
                }
                play.into_iter().for_each(|play| step.stop(play));
                Some(if agrees { agreed(step) } else { refused(step) })
            }
            (event, Some(play)) if step.is_end_of(play, event) => {
                self.play = None;
                if self.objection {
                    return Some(agreed(step));
                }
                step.wait(self.timeout);
                None
            }
            (Event::Timeout, None) => Some(refused(step)),
            _ => None,
        }
    }
}

fn agreed(step: &mut Step<'_>) -> Done {
    step.ask(Action::RecordCall(RecordingWish::On));
    Done::next("recording")
}

fn refused(step: &mut Step<'_>) -> Done {
    step.desk.recording_refused = true;
    step.ask(Action::RecordCall(RecordingWish::Off));
    Done::next("refused")
}

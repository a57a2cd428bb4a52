//! `announce`: says something to the caller.

use serde::{Deserialize, Serialize};

use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use super::{Event, Inputs};
use crate::ids::PlayId;

pub const SPEC: Spec = Spec {
    name: "announce",
    summary: "Plays one or more prompts to the caller.",
    inputs: &[
        Input { name: "prompt", kind: Kind::Prompt, need: Need::Required, doc: "what is played" },
        Input {
            name: "barge_in",
            kind: Kind::Flag,
            need: Need::Flag(true),
            doc: "a key stops the prompt and is kept for the next menu; else keys are kept and the prompt goes on",
        },
        Input { name: "repeat", kind: Kind::Flag, need: Need::Flag(false), doc: "over and over, until max_s" },
        Input {
            name: "max_s",
            kind: Kind::Integer { min: 1, max: 86_400 },
            need: Need::Integer(3_600),
            doc: "how long a repeated prompt goes on",
        },
        Input {
            name: "serves",
            kind: Kind::Flag,
            need: Need::Optional,
            doc: "whether this is what callers call for: one who hangs up having heard it is self_service, not \
                  abandoned; by default true once the caller has chosen in a menu or typed what was asked",
        },
    ],
    outputs: &[Output {
        name: "result",
        kind: OutputKind::Word(&["played", "interrupted"]),
        doc: "`played`, or `interrupted` by a key",
    }],
    ends: Ends::Never,
    free_inputs: false,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Announce {
    play: PlayId,
    barge_in: bool,
    serves: bool,
}

impl Announce {
    pub(super) fn start(inputs: &Inputs, step: &mut Step<'_>) -> Announce {
        let repeat = inputs.flag("repeat").unwrap_or(false);
        let play = step.play(&inputs.prompts("prompt"), repeat);
        if let (true, Some(max)) = (repeat, inputs.seconds("max_s")) {
            step.wait(max);
        }
        let serves = inputs.flag("serves").unwrap_or(step.desk.chose);
        if repeat && serves {
            // It has no end to wait for.
            step.desk.served = true;
        }
        Announce { play, barge_in: inputs.flag("barge_in").unwrap_or(true), serves }
    }

    pub(super) fn handle(&mut self, event: &Event, step: &mut Step<'_>) -> Option<Done> {
        let result = match event {
            Event::Digit(digit) => {
                step.desk.typed.push(*digit);
                if !self.barge_in {
                    return None;
                }
                step.stop(self.play);
                "interrupted"
            }
            event if step.is_end_of(self.play, event) => "played",
            _ => return None,
        };
        if self.serves {
            step.desk.served = true;
        }
        Some(Done::next(result))
    }
}

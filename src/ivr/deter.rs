//! `deter`: tells the caller why the call cannot be taken now, and ends it.

use serde::{Deserialize, Serialize};

use super::spec::{Ends, Input, Kind, Need, Spec};
use super::step::{Done, Step};
use super::{Event, Inputs};
use crate::ids::PlayId;
use crate::record::Outcome;

pub const SPEC: Spec = Spec {
    name: "deter",
    summary: "Tells the caller why the call cannot be taken now, and ends it with outcome deterred.",
    inputs: &[Input {
        name: "prompt",
        kind: Kind::Prompt,
        need: Need::Text("closed"),
        doc: "the reason, as it is told",
    }],
    outputs: &[],
    ends: Ends::Always,
    free_inputs: false,
};

/// The last words of a call: a prompt that cannot be interrupted, then BYE.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Farewell {
    play: PlayId,
    outcome: Outcome,
    result: String,
}

pub(super) fn start(inputs: &Inputs, step: &mut Step<'_>) -> Farewell {
    Farewell::start(&inputs.prompts("prompt"), Outcome::Deterred, "deterred", step)
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

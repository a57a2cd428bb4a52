//! `jump`: goes on at another level of the plan.

use super::Inputs;
use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::Done;

pub const SPEC: Spec = Spec {
    name: "jump",
    summary: "Goes on at another level, at most so many times in a call; after that the next level runs.",
    inputs: &[
        Input { name: "level", kind: Kind::Level, need: Need::Required, doc: "the name of the level" },
        Input {
            name: "times",
            kind: Kind::Integer { min: 1, max: 1_000 },
            need: Need::Integer(20),
            doc: "how often this rule jumps in one call",
        },
    ],
    outputs: &[Output {
        name: "result",
        kind: OutputKind::Word(&["exhausted"]),
        doc: "`exhausted` when it jumped that often before",
    }],
    ends: Ends::Never,
    free_inputs: false,
};

pub(super) fn run(inputs: &Inputs) -> Done {
    Done::Jump {
        level: inputs.text("level").unwrap_or_default().to_owned(),
        times: u32::try_from(inputs.count("times")).unwrap_or(u32::MAX),
    }
}

//! `silence`: answers and says nothing.

use serde::{Deserialize, Serialize};

use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use super::{Event, Inputs};

pub const SPEC: Spec = Spec {
    name: "silence",
    summary: "Answers and stays silent for a time: a pause, or a line for measuring.",
    inputs: &[Input {
        name: "max_s",
        kind: Kind::Integer { min: 1, max: 86_400 },
        need: Need::Integer(3_600),
        doc: "how long before the next level runs",
    }],
    outputs: &[Output { name: "result", kind: OutputKind::Word(&["timed_out"]), doc: "`timed_out`" }],
    ends: Ends::Never,
    free_inputs: false,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Silence {}

impl Silence {
    pub(super) fn start(inputs: &Inputs, step: &mut Step<'_>) -> Silence {
        step.answer();
        step.wait(inputs.seconds("max_s").unwrap_or_default());
        Silence {}
    }

    pub(super) fn handle(&mut self, event: &Event, step: &mut Step<'_>) -> Option<Done> {
        match event {
            Event::Digit(digit) => {
                step.desk.typed.push(*digit);
                None
            }
            Event::Timeout => {
                step.stop_waiting();
                Some(Done::next("timed_out"))
            }
            _ => None,
        }
    }
}

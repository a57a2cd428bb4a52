//! `echo`: the caller hears himself, to test the line.

use serde::{Deserialize, Serialize};

use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use super::{Action, Event, Inputs};

pub const SPEC: Spec = Spec {
    name: "echo",
    summary: "Sends the caller's own audio back, to test the line.",
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
pub struct Echo {}

impl Echo {
    pub(super) fn start(inputs: &Inputs, step: &mut Step<'_>) -> Echo {
        step.answer();
        step.ask(Action::Echo(true));
        step.wait(inputs.seconds("max_s").unwrap_or_default());
        step.desk.served = true;
        Echo {}
    }

    pub(super) fn handle(&mut self, event: &Event, step: &mut Step<'_>) -> Option<Done> {
        if !matches!(event, Event::Timeout) {
            return None;
        }
        step.ask(Action::Echo(false));
        step.stop_waiting();
        Some(Done::next("timed_out"))
    }
}

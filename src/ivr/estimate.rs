//! `estimate`: how long a caller who is put into a queue now would probably wait.

use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use super::{Inputs, Value};

pub const SPEC: Spec = Spec {
    name: "estimate",
    summary: "Tells how long a caller would probably wait in a queue, as a range from the queue's own recent flow; the \
              state is not_known where that does not tell.",
    inputs: &[Input { name: "queue", kind: Kind::Queue, need: Need::Required, doc: "which queue" }],
    outputs: &[
        Output {
            name: "state",
            kind: OutputKind::Word(&["known", "not_known"]),
            doc: "`known`, or `not_known` when nothing can be told",
        },
        Output {
            name: "least_s",
            kind: OutputKind::Integer,
            doc: "the shortest probable wait in seconds; 0 when not known",
        },
        Output {
            name: "most_s",
            kind: OutputKind::Integer,
            doc: "the longest probable wait in seconds; 0 when not known",
        },
        Output {
            name: "least_minutes",
            kind: OutputKind::Integer,
            doc: "the shortest probable wait in whole minutes, rounded down",
        },
        Output {
            name: "most_minutes",
            kind: OutputKind::Integer,
            doc: "the longest probable wait in whole minutes, rounded up",
        },
    ],
    ends: Ends::Never,
    free_inputs: false,
};

pub(super) fn run(inputs: &Inputs, step: &mut Step<'_>) -> Done {
    let figures = inputs.text("queue").and_then(|queue| step.queues.figures(queue));
    let estimate = figures.and_then(|figures| figures.estimate_s);
    let state = if estimate.is_some() { "known" } else { "not_known" };
    let (least, most) = estimate.unwrap_or_default();
    let integer = |seconds: u64| Value::Integer(i64::try_from(seconds).unwrap_or(i64::MAX));
    Done::Next {
        result: state.to_owned(),
        outputs: vec![
            ("state", state.into()),
            ("least_s", integer(least)),
            ("most_s", integer(most)),
            ("least_minutes", integer(least / 60)),
            ("most_minutes", integer(most.div_ceil(60))),
        ],
    }
}

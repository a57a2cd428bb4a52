//! `hangup`: ends the call.

use super::Inputs;
use super::spec::{Ends, Input, Kind, Need, Spec};
use super::step::{Done, Step};
use crate::record::Outcome;

pub const SPEC: Spec = Spec {
    name: "hangup",
    summary: "Ends the call: BYE where it is answered, else a refusal.",
    inputs: &[
        Input {
            name: "outcome",
            kind: Kind::Word(&["self_service", "deterred", "overflowed", "failed"]),
            need: Need::Optional,
            doc: "what the call counts as; self_service where it was answered, else failed, if not given",
        },
        Input {
            name: "status",
            kind: Kind::Integer { min: 400, max: 699 },
            need: Need::Optional,
            doc: "the SIP status of a call that is not answered yet; why nobody answered it, or 480, if not given",
        },
        Input {
            name: "q850",
            kind: Kind::Integer { min: 1, max: 127 },
            need: Need::Optional,
            doc: "the Q.850 cause; 16 (normal clearing) of an answered call, else what fits the status",
        },
        Input {
            name: "answer",
            kind: Kind::Flag,
            need: Need::Flag(false),
            doc: "answers first, so that the call ends by BYE",
        },
    ],
    outputs: &[],
    ends: Ends::Always,
    free_inputs: false,
};

pub(super) fn run(inputs: &Inputs, step: &mut Step<'_>) -> Done {
    if inputs.flag("answer").unwrap_or(false) {
        step.answer();
    }
    let outcome = match inputs.text("outcome") {
        Some("self_service") => Outcome::SelfService,
        Some("deterred") => Outcome::Deterred,
        Some("overflowed") => Outcome::Overflowed,
        Some(_) => Outcome::Failed,
        None if step.desk.answered => Outcome::SelfService,
        None => Outcome::Failed,
    };
    let (status, q850) = if step.desk.answered { (480, 16) } else { step.desk.refusal };
    Done::HangUp {
        status: inputs.integer("status").and_then(|status| u16::try_from(status).ok()).unwrap_or(status),
        q850: inputs.integer("q850").and_then(|q850| u8::try_from(q850).ok()).unwrap_or(q850),
        outcome,
        result: "hung_up".to_owned(),
    }
}

//! `transfer`: rings one agent.

use serde::{Deserialize, Serialize};

use super::distribute::finished;
use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use super::{Action, Activity, Event, Inputs, Started, Target, TransferOutcome};
use crate::ids::AgentId;

pub const SPEC: Spec = Spec {
    name: "transfer",
    summary: "Rings one agent; an answer ends the plan.",
    inputs: &[
        Input { name: "to", kind: Kind::Target, need: Need::Required, doc: "who is rung" },
        Input {
            name: "ring_timeout_s",
            kind: Kind::Integer { min: 1, max: 600 },
            need: Need::Integer(30),
            doc: "how long it rings before the next level runs",
        },
    ],
    outputs: &[Output {
        name: "result",
        kind: OutputKind::Word(&["busy", "declined", "no_answer", "unreachable", "no_such_target"]),
        doc: "why nobody answered: `busy`, `declined`, `no_answer`, `unreachable`, `no_such_target`",
    }],
    ends: Ends::WhenAnswered,
    free_inputs: false,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Transfer {}

pub(super) fn start(inputs: &Inputs, step: &mut Step<'_>) -> Started {
    let agent = inputs.text("to").and_then(|to| to.strip_prefix("agent:"));
    // Experts are not agents, so a target computed from what the caller typed cannot be one either.
    let Some(agent) = agent.filter(|agent| step.names.agents.contains(*agent)) else {
        return Started::Done(unanswered(TransferOutcome::NoSuchTarget, step));
    };
    step.desk.served = false;
    let ring_timeout = inputs.seconds("ring_timeout_s").unwrap_or_default();
    step.ask(Action::Transfer { to: Target::Agent(AgentId::from(agent)), ring_timeout });
    Started::Running(Activity::Transfer(Transfer {}))
}

impl Transfer {
    pub(super) fn handle(&mut self, event: &Event, step: &mut Step<'_>) -> Option<Done> {
        let Event::Transferred(outcome) = event else { return None };
        match outcome {
            TransferOutcome::Answered => {
                step.desk.answered = true;
                None
            }
            TransferOutcome::Finished => Some(finished("answered")),
            outcome => Some(unanswered(*outcome, step)),
        }
    }
}

/// RFC 3398 §8.2.6.1 pairs statuses with causes; a caller who was never answered gets the one that fits.
fn unanswered(outcome: TransferOutcome, step: &mut Step<'_>) -> Done {
    let (result, refusal) = match outcome {
        TransferOutcome::Busy => ("busy", (486, 17)),
        TransferOutcome::Declined => ("declined", (603, 21)),
        TransferOutcome::NoAnswer => ("no_answer", (480, 19)),
        TransferOutcome::NoSuchTarget => ("no_such_target", (404, 1)),
        _ => ("unreachable", (480, 20)),
    };
    step.desk.refusal = refusal;
    Done::next(result)
}

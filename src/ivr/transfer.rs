//! `transfer`: rings one agent, or a number outside.
//!
//! An answer ends the plan, and the call ends as `handled`, whoever hangs up. Otherwise `result` says why and the next
//! level runs. Until then a caller who has been answered hears ring-back, another is told that it rings (180).
//!
//! A number leaves through the trunk whose `allow` has the longest beginning of it, by the first of the trunk's servers
//! that says a word within 5 s, and shows the trunk's `caller_id`, else the caller's own number. Everything else is
//! `refused`: what no trunk allows, SIP addresses, experts by whatever name, people and numbers of our own.

use serde::{Deserialize, Serialize};

use super::distribute::finished;
use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use super::{Action, Activity, Event, Inputs, Started, Target, TransferOutcome, outside};
use crate::ids::AgentId;

pub const SPEC: Spec = Spec {
    name: "transfer",
    summary: "Rings one agent, or a number that a trunk offers; an answer ends the plan.",
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
        kind: OutputKind::Word(&["busy", "declined", "no_answer", "unreachable", "no_such_target", "refused"]),
        doc: "why nobody answered: `busy`, `declined`, `no_answer`, `unreachable`, `no_such_target`, `refused`",
    }],
    ends: Ends::WhenAnswered,
    free_inputs: false,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Transfer {}

pub(super) fn start(inputs: &Inputs, step: &mut Step<'_>) -> Started {
    let to = inputs.text("to").unwrap_or_default();
    // What the caller typed or a look-up said may stand here, so it is trusted no more than the network.
    let target = match to.strip_prefix("agent:") {
        Some(agent) if step.names.agents.contains(agent) => Ok(Target::Agent(AgentId::from(agent))),
        Some(_) => Err(TransferOutcome::NoSuchTarget),
        None => {
            let number = outside::number(to).filter(|number| step.names.may_dial(number));
            number.map(Target::Outside).ok_or(TransferOutcome::Refused)
        }
    };
    let to = match target {
        Ok(target) => target,
        Err(outcome) => return Started::Done(unanswered(outcome, step)),
    };
    step.desk.served = false;
    let ring_timeout = inputs.seconds("ring_timeout_s").unwrap_or_default();
    step.ask(Action::Transfer { to, ring_timeout });
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
        TransferOutcome::Refused => ("refused", (403, 21)),
        _ => ("unreachable", (480, 20)),
    };
    step.desk.refusal = refusal;
    Done::next(result)
}

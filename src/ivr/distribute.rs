//! `distribute`: puts the caller into a queue, where an agent is found.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use super::{Action, Activity, Event, Inputs, QueueOutcome, Started, Value};
use crate::demand::{Demand, HIGHEST_PRIORITY, PreferredAgent};
use crate::ids::{AgentId, QueueId};
use crate::record::Outcome;

pub const SPEC: Spec = Spec {
    name: "distribute",
    summary: "Puts the caller into a queue; an agent who answers ends the plan.",
    inputs: &[
        Input { name: "queue", kind: Kind::Queue, need: Need::Required, doc: "which queue" },
        Input {
            name: "skills",
            kind: Kind::Skills,
            need: Need::Optional,
            doc: "what the agent must be good at; agents of the queue without these skills are not rung",
        },
        Input {
            name: "widen",
            kind: Kind::Widening,
            need: Need::Optional,
            doc: "how less is asked for as the caller waits: every skill at this level at most, and at 0 none; the queue's own rule where it is not given",
        },
        Input {
            name: "priority",
            kind: Kind::Integer { min: -HIGHEST_PRIORITY, max: HIGHEST_PRIORITY },
            need: Need::Integer(0),
            doc: "the higher is served first; waiting raises it, by one step for every priority_step_s of the queue",
        },
        Input {
            name: "prefer_skills",
            kind: Kind::Skills,
            need: Need::Optional,
            doc: "what the agent should be good at besides: of those who can be had, who has the most of these is rung",
        },
        Input {
            name: "prefer_agent",
            kind: Kind::Agent,
            need: Need::Optional,
            doc: "who is waited for before others are rung, as { cel = \"caller.last_agent\" }; only while they are at work in the queue",
        },
        Input {
            name: "prefer_s",
            kind: Kind::Integer { min: 0, max: 3_600 },
            need: Need::Integer(30),
            doc: "how long the preferred agent is waited for; at 0 only one who is free is preferred",
        },
        Input {
            name: "max_wait_s",
            kind: Kind::Integer { min: 1, max: 86_400 },
            need: Need::Optional,
            doc: "how long to wait before the next level runs; for ever where it is not given",
        },
        Input {
            name: "max_estimate_s",
            kind: Kind::Integer { min: 1, max: 86_400 },
            need: Need::Optional,
            doc: "the next level runs where the estimated wait, the middle of its range, is longer than this: at the entry, or when the rest of it has been longer by a quarter for 15 s; never where it is not known, and of one queue only once in a call",
        },
        Input {
            name: "waited_since",
            kind: Kind::Word(&["queue", "answer", "call"]),
            need: Need::Text("queue"),
            doc: "from when on the caller counts as waiting: the first entry into a queue, the answer, or the beginning of the call; an hour before the first entry at most",
        },
        Input {
            name: "waited_s",
            kind: Kind::Integer { min: 0, max: 3_600 },
            need: Need::Integer(0),
            doc: "seconds before the first entry that count as waiting; the longer of this and waited_since",
        },
        Input {
            name: "comfort",
            kind: Kind::Comforts,
            need: Need::Optional,
            doc: "what is said over the music, each thing at its own times: prompts, or the position, or the estimate of the rest; the queue's own list where it is not given",
        },
        Input {
            name: "leave",
            kind: Kind::Keys,
            need: Need::Optional,
            doc: "keys by which the caller leaves the queue",
        },
    ],
    outputs: &[
        Output {
            name: "result",
            kind: OutputKind::Word(&["full", "timed_out", "too_long", "left", "no_such_queue"]),
            doc: "why nobody answered: `full`, `timed_out`, `too_long` (by the estimate), `left`, `no_such_queue`",
        },
        Output { name: "key", kind: OutputKind::Text, doc: "the key the caller left by, or an empty text" },
    ],
    ends: Ends::WhenAnswered,
    free_inputs: false,
};

/// Beyond it, time before the first entry into a queue does not count as waiting.
const LONGEST_COUNTED: Duration = Duration::from_secs(3_600);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Distribute {}

pub(super) fn start(inputs: &Inputs, step: &mut Step<'_>) -> Started {
    let Some(queue) = inputs.text("queue").filter(|queue| step.names.queues.contains(*queue)) else {
        return Started::Done(unanswered("no_such_queue", ""));
    };
    // From here on the queue decides what the call was.
    step.desk.served = false;
    step.answer();
    let counted = counted(inputs, step);
    step.ask(Action::Distribute {
        queue: QueueId::from(queue),
        demand: Demand { counted, ..demand_of(inputs) },
        max_wait: inputs.seconds("max_wait_s"),
        max_estimate: inputs.seconds("max_estimate_s"),
        leave: inputs.keys("leave"),
        comfort: inputs.comforts("comfort"),
    });
    Started::Running(Activity::Distribute(Distribute {}))
}

/// Time before the first entry into a queue that counts as waiting.
fn counted(inputs: &Inputs, step: &mut Step<'_>) -> Duration {
    let now = step.now;
    let entered = *step.desk.queued_at.get_or_insert(now);
    let since = match inputs.text("waited_since") {
        Some("answer") => step.desk.answered_at,
        Some("call") => step.desk.began_at,
        _ => None,
    };
    let before = since.map_or(Duration::ZERO, |since| entered.since(since));
    before.max(inputs.seconds("waited_s").unwrap_or_default()).min(LONGEST_COUNTED)
}

/// What a rule asks of the distributor, of inputs of this module.
pub fn demand_of(inputs: &Inputs) -> Demand {
    let priority = inputs.integer("priority").and_then(|priority| i32::try_from(priority).ok());
    let preferred = inputs.text("prefer_agent").map(|agent| agent.strip_prefix("agent:").unwrap_or(agent));
    let prefer_agent = preferred.filter(|agent| !agent.is_empty()).map(|agent| PreferredAgent {
        agent: AgentId::from(agent),
        wait: inputs.seconds("prefer_s").unwrap_or_default(),
    });
    Demand {
        skills: inputs.skills("skills"),
        widen: inputs.widenings("widen"),
        priority: priority.unwrap_or(0),
        prefer_skills: inputs.skills("prefer_skills"),
        prefer_agent,
        counted: Duration::ZERO,
    }
}

impl Distribute {
    pub(super) fn handle(&mut self, event: &Event, step: &mut Step<'_>) -> Option<Done> {
        let Event::Queued(outcome) = event else { return None };
        match outcome {
            QueueOutcome::Answered => None,
            QueueOutcome::Finished => Some(finished("answered")),
            // Also after an answer: an agent's phone may be lost, and the caller be back in the queue.
            QueueOutcome::Full => Some(unanswered("full", "")),
            QueueOutcome::NoSuchQueue => Some(unanswered("no_such_queue", "")),
            QueueOutcome::TimedOut => Some(unanswered("timed_out", "")),
            QueueOutcome::TooLong => Some(unanswered("too_long", "")),
            QueueOutcome::Left(digit) => {
                step.desk.chose = true;
                Some(unanswered("left", &digit.key().to_string()))
            }
        }
    }
}

fn unanswered(result: &str, key: &str) -> Done {
    Done::Next { result: result.to_owned(), outputs: vec![("result", result.into()), ("key", Value::from(key))] }
}

/// The other side ended a talk.
pub(super) fn finished(result: &str) -> Done {
    Done::HangUp { status: 480, q850: 16, outcome: Outcome::Handled, result: result.to_owned() }
}

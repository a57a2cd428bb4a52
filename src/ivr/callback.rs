//! `callback`: offers to call back, and takes the number.

use serde::{Deserialize, Serialize};

use super::deter::Farewell;
use super::question::{Answer, Ended, Question};
use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use super::{Action, Activity, Event, Inputs, Started};
use crate::bridge::Digit;
use crate::ids::QueueId;
use crate::record::Outcome;
use crate::spoken::{Amount, Kind as SaidAs, Said};

pub const SPEC: Spec = Spec {
    name: "callback",
    summary: "Offers to call back; the caller keeps the place in the queue, confirms the number or types another one, and \
              may hang up. The call ends with outcome callback.",
    inputs: &[
        Input {
            name: "queue",
            kind: Kind::Queue,
            need: Need::Required,
            doc: "in which queue the place is kept; its table callback has the hours and the number of attempts",
        },
        Input {
            name: "prompt",
            kind: Kind::Prompt,
            need: Need::Text("callback-offer"),
            doc: "the offer: 1 the number that calls, 2 another one, 3 no; left out for a caller without a number, who \
                  is asked for one",
        },
        Input {
            name: "number",
            kind: Kind::Prompt,
            need: Need::Text("callback-number"),
            doc: "asks for a number and #",
        },
        Input {
            name: "read_back",
            kind: Kind::Prompt,
            need: Need::Text("callback-read-back"),
            doc: "said before the digits of a number that was typed",
        },
        Input {
            name: "right",
            kind: Kind::Prompt,
            need: Need::Text("callback-right"),
            doc: "asks whether it is right: 1 yes, 2 another one, 3 no call-back",
        },
        Input { name: "agreed", kind: Kind::Prompt, need: Need::Text("callback-agreed"), doc: "the last words" },
        Input {
            name: "tries",
            kind: Kind::Integer { min: 1, max: 20 },
            need: Need::Integer(3),
            doc: "wrong keys and silences before each question is given up",
        },
        Input {
            name: "timeout_ms",
            kind: Kind::Integer { min: 500, max: 60_000 },
            need: Need::Integer(6_000),
            doc: "silence after a question that counts as no answer",
        },
        Input {
            name: "inter_digit_ms",
            kind: Kind::Integer { min: 500, max: 60_000 },
            need: Need::Integer(4_000),
            doc: "silence after a digit that ends the number",
        },
        Input { name: "invalid", kind: Kind::Prompt, need: Need::Text("invalid"), doc: "said after a wrong key" },
        Input { name: "no_input", kind: Kind::Prompt, need: Need::Text("no-input"), doc: "said after silence" },
        Input {
            name: "barge_in",
            kind: Kind::Flag,
            need: Need::Flag(true),
            doc: "a key counts while a question still plays",
        },
    ],
    outputs: &[Output {
        name: "result",
        kind: OutputKind::Word(&["declined", "no_answer", "not_allowed", "full", "no_such_queue"]),
        doc: "why nothing was agreed on: `declined`, `no_answer` when the caller gave none, `not_allowed` for a number \
              that no trunk may dial, `full` where the queue takes no more call-backs, `no_such_queue`",
    }],
    ends: Ends::WhenAnswered,
    free_inputs: false,
};

/// ITU-T E.164: fifteen digits, and what is dialled before them.
const MOST_DIGITS: usize = 18;
const FEWEST_DIGITS: usize = 2;

/// What became of `Action::CallBack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallBackOutcome {
    Agreed,
    /// No trunk may dial the number.
    NotAllowed,
    /// The queue takes no more call-backs.
    Full,
    NoSuchQueue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Asks {
    /// 1 the number that calls, 2 another one, 3 no.
    Offer,
    Number,
    /// 1 right, 2 another one, 3 no.
    Right,
}

impl Answer for Asks {
    fn is_ended_by(&self, key: Digit) -> bool {
        *self == Asks::Number && key.key() == '#'
    }

    fn goes_on(&self, keys: &str) -> bool {
        *self == Asks::Number && keys.len() < MOST_DIGITS
    }

    fn accepts(&self, keys: &str) -> bool {
        match self {
            Asks::Offer | Asks::Right => matches!(keys, "1" | "2" | "3"),
            Asks::Number => keys.len() >= FEWEST_DIGITS && keys.bytes().all(|key| key.is_ascii_digit()),
        }
    }
}

/// A number as people say it; left out where the language has no words for it.
fn spoken(number: &str, step: &Step<'_>) -> Vec<String> {
    let said = Said { kind: SaidAs::Phone, set: None };
    let table = step.names.spoken(&step.desk.language);
    table.and_then(|table| said.prompts(Amount::Text(number), table, step.wall)).unwrap_or_default()
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Stage {
    Asking(Asks, Box<Question>),
    /// The engine is asked whether it will.
    Promising,
    Farewell(Farewell),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallBack {
    stage: Stage,
    queue: QueueId,
    number: Box<Question>,
    right: Box<Question>,
    read_back: Vec<String>,
    agreed: Vec<String>,
    /// Typed, and not yet confirmed.
    typed: String,
}

pub(super) fn start(inputs: &Inputs, step: &mut Step<'_>) -> Started {
    let Some(queue) = inputs.text("queue").filter(|queue| step.names.queues.contains(*queue)) else {
        return Started::Done(Done::next("no_such_queue"));
    };
    let question = |prompt| Box::new(Question::asking(inputs.prompts(prompt), inputs, "timeout_ms"));
    let known = !step.names.numbering.read(&step.desk.caller.from).into_text().is_empty();
    let asks = if known { Asks::Offer } else { Asks::Number };
    let mut first = question(if known { "prompt" } else { "number" });
    let ended = first.ask(&asks, step);
    let mut call_back = CallBack {
        stage: Stage::Asking(asks, first),
        queue: QueueId::from(queue),
        number: question("number"),
        right: question("right"),
        read_back: inputs.prompts("read_back"),
        agreed: inputs.prompts("agreed"),
        typed: String::new(),
    };
    match ended.and_then(|ended| call_back.ended(asks, ended, step)) {
        Some(done) => Started::Done(done),
        None => Started::Running(Activity::CallBack(Box::new(call_back))),
    }
}

impl CallBack {
    pub(super) fn listens(&self) -> bool {
        matches!(self.stage, Stage::Asking(..))
    }

    pub(super) fn handle(&mut self, event: &Event, step: &mut Step<'_>) -> Option<Done> {
        match &mut self.stage {
            Stage::Asking(asks, question) => {
                let asks = *asks;
                let ended = question.handle(event, &asks, step)?;
                self.ended(asks, ended, step)
            }
            Stage::Promising => match event {
                Event::CalledBack(outcome) => self.promised(*outcome, step),
                _ => None,
            },
            Stage::Farewell(farewell) => farewell.handle(event, step),
        }
    }

    /// A question is answered, or given up.
    fn ended(&mut self, asks: Asks, ended: Ended, step: &mut Step<'_>) -> Option<Done> {
        let Ended::Answered(keys) = ended else { return Some(Done::next("no_answer")) };
        match (asks, keys.as_str()) {
            (Asks::Number, _) => {
                let prompts = self.read_back.iter().cloned().chain(spoken(&keys, step));
                let question = (*self.right).clone().after(prompts.collect());
                self.typed.clone_from(&keys);
                self.ask(Asks::Right, question, step)
            }
            (Asks::Offer, "1") => self.promise(None, step),
            (Asks::Right, "1") => {
                let typed = self.typed.clone();
                self.promise(Some(typed), step)
            }
            (_, "2") => self.ask(Asks::Number, (*self.number).clone(), step),
            _ => Some(Done::next("declined")),
        }
    }

    fn ask(&mut self, asks: Asks, mut question: Question, step: &mut Step<'_>) -> Option<Done> {
        let ended = question.ask(&asks, step);
        self.stage = Stage::Asking(asks, Box::new(question));
        self.ended(asks, ended?, step)
    }

    fn promise(&mut self, number: Option<String>, step: &mut Step<'_>) -> Option<Done> {
        self.stage = Stage::Promising;
        step.ask(Action::CallBack { queue: self.queue.clone(), number });
        None
    }

    fn promised(&mut self, outcome: CallBackOutcome, step: &mut Step<'_>) -> Option<Done> {
        let result = match outcome {
            CallBackOutcome::Agreed => {
                let farewell = Farewell::start(&self.agreed, Outcome::Callback, "agreed", step);
                self.stage = Stage::Farewell(farewell);
                return None;
            }
            CallBackOutcome::NotAllowed => "not_allowed",
            CallBackOutcome::Full => "full",
            CallBackOutcome::NoSuchQueue => "no_such_queue",
        };
        Some(Done::next(result))
    }
}

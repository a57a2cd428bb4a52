//! `lookup`: asks an HTTP service outside, for instance the company's customer system, while the call goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::answer::{Answer, Fields, LookUpResult};
use super::http::{self, HttpRequest, Method, RequestFault};
use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use super::{Action, Activity, Event, Inputs, Started, Value};
use crate::ids::PlayId;

pub const SPEC: Spec = Spec {
    name: "lookup",
    summary: "Asks an HTTP service for JSON and takes fields out of its answer; without an answer in time the plan goes on \
              with their defaults.",
    inputs: &[
        Input {
            name: "service",
            kind: Kind::Service,
            need: Need::Required,
            doc: "which service of the configuration is asked",
        },
        Input {
            name: "url",
            kind: Kind::Template,
            need: Need::Text(""),
            doc: "what follows the service's base_url, with expressions in braces, as \"/customers/{call.from}\"; their \
                  values are encoded, so that each stays one value",
        },
        Input {
            name: "method",
            kind: Kind::Word(&["get", "post"]),
            need: Need::Text("get"),
            doc: "post sends the body, as JSON",
        },
        Input {
            name: "headers",
            kind: Kind::Values,
            need: Need::Optional,
            doc: "sent besides the service's own, as { X-Line = { cel = \"call.to\" } }",
        },
        Input {
            name: "body",
            kind: Kind::Values,
            need: Need::Optional,
            doc: "what is posted, as { number = { cel = \"call.from\" } }",
        },
        Input {
            name: "fields",
            kind: Kind::Fields,
            need: Need::Optional,
            doc: "what is taken out of the answer, by its path: { tier = { path = \"customer.tier\", default = \"none\" } }; \
                  the default stands when there is nothing of its type; each field is an output",
        },
        Input {
            name: "timeout_ms",
            kind: Kind::Integer { min: 50, max: 30_000 },
            need: Need::Integer(2_000),
            doc: "how long the call waits for the answer",
        },
        Input {
            name: "cache_s",
            kind: Kind::Integer { min: 0, max: 86_400 },
            need: Need::Integer(0),
            doc: "an answer to the same request is used again for so long",
        },
        Input {
            name: "prompt",
            kind: Kind::Prompt,
            need: Need::Optional,
            doc: "what the caller hears meanwhile; the answer cuts it short",
        },
        Input {
            name: "repeat",
            kind: Kind::Flag,
            need: Need::Flag(false),
            doc: "the prompt is music: over and over until the answer comes",
        },
    ],
    outputs: &[
        Output {
            name: "result",
            kind: OutputKind::Word(LookUpResult::WORDS),
            doc: "`ok`, `not_found` (404, 410), `timed_out`, `failed`, `busy`",
        },
        Output { name: "status", kind: OutputKind::Integer, doc: "the HTTP status; 0 without an answer" },
        Output { name: "reason", kind: OutputKind::Text, doc: "why it failed, for people; else an empty text" },
    ],
    ends: Ends::Never,
    free_inputs: false,
};

/// A question to a service, with what is wanted of the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LookUp {
    pub request: HttpRequest,
    pub timeout: Duration,
    /// How long its answer may be used again; not at all when zero.
    pub cache: Duration,
    pub fields: Fields,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lookup {
    /// The question that is waited for; answers to earlier ones come too late.
    look_up: u64,
    play: Option<PlayId>,
    fields: Fields,
}

pub(super) fn start(inputs: &Inputs, step: &mut Step<'_>) -> Started {
    // Checked when the plan was loaded, where it is not computed.
    let fields = inputs.get("fields").and_then(|fields| Fields::read(fields).ok()).unwrap_or_default();
    let timeout = inputs.millis("timeout_ms").unwrap_or_default();
    let request = match request(inputs, step) {
        Ok(request) => request,
        Err(fault) => return Started::Done(done(Answer::without(LookUpResult::Failed, fault.to_string()), &fields)),
    };
    let look_up = step.desk.next_look_up;
    step.desk.next_look_up += 1;
    let cache = inputs.seconds("cache_s").unwrap_or_default();
    let question = LookUp { request, timeout, cache, fields: fields.clone() };
    let prompts = inputs.prompts("prompt");
    let play = (!prompts.is_empty()).then(|| step.play(&prompts, inputs.flag("repeat").unwrap_or(false)));
    step.ask(Action::LookUp { look_up, question: Box::new(question) });
    step.wait(timeout);
    Started::Running(Activity::Lookup(Lookup { look_up, play, fields }))
}

fn request(inputs: &Inputs, step: &Step<'_>) -> Result<HttpRequest, RequestFault> {
    let service = inputs.text("service").unwrap_or_default();
    if !step.names.services.contains_key(service) {
        return Err(RequestFault::NoSuchService(service.to_owned()));
    }
    match inputs.text("method") {
        Some("post") => http::request(inputs, Method::Post, Some(http::json(inputs.get("body"))?)),
        _ => http::request(inputs, Method::Get, None),
    }
}

impl Lookup {
    pub(super) fn handle(&mut self, event: &Event, step: &mut Step<'_>) -> Option<Done> {
        let answer = match event {
            Event::LookedUp { look_up, answer } if *look_up == self.look_up => answer.clone(),
            Event::Timeout => Answer::without(LookUpResult::TimedOut, "no answer in time"),
            Event::Digit(digit) => {
                step.desk.typed.push(*digit);
                return None;
            }
            Event::PlayEnded(ended) if Some(*ended) == self.play => {
                self.play = None;
                return None;
            }
            _ => return None,
        };
        if let Some(play) = self.play {
            step.stop(play);
        }
        step.stop_waiting();
        Some(done(answer, &self.fields))
    }
}

fn done(answer: Answer, fields: &Fields) -> Done {
    let mut values = answer.values;
    let mut outputs: BTreeMap<String, Value> = fields
        .0
        .iter()
        .map(|(name, field)| (name.clone(), values.remove(name).unwrap_or_else(|| field.default.clone())))
        .collect();
    let result = answer.result.word();
    outputs.insert("result".to_owned(), result.into());
    outputs.insert("status".to_owned(), Value::Integer(answer.status.into()));
    outputs.insert("reason".to_owned(), answer.reason.into());
    Done::Found { result: result.to_owned(), outputs }
}

//! `webhook`: tells an HTTP service outside that something happened. The call does not wait for it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::http::{self, HttpRequest, Method};
use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use super::{Action, Inputs, Value};

pub const SPEC: Spec = Spec {
    name: "webhook",
    summary: "Posts an event to an HTTP service without waiting; it is signed, and tried again until the service takes it.",
    inputs: &[
        Input {
            name: "service",
            kind: Kind::Service,
            need: Need::Required,
            doc: "which service of the configuration is told",
        },
        Input {
            name: "url",
            kind: Kind::Template,
            need: Need::Text(""),
            doc: "what follows the service's base_url, with expressions in braces",
        },
        Input { name: "event", kind: Kind::Text, need: Need::Required, doc: "what happened, as \"order.cancelled\"" },
        Input {
            name: "data",
            kind: Kind::Values,
            need: Need::Optional,
            doc: "what is told besides the call's id, as { number = { cel = \"call.from\" } }",
        },
    ],
    outputs: &[Output {
        name: "result",
        kind: OutputKind::Word(&["queued", "refused"]),
        doc: "`queued`, or `refused` where no request can be made of the values",
    }],
    ends: Ends::Never,
    free_inputs: false,
};

/// An event to be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its body is made when it is sent: with the event's id, time and call.
    pub request: HttpRequest,
    pub event: String,
    pub data: BTreeMap<String, Value>,
}

pub(super) fn run(inputs: &Inputs, step: &mut Step<'_>) -> Done {
    let known = inputs.text("service").is_some_and(|service| step.names.services.contains_key(service));
    // The data as a body only to hold it to the bounds.
    let request = http::json(inputs.get("data")).and_then(|body| http::request(inputs, Method::Post, Some(body)));
    let Some(request) = request.ok().filter(|_| known) else { return Done::next("refused") };
    let data = match inputs.get("data") {
        Some(Value::Map(data)) => data.clone(),
        _ => BTreeMap::new(),
    };
    let event = inputs.text("event").unwrap_or_default().chars().take(100).collect();
    step.ask(Action::Webhook(Box::new(Webhook { request: HttpRequest { body: None, ..request }, event, data })));
    Done::next("queued")
}

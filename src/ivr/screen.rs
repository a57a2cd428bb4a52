//! `screen`: judges who calls, by lists of numbers, by how often they call, and by what their number looks like. What is
//! done about it is the plan's next rule.

use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use super::{Inputs, Value};
use crate::caller::CallerNumber;

pub const SPEC: Spec = Spec {
    name: "screen",
    summary: "Judges whether a call is spam; what is done about it is the next rule's.",
    inputs: &[
        Input {
            name: "allow",
            kind: Kind::Lists,
            need: Need::Optional,
            doc: "numbers that always pass; this is looked at first",
        },
        Input { name: "deny", kind: Kind::Lists, need: Need::Optional, doc: "numbers that are spam" },
        Input {
            name: "anonymous",
            kind: Kind::Flag,
            need: Need::Flag(false),
            doc: "whether a withheld number is spam",
        },
        Input {
            name: "malformed",
            kind: Kind::Flag,
            need: Need::Flag(true),
            doc: "whether a caller's number that is no telephone number is spam",
        },
        Input {
            name: "most_calls",
            kind: Kind::Integer { min: 1, max: 50 },
            need: Need::Optional,
            doc: "so many calls of one number within window_s pass, the present one counted; more are spam",
        },
        Input {
            name: "window_s",
            kind: Kind::Integer { min: 1, max: 3_600 },
            need: Need::Integer(600),
            doc: "over how long calls are counted",
        },
    ],
    outputs: &[
        Output { name: "verdict", kind: OutputKind::Word(&["pass", "spam"]), doc: "`pass` or `spam`" },
        Output {
            name: "reason",
            kind: OutputKind::Word(&["allow", "deny", "anonymous", "malformed", "rate", "none"]),
            doc: "`allow`, `deny`, `anonymous`, `malformed`, `rate`, or `none`",
        },
    ],
    ends: Ends::Never,
    free_inputs: false,
};

pub(super) fn run(inputs: &Inputs, step: &mut Step<'_>) -> Done {
    let (verdict, reason) = judge(inputs, step);
    let outputs = vec![("verdict", Value::from(verdict)), ("reason", Value::from(reason))];
    Done::Next { result: format!("{verdict}: {reason}"), outputs }
}

fn judge(inputs: &Inputs, step: &Step<'_>) -> (&'static str, &'static str) {
    let caller = &step.desk.caller;
    let listed = |input: &str, number: &str| {
        names(inputs.get(input)).filter_map(|name| step.names.lists.get(name)).any(|list| list.contains(number))
    };
    let anonymous = inputs.flag("anonymous").unwrap_or(false);
    let malformed = inputs.flag("malformed").unwrap_or(true);
    match step.names.numbering.read(&caller.from) {
        CallerNumber::Known(number) if listed("allow", &number) => ("pass", "allow"),
        CallerNumber::Known(number) if listed("deny", &number) => ("spam", "deny"),
        CallerNumber::Known(_) if calls_too_often(inputs, &caller.earlier_s) => ("spam", "rate"),
        CallerNumber::Anonymous if anonymous => ("spam", "anonymous"),
        CallerNumber::Malformed if malformed => ("spam", "malformed"),
        _ => ("pass", "none"),
    }
}

/// One name or a list of names.
fn names(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let (one, several) = match value {
        Some(Value::List(items)) => (None, items.as_slice()),
        value => (value, [].as_slice()),
    };
    one.into_iter().chain(several).filter_map(Value::as_text)
}

fn calls_too_often(inputs: &Inputs, earlier_s: &[u64]) -> bool {
    let window = inputs.integer("window_s").and_then(|window| u64::try_from(window).ok()).unwrap_or(0);
    let most = inputs.integer("most_calls").and_then(|most| usize::try_from(most).ok());
    let calls = 1 + earlier_s.iter().filter(|ago| **ago < window).count();
    most.is_some_and(|most| calls > most)
}

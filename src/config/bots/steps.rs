//! `[[intent]]` and its steps.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::de::DeValue;

use super::slots::named;
use super::texts::optional;
use super::{Known, unknown};
use crate::bridge::Digit;
use crate::callbot::bot::{Act, Intent, Question, Step, Then};
use crate::dialplan::reader::{At, Table, value_of};
use crate::findings::{Findings, suggest};
use crate::ids::ServiceId;
use crate::ivr::{Value, http};

const ACTS: [&str; 7] = ["ask", "confirm", "look_up", "answer", "offer", "hand_over", "end"];
const MOST_STEPS: usize = 50;

/// The result of a look-up, as a field: `ok` or `failed`.
const RESULT: &str = "result";

pub(super) fn names(tables: &[Table<'_>], findings: &mut Findings<'_>) -> Vec<String> {
    named(tables, "intent", findings)
}

/// The fields of every look-up, before the steps are read in full.
pub(super) fn fields(tables: &[Table<'_>]) -> Vec<String> {
    let mut names = vec![RESULT.to_owned()];
    for table in tables {
        let steps =
            table.all().filter(|(key, _)| key.value == "step").filter_map(|(_, value)| value.get_ref().as_array());
        for step in steps.flat_map(|steps| steps.iter()).filter_map(|step| step.get_ref().as_table()) {
            let fields = step.get("look_up").and_then(|look_up| look_up.get_ref().as_table());
            let fields =
                fields.and_then(|look_up| look_up.get("fields")).and_then(|fields| fields.get_ref().as_table());
            names.extend(fields.into_iter().flat_map(|fields| fields.keys()).map(|key| key.get_ref().to_string()));
        }
    }
    names
}

pub(super) fn read_all(tables: Vec<Table<'_>>, known: &Known<'_>, findings: &mut Findings<'_>) -> Vec<Intent> {
    tables.into_iter().filter_map(|table| read(table, known, findings)).collect()
}

fn read(mut table: Table<'_>, known: &Known<'_>, findings: &mut Findings<'_>) -> Option<Intent> {
    table.what = "intent".to_owned();
    let name = table.required_text("name", findings)?;
    table.what = format!("intent '{}'", name.value);
    let confirm = optional(&mut table, "confirm", known, findings);
    let key = table.text("key", findings).and_then(|key| match key.value.as_str() {
        "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" => key.value.chars().next().and_then(Digit::new),
        _ => {
            let hint = "0 always leads to a person".to_owned();
            findings.error(key.span, format!("{}: key is one of 1 to 9", table.what), hint);
            None
        }
    });
    let steps = table.tables("step", findings);
    if steps.is_empty() || steps.len() > MOST_STEPS {
        let hint = "write [[intent.step]] with answer = \"…\" or hand_over = true".to_owned();
        findings.error(table.span.clone(), format!("{} is to have 1 to {MOST_STEPS} steps", table.what), hint);
    }
    let what = table.what.clone();
    let steps = steps.into_iter().filter_map(|step| read_step(step, &what, known, findings)).collect();
    table.finish(findings);
    Some(Intent { name: name.value, confirm, key, steps })
}

fn read_step(mut table: Table<'_>, intent: &str, known: &Known<'_>, findings: &mut Findings<'_>) -> Option<Step> {
    table.what = format!("{intent}: step");
    let when = read_when(&mut table, known, findings);
    let acts: Vec<&str> = ACTS.into_iter().filter(|act| table.has(act)).collect();
    let [act] = acts.as_slice() else {
        ACTS.into_iter().for_each(|act| {
            table.value(act);
        });
        let found = if acts.is_empty() { "nothing".to_owned() } else { acts.join(" and ") };
        let message = format!("{} does {found}; each step does one of {}", table.what, ACTS.join(", "));
        findings.error(table.span.clone(), message, None);
        return None;
    };
    let act = match *act {
        "ask" => Act::Ask(slot(&mut table, "ask", known, findings)?),
        "confirm" => Act::Confirm(slot(&mut table, "confirm", known, findings)?),
        "look_up" => Act::LookUp(Box::new(read_look_up(&mut table, known, findings)?)),
        "answer" => Act::Answer(optional(&mut table, "answer", known, findings)),
        "offer" => {
            let text = optional(&mut table, "offer", known, findings);
            let yes = read_then(&mut table, "yes", Then::GoOn, known, findings);
            let no = read_then(&mut table, "no", Then::GoOn, known, findings);
            Act::Offer { text, yes, no }
        }
        "hand_over" => Act::HandOver(last_words(&mut table, "hand_over", known, findings)),
        _ => Act::End(last_words(&mut table, "end", known, findings)),
    };
    table.finish(findings);
    Some(Step { when, act })
}

/// `hand_over = true`, or the words said before.
fn last_words(
    table: &mut Table<'_>,
    key: &'static str,
    known: &Known<'_>,
    findings: &mut Findings<'_>,
) -> crate::callbot::bot::Text {
    match table.value(key).map(|value| (value.get_ref(), value.span())) {
        Some((DeValue::Boolean(true), _)) => Vec::new(),
        Some((DeValue::Boolean(false), span)) => {
            findings.error(span, format!("{}: {key} = false does nothing", table.what), "leave it out".to_owned());
            Vec::new()
        }
        _ => optional(table, key, known, findings),
    }
}

fn slot(table: &mut Table<'_>, key: &'static str, known: &Known<'_>, findings: &mut Findings<'_>) -> Option<String> {
    let name = table.text(key, findings)?;
    if !known.slots.contains(&name.value) {
        unknown(&table.what, "slot", &name, &known.slots, findings);
        return None;
    }
    Some(name.value)
}

/// `when = { state = "shipped" }`, or a list of values.
fn read_when(table: &mut Table<'_>, known: &Known<'_>, findings: &mut Findings<'_>) -> Vec<(String, Vec<String>)> {
    let mut when = Vec::new();
    let what = table.what.clone();
    for (name, value) in table.table("when", findings).iter().flat_map(Table::all) {
        let names: Vec<String> = known.slots.iter().chain(&known.fields).cloned().collect();
        if !names.iter().any(|known| known == name.value) {
            let place = At { value: name.value.to_owned(), span: name.span.clone() };
            unknown(&what, "slot or field", &place, &names, findings);
        }
        let values = match value_of(value.get_ref()) {
            Some(Value::Text(text)) => vec![text],
            Some(Value::List(items)) => items.iter().filter_map(Value::as_text).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        if values.is_empty() {
            let hint = "write when = { state = \"shipped\" } or a list of texts".to_owned();
            findings.error(value.span(), format!("{what}: when: {} has no value to compare with", name.value), hint);
        }
        when.push((name.value.to_owned(), values));
    }
    when
}

fn read_then(
    table: &mut Table<'_>,
    key: &'static str,
    usual: Then,
    known: &Known<'_>,
    findings: &mut Findings<'_>,
) -> Then {
    let Some(word) = table.text(key, findings) else { return usual };
    match word.value.as_str() {
        "go_on" => Then::GoOn,
        "hand_over" => Then::HandOver,
        "end" => Then::End,
        name => match known.intents.iter().position(|intent| intent == name) {
            Some(intent) => Then::Intent(intent),
            None => {
                let words = ["go_on", "hand_over", "end"].into_iter().chain(known.intents.iter().map(String::as_str));
                let message = format!("{}: {key}: '{name}' leads nowhere", table.what);
                findings.error(word.span, message, suggest(name, words));
                usual
            }
        },
    }
}

/// `look_up = { service = "orders", url = "/orders/{order_number}", fields = { state = "state" } }`.
fn read_look_up(table: &mut Table<'_>, known: &Known<'_>, findings: &mut Findings<'_>) -> Option<Question> {
    let what = format!("{}: look_up", table.what);
    let mut own = table.table("look_up", findings)?;
    own.what = what;
    let service = own.required_text("service", findings);
    let url = own.text("url", findings).unwrap_or(At { value: String::new(), span: own.span.clone() });
    check_url(&own.what, &url, known, findings);
    let body = own.texts("body", findings).map(|texts| texts.value).unwrap_or_default();
    for name in body.iter().filter(|name| !known.slots.contains(&name.value)) {
        unknown(&own.what, "slot", name, &known.slots, findings);
    }
    let timeout = own.integer("timeout_ms", 50..=30_000, findings).map_or(3_000, |timeout| timeout.value);
    let text = optional(&mut own, "text", known, findings);
    let fields = read_fields(&mut own, findings);
    let question = Question {
        service: service.as_ref().map(|service| service.value.clone()).unwrap_or_default(),
        url: url.value,
        body: body.into_iter().map(|name| name.value).collect(),
        fields,
        timeout: Duration::from_millis(timeout.unsigned_abs()),
        text,
    };
    let service = service?;
    if !known.names.services.contains_key(&ServiceId::from(service.value.as_str())) {
        let hint = suggest(&service.value, known.names.services.keys().map(|service| service.as_str()))
            .unwrap_or_else(|| "write [[service]] in the configuration".to_owned());
        findings.error(service.span, format!("{}: there is no service '{}'", own.what, service.value), hint);
    }
    own.finish(findings);
    Some(question)
}

fn check_url(what: &str, url: &At<String>, known: &Known<'_>, findings: &mut Findings<'_>) {
    match http::parts(&url.value) {
        Ok(parts) => {
            for part in parts {
                if let http::Part::Value(name, _) = part
                    && !known.slots.iter().any(|slot| slot == name)
                {
                    let place = At { value: name.to_owned(), span: url.span.clone() };
                    unknown(what, "slot", &place, &known.slots, findings);
                }
            }
        }
        Err((_, fault)) => findings.error(url.span.clone(), format!("{what}: url: {fault}"), None),
    }
}

/// `fields = { state = "state", day = { path = "delivery.day", default = "" } }`.
fn read_fields(table: &mut Table<'_>, findings: &mut Findings<'_>) -> BTreeMap<String, (String, String)> {
    let mut fields = BTreeMap::new();
    let what = table.what.clone();
    for (name, value) in table.table("fields", findings).iter().flat_map(Table::all) {
        let field = match value_of(value.get_ref()) {
            Some(Value::Text(path)) => Some((path, String::new())),
            Some(Value::Map(entry)) => {
                let text = |key: &str| entry.get(key).and_then(Value::as_text).map(str::to_owned);
                text("path").map(|path| (path, text("default").unwrap_or_default()))
            }
            _ => None,
        };
        match field {
            Some(field) => {
                fields.insert(name.value.to_owned(), field);
            }
            None => {
                let hint = "write state = \"state\", or { path = \"order.state\", default = \"unknown\" }".to_owned();
                findings.error(value.span(), format!("{what}: field '{}' has no path", name.value), hint);
            }
        }
    }
    fields
}

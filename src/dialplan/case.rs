//! `[[test]]`: the test cases that stand in a plan file. Their form is checked when the file is loaded; `relais test`
//! runs them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::driver::{Course, Minds, Scenario, drive, queue_outcome, transfer_outcome};
use super::plan::{Plan, Plans};
use super::reader::{At, Table, type_of, value_of};
use crate::bridge::Digit;
use crate::caller::CallerFacts;
use crate::findings::{Findings, suggest};
use crate::ids::{Language, PlanId, TrunkId};
use crate::ivr::{Pattern, QueueFigures, QueueOutcome, TransferOutcome, Value};
use crate::time::Wall;

const CALL: [&str; 4] = ["from", "language", "to", "trunk"];

/// What a test may expect.
pub(super) const EXPECTATIONS: [&str; 11] =
    ["heard", "language", "level", "module", "outcome", "path", "plan", "queue", "status", "target", "variables"];

pub(super) const OUTCOMES: [&str; 8] =
    ["abandoned", "callback", "deterred", "failed", "handled", "overflowed", "self_service", "voicemail"];

/// When a test that names no time happens: a Wednesday, eleven o'clock in Paris.
const USUAL_TIME: &str = "2026-11-25T11:00:00+01:00";

/// One `[[test]]`.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    from: String,
    to: String,
    trunk: Option<TrunkId>,
    language: Option<Language>,
    at: Wall,
    digits: String,
    say: Vec<String>,
    lookups: BTreeMap<String, Value>,
    caller: CallerFacts,
    headers: BTreeMap<String, String>,
    queues: BTreeMap<String, QueueOutcome>,
    figures: BTreeMap<String, QueueFigures>,
    transfers: BTreeMap<String, TransferOutcome>,
    expect: Vec<Expectation>,
}

#[derive(Clone, Debug)]
struct Expectation {
    what: String,
    wanted: Value,
    line: usize,
}

/// An expectation that was not met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Miss {
    pub line: usize,
    pub what: String,
    pub expected: String,
    pub got: String,
}

impl Case {
    /// The call that it imagines. `trunk` is the one that would bring it, unless the test names another.
    pub fn scenario(&self, centre: &Language, trunk: Option<TrunkId>) -> Scenario {
        Scenario {
            trunk: self.trunk.clone().or(trunk),
            digits: self.digits.clone(),
            say: self.say.clone(),
            lookups: self.lookups.clone(),
            caller: self.caller.clone(),
            headers: self.headers.clone(),
            queues: self.queues.clone(),
            figures: self.figures.clone(),
            transfers: self.transfers.clone(),
            ..Scenario::new(&self.from, &self.to, self.language.clone().unwrap_or_else(|| centre.clone()), self.at)
        }
    }

    /// The number that it dials.
    pub fn dials(&self) -> &str {
        &self.to
    }

    /// Plays the test; the course, and what was otherwise than expected.
    pub fn run(&self, plans: &Plans, plan: &PlanId, scenario: &Scenario, minds: &dyn Minds) -> (Course, Vec<Miss>) {
        let course = drive(plans, plan, scenario, minds);
        let misses = self.expect.iter().filter_map(|expectation| expectation.check(&course)).collect();
        (course, misses)
    }
}

impl Expectation {
    fn check(&self, course: &Course) -> Option<Miss> {
        if self.what == "variables" {
            return self.check_variables(course);
        }
        let got = actual(&self.what, course);
        let met = match self.what.as_str() {
            "heard" => in_order(&self.wanted, &course.heard),
            _ => self.wanted == got,
        };
        (!met).then(|| self.miss(&self.what, shown(&self.wanted), shown(&got)))
    }

    fn check_variables(&self, course: &Course) -> Option<Miss> {
        let Value::Map(wanted) = &self.wanted else { return None };
        wanted.iter().find_map(|(name, wanted)| {
            let got = course.run.variable(name);
            let miss = || self.miss(name, shown(wanted), got.map_or("nothing".to_owned(), shown));
            (got != Some(wanted)).then(miss)
        })
    }

    fn miss(&self, what: &str, expected: String, got: String) -> Miss {
        Miss { line: self.line, what: what.to_owned(), expected, got }
    }
}

fn actual(what: &str, course: &Course) -> Value {
    let last = course.run.path().last();
    let list = |items: Vec<&str>| Value::List(items.into_iter().map(Value::from).collect());
    match what {
        "heard" => list(course.heard.iter().map(String::as_str).collect()),
        "language" => course.run.language().as_str().into(),
        "level" => last.map_or("", |step| &step.level).into(),
        "module" => last.map_or("", |step| &step.module).into(),
        "outcome" => course.outcome().name().into(),
        "path" => list(course.levels()),
        "plan" => course.run.plan().as_str().into(),
        "queue" => course.queue.as_ref().map_or("", |queue| queue.as_str()).into(),
        "status" => Value::Integer(course.status().into()),
        "target" => course.target.as_deref().unwrap_or("").into(),
        _ => Value::from(""),
    }
}

/// Whether the prompts wanted were heard in this order, maybe with others in between.
fn in_order(wanted: &Value, heard: &[String]) -> bool {
    let wanted: Vec<&str> = match wanted {
        Value::List(items) => items.iter().filter_map(Value::as_text).collect(),
        value => value.as_text().into_iter().collect(),
    };
    let mut rest = heard.iter();
    wanted.iter().all(|wanted| rest.any(|heard| heard == wanted))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) if text.is_empty() => "none".to_owned(),
        Value::Text(text) => format!("'{text}'"),
        value => value.to_string(),
    }
}

pub(super) fn read_cases(plan: &mut Table<'_>, numbers: &[Pattern], findings: &mut Findings<'_>) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for table in plan.tables("test", findings) {
        let span = table.span.clone();
        let case = read_case(table, numbers, findings);
        if !case.name.is_empty() && cases.iter().any(|other| other.name == case.name) {
            findings.error(span, format!("there are two tests '{}'", case.name), None);
        }
        cases.push(case);
    }
    cases
}

fn read_case(mut table: Table<'_>, numbers: &[Pattern], findings: &mut Findings<'_>) -> Case {
    table.what = "test".to_owned();
    let name = table.required_text("name", findings).map(|name| name.value).unwrap_or_default();
    table.what = format!("test '{name}'");
    let call = read_words(&mut table, "call", &CALL, findings);
    let (queues, figures) = read_queues(&mut table, findings);
    let word = |key: &str| call.get(key).and_then(Value::as_text).map(str::to_owned);
    let case = Case {
        line: findings.position(table.span.start).0,
        file: findings.source.path.clone(),
        from: word("from").unwrap_or_default(),
        to: word("to").or_else(|| numbers.first().map(Pattern::example)).unwrap_or_default(),
        trunk: word("trunk").map(TrunkId::from),
        language: word("language").map(Language::from),
        at: read_time(&mut table, findings),
        digits: read_digits(&mut table, findings),
        say: table.texts("say", findings).into_iter().flat_map(|texts| texts.value).map(|text| text.value).collect(),
        lookups: read_lookups(&mut table, findings),
        caller: read_caller(&mut table, findings),
        headers: read_headers(&mut table, findings),
        queues,
        figures,
        transfers: read_outcomes(&mut table, "transfers", &TRANSFER_WORDS, transfer_outcome, findings),
        expect: read_expectations(&mut table, findings),
        name,
    };
    table.finish(findings);
    case
}

const QUEUE_WORDS: [&str; 5] = ["answered", "full", "left:0", "timed_out", "too_long"];
const TRANSFER_WORDS: [&str; 5] = ["answered", "busy", "declined", "no_answer", "unreachable"];

fn read_time(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Wall {
    let usual = USUAL_TIME.parse().unwrap_or_default();
    let Some(at) = table.text("at", findings) else { return usual };
    at.value.parse().unwrap_or_else(|_| {
        let hint = format!("write it as \"{USUAL_TIME}\"");
        findings.error(at.span, format!("{}: at is not a time", table.what), hint);
        usual
    })
}

fn read_digits(table: &mut Table<'_>, findings: &mut Findings<'_>) -> String {
    let Some(digits) = table.text("digits", findings) else { return String::new() };
    if let Some(bad) = digits.value.chars().find(|c| *c != ' ' && Digit::new(*c).is_none()) {
        let message = format!("{}: digits has '{bad}', which is no key of a telephone", table.what);
        findings.error(digits.span, message, "use 0-9, *, #, and a space for a pause".to_owned());
    }
    digits.value
}

fn read_lookups(table: &mut Table<'_>, findings: &mut Findings<'_>) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let what = table.what.clone();
    for (key, value) in table.table("lookups", findings).iter().flat_map(Table::all) {
        match value_of(value.get_ref()) {
            Some(value) => {
                found.insert(key.value.to_owned(), value);
            }
            None => {
                let message = format!("{what}: lookup {} is {}", key.value, type_of(value.get_ref()));
                findings.error(value.span(), message, None);
            }
        }
    }
    found
}

/// What history says of the caller, by the names that conditions use.
fn read_caller(table: &mut Table<'_>, findings: &mut Findings<'_>) -> CallerFacts {
    let what = table.what.clone();
    let mut facts = serde_json::to_value(CallerFacts::default()).unwrap_or_default();
    for (key, value) in table.table("caller", findings).iter().flat_map(Table::all) {
        let given = value_of(value.get_ref()).and_then(|value| serde_json::to_value(value).ok());
        let known: Vec<&str> = facts.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        let fault = match facts.get(key.value) {
            None => Some((format!("there is no caller.{}", key.value), suggest(key.value, known))),
            Some(default) if given.as_ref().is_some_and(|given| same_type(given, default)) => None,
            Some(_) => Some((format!("caller.{} cannot be {}", key.value, type_of(value.get_ref())), None)),
        };
        match (fault, given, facts.get_mut(key.value)) {
            (None, Some(given), Some(place)) => *place = given,
            (Some((message, hint)), ..) => findings.error(key.span, format!("{what}: {message}"), hint),
            _ => {}
        }
    }
    serde_json::from_value(facts).unwrap_or_default()
}

fn same_type(one: &serde_json::Value, other: &serde_json::Value) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

/// Headers of the INVITE.
fn read_headers(table: &mut Table<'_>, findings: &mut Findings<'_>) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    let what = table.what.clone();
    for (name, value) in table.table("headers", findings).iter().flat_map(Table::all) {
        match value.get_ref().as_str() {
            Some(text) => {
                headers.insert(name.value.to_owned(), text.to_owned());
            }
            None => {
                let message = format!("{what}: header {} is {}", name.value, type_of(value.get_ref()));
                findings.error(value.span(), message, None);
            }
        }
    }
    headers
}

type Queues = (BTreeMap<String, QueueOutcome>, BTreeMap<String, QueueFigures>);

/// What becomes of callers in each queue, as a word; or a table that says how the queue stands besides.
fn read_queues(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Queues {
    let (mut outcomes, mut figures) = Queues::default();
    let what = table.what.clone();
    for (name, value) in table.table("queues", findings).iter().flat_map(Table::all) {
        let mut word = value.get_ref().as_str().map(|word| At { value: word.to_owned(), span: value.span() });
        if word.is_none() {
            let Some(mut standing) = Table::of(&format!("{what}: queue"), value, findings) else { continue };
            word = standing.text("result", findings);
            figures.insert(name.value.to_owned(), read_figures(&mut standing, findings));
            standing.finish(findings);
        }
        let Some(word) = word else { continue };
        match queue_outcome(&word.value) {
            Some(outcome) => {
                outcomes.insert(name.value.to_owned(), outcome);
            }
            None => {
                let message = format!("{what}: queues: '{}' becomes of nobody", word.value);
                findings.error(word.span, message, suggest(&word.value, QUEUE_WORDS));
            }
        }
    }
    (outcomes, figures)
}

fn read_figures(standing: &mut Table<'_>, findings: &mut Findings<'_>) -> QueueFigures {
    let usual = |standing: &Table<'_>, key: &str| u64::from(!standing.has(key));
    let (available, logged_in) = (usual(standing, "agents_available"), usual(standing, "agents_logged_in"));
    let mut count = |key| count_of(standing, key, findings);
    let figures = QueueFigures {
        waiting: count("waiting"),
        longest_wait_s: count("longest_wait_s"),
        agents_available: count("agents_available").max(available),
        agents_logged_in: count("agents_logged_in").max(logged_in),
        estimate_s: None,
        service_level: None,
    };
    let (timed, rated) = (standing.has("ewt_s"), standing.has("service_level_percent"));
    let estimate = count_of(standing, "ewt_s", findings);
    let percent = count_of(standing, "service_level_percent", findings);
    QueueFigures {
        estimate_s: timed.then_some((estimate, estimate)),
        service_level: rated.then_some(percent as f64 / 100.0),
        ..figures
    }
}

fn count_of(standing: &mut Table<'_>, key: &'static str, findings: &mut Findings<'_>) -> u64 {
    standing.integer(key, 0..=i64::from(u32::MAX), findings).map_or(0, |number| number.value.unsigned_abs())
}

/// A table from names to words that say what becomes of a caller.
fn read_outcomes<T>(
    table: &mut Table<'_>,
    key: &'static str,
    words: &[&str],
    read: impl Fn(&str) -> Option<T>,
    findings: &mut Findings<'_>,
) -> BTreeMap<String, T> {
    let mut found = BTreeMap::new();
    let what = table.what.clone();
    for (name, value) in table.table(key, findings).iter().flat_map(Table::all) {
        let word = value.get_ref().as_str().unwrap_or_default();
        match read(word) {
            Some(outcome) => {
                found.insert(name.value.to_owned(), outcome);
            }
            None => {
                let message = format!("{what}: {key}: '{word}' becomes of nobody");
                let hint = suggest(word, words.iter().copied());
                findings.error(value.span(), message, hint);
            }
        }
    }
    found
}

fn read_expectations(table: &mut Table<'_>, findings: &mut Findings<'_>) -> Vec<Expectation> {
    if !table.has("expect") {
        table.value("expect");
        table.missing("expect", findings);
        return Vec::new();
    }
    let what = table.what.clone();
    let mut expectations = Vec::new();
    for (key, value) in table.table("expect", findings).iter().flat_map(Table::all) {
        let line = findings.position(key.span.start).0;
        if !EXPECTATIONS.contains(&key.value) {
            let hint = suggest(key.value, EXPECTATIONS);
            findings.error(key.span, format!("{what}: expect has no '{}'", key.value), hint);
            continue;
        }
        let wanted = value_of(value.get_ref());
        let form = form_of(key.value);
        match wanted.filter(|wanted| form.fits(wanted)) {
            Some(wanted) => expectations.push(Expectation { what: key.value.to_owned(), wanted, line }),
            None => {
                let found = type_of(value.get_ref());
                let message = format!("{what}: expect: {} is {found}; it is to be {}", key.value, form.describe());
                findings.error(value.span(), message, None);
            }
        }
    }
    if let Some(outcome) = expectations.iter().find(|expectation| expectation.what == "outcome")
        && let Some(word) = outcome.wanted.as_text().filter(|word| !OUTCOMES.contains(word))
    {
        findings.error(table.span.clone(), format!("{what}: there is no outcome '{word}'"), suggest(word, OUTCOMES));
    }
    expectations
}

/// What an expectation looks like.
enum Form {
    Text,
    Texts,
    Number,
    Values,
}

fn form_of(what: &str) -> Form {
    match what {
        "heard" | "path" => Form::Texts,
        "status" => Form::Number,
        "variables" => Form::Values,
        _ => Form::Text,
    }
}

impl Form {
    fn fits(&self, value: &Value) -> bool {
        match (self, value) {
            (Form::Text, Value::Text(_)) | (Form::Number, Value::Integer(_)) | (Form::Values, Value::Map(_)) => true,
            (Form::Texts, Value::List(items)) => items.iter().all(|item| item.as_text().is_some()),
            _ => false,
        }
    }

    fn describe(&self) -> &'static str {
        match self {
            Form::Text => "a text",
            Form::Texts => "a list of texts",
            Form::Number => "a whole number",
            Form::Values => "a table of variables and their values",
        }
    }
}

/// A table whose keys are known and whose values are texts.
fn read_words(
    case: &mut Table<'_>,
    key: &'static str,
    known: &[&'static str],
    findings: &mut Findings<'_>,
) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let what = case.what.clone();
    for (word, value) in case.table(key, findings).iter().flat_map(Table::all) {
        if !known.contains(&word.value) {
            let hint = suggest(word.value, known.iter().copied());
            findings.error(word.span, format!("{what}: {key} has no '{}'", word.value), hint);
        }
        match value_of(value.get_ref()).filter(|value| value.as_text().is_some()) {
            Some(value) => {
                found.insert(word.value.to_owned(), value);
            }
            None => {
                let message =
                    format!("{what}: {key}: {} is {}; it is to be a text", word.value, type_of(value.get_ref()));
                findings.error(value.span(), message, None);
            }
        }
    }
    found
}

impl Plan {
    /// The tests that stand in its file.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }
}

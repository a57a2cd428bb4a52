//! What modules are given: values, and the names they may refer to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use super::comforts::comforts;
use super::spec::{Module, Need};
use crate::bridge::Digit;
use crate::callbot::bot::Bot;
use crate::caller::{NumberList, Numbering};
use crate::comfort::Comfort;
use crate::demand::Widening;
use crate::ids::{AgentId, ExpertId, Language, QueueId, ServiceId, Skill};
use crate::spoken::Table;

/// A value of a plan: an input, an output or a variable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    Flag(bool),
    Integer(i64),
    Double(f64),
    Text(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
}

impl Value {
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The type, in words.
    pub fn describe(&self) -> &'static str {
        match self {
            Value::Flag(_) => "true or false",
            Value::Integer(_) => "a whole number",
            Value::Double(_) => "a number with decimals",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a table",
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Flag(flag) => flag.fmt(f),
            Value::Integer(integer) => integer.fmt(f),
            Value::Double(double) => double.fmt(f),
            Value::Text(text) => f.write_str(text),
            Value::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    item.fmt(f)?;
                }
                f.write_str("]")
            }
            Value::Map(entries) => {
                f.write_str("{")?;
                for (i, (key, item)) in entries.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{key} = {item}")?;
                }
                f.write_str("}")
            }
        }
    }
}

/// Required skills with the least level of each: `["billing"]`, at any level, or `{ billing = 3 }`. `None` where it is
/// neither.
pub fn skills(value: &Value) -> Option<BTreeMap<Skill, u8>> {
    match value {
        Value::List(items) => items.iter().map(|item| Some((Skill::from(item.as_text()?), 1))).collect(),
        Value::Map(entries) => entries
            .iter()
            .map(|(skill, level)| match level {
                Value::Integer(level @ 1..=5) => Some((Skill::from(skill.as_str()), u8::try_from(*level).ok()?)),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

/// A rule of widening has so many steps at most.
const MOST_WIDENINGS: usize = 10;
/// The longest wait after which one is taken.
const LATEST_WIDENING_S: i64 = 86_400;

/// `[{ after_s = 30, level = 2 }, { after_s = 60, level = 0 }]`: each step comes later and asks for less. Else what is
/// wrong.
pub fn widenings(value: &Value) -> Result<Vec<Widening>, String> {
    let Value::List(items) = value else { return Err(format!("is {}; it is to be a list", value.describe())) };
    if items.len() > MOST_WIDENINGS {
        return Err(format!("has {} steps; {MOST_WIDENINGS} are the most", items.len()));
    }
    let steps: Vec<Widening> = items.iter().map(widening).collect::<Result<_, _>>()?;
    for pair in steps.windows(2) {
        if let [earlier, later] = pair
            && (earlier.after >= later.after || earlier.level <= later.level)
        {
            let said = |step: &Widening| format!("after {} s level {}", step.after.as_secs(), step.level);
            return Err(format!(
                "has '{}' before '{}'; each step comes later and asks for less",
                said(earlier),
                said(later)
            ));
        }
    }
    Ok(steps)
}

fn widening(item: &Value) -> Result<Widening, String> {
    let Value::Map(step) = item else { return Err(format!("has {} as a step; write {WIDENING}", item.describe())) };
    if let Some(other) = step.keys().find(|key| !matches!(key.as_str(), "after_s" | "level")) {
        return Err(format!("has a step with '{other}'; write {WIDENING}"));
    }
    let within = |key: &str, highest: i64| match step.get(key) {
        Some(Value::Integer(integer)) if (0..=highest).contains(integer) => Ok(integer.unsigned_abs()),
        Some(_) => Err(format!("has a step whose {key} is no whole number from 0 to {highest}")),
        None => Err(format!("has a step without {key}; write {WIDENING}")),
    };
    let (after, level) = (within("after_s", LATEST_WIDENING_S)?, within("level", 5)?);
    Ok(Widening { after: Duration::from_secs(after), level: u8::try_from(level).unwrap_or(0) })
}

const WIDENING: &str = "{ after_s = 30, level = 2 }, with level 0 for whoever is in the queue";

/// The names a plan may refer to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Names {
    pub default_language: Option<Language>,
    pub queues: BTreeSet<QueueId>,
    /// The agents of each queue, with what each is good at and the level.
    pub members: BTreeMap<QueueId, BTreeMap<AgentId, BTreeMap<Skill, u8>>>,
    /// How long agents are rung for each queue before the next one is.
    #[serde(default)]
    pub ring_timeouts: BTreeMap<QueueId, Duration>,
    pub calendars: BTreeMap<String, Calendar>,
    pub agents: BTreeSet<AgentId>,
    /// What agents are good at.
    pub skills: BTreeSet<Skill>,
    /// Experts with their SIP addresses: never a target.
    pub experts: BTreeMap<ExpertId, String>,
    /// How the numbers begin that some trunk offers to plans.
    pub allowed: Vec<String>,
    /// The prompts there are, per language.
    pub prompts: BTreeMap<Language, BTreeSet<String>>,
    /// How values are said, per language that has a table.
    pub spoken: BTreeMap<Language, Table>,
    /// HTTP services, and whether a plan may name whole URLs for them.
    pub services: BTreeMap<ServiceId, bool>,
    /// Bots, by their names, without the examples that they have learnt.
    #[serde(default)]
    pub bots: BTreeMap<String, Arc<Bot>>,
    /// Lists of numbers to deny or allow.
    pub lists: BTreeMap<String, NumberList>,
    pub numbering: Numbering,
    /// The centre's own time zone, an IANA name.
    pub time_zone: String,
}

impl Names {
    /// How values are said in a language; one without a table of its own takes that of the default language.
    pub fn spoken(&self, language: &Language) -> Option<&Table> {
        self.spoken.get(language).or_else(|| self.spoken.get(self.default_language.as_ref()?))
    }
}

/// The checked inputs of one rule; the module's declared defaults stand behind them.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    pub module: Module,
    pub values: BTreeMap<String, Value>,
}

impl Inputs {
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// The text given, or the declared default.
    pub fn text(&self, name: &str) -> Option<&str> {
        match (self.get(name), self.need(name)) {
            (Some(Value::Text(text)), _) => Some(text),
            (_, Some(Need::Text(default))) => Some(default),
            _ => None,
        }
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        match (self.get(name), self.need(name)) {
            (Some(Value::Flag(flag)), _) => Some(*flag),
            (_, Some(Need::Flag(default))) => Some(default),
            _ => None,
        }
    }

    pub fn integer(&self, name: &str) -> Option<i64> {
        match (self.get(name), self.need(name)) {
            (Some(Value::Integer(integer)), _) => Some(*integer),
            (_, Some(Need::Integer(default))) => Some(default),
            _ => None,
        }
    }

    pub fn count(&self, name: &str) -> usize {
        self.integer(name).and_then(|integer| usize::try_from(integer).ok()).unwrap_or(0)
    }

    pub fn millis(&self, name: &str) -> Option<Duration> {
        self.integer(name).and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis)
    }

    pub fn seconds(&self, name: &str) -> Option<Duration> {
        self.integer(name).and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs)
    }

    /// One name or a list of names.
    pub fn prompts(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Some(Value::List(items)) => items.iter().filter_map(Value::as_text).map(str::to_owned).collect(),
            _ => self.text(name).map(str::to_owned).into_iter().collect(),
        }
    }

    /// Skills with the least level of each.
    pub fn skills(&self, name: &str) -> BTreeMap<Skill, u8> {
        self.get(name).and_then(skills).unwrap_or_default()
    }

    /// Steps at which less is asked for; `None` where nothing is given.
    pub fn widenings(&self, name: &str) -> Option<Vec<Widening>> {
        self.get(name).and_then(|value| widenings(value).ok())
    }

    /// What is said to one who waits; `None` where nothing is given.
    pub fn comforts(&self, name: &str) -> Option<Vec<Comfort>> {
        self.get(name).and_then(|value| comforts(value).ok())
    }

    pub fn keys(&self, name: &str) -> Vec<Digit> {
        self.text(name).unwrap_or("").chars().filter_map(Digit::new).collect()
    }

    fn need(&self, name: &str) -> Option<Need> {
        self.module.spec().input(name).map(|input| input.need)
    }
}

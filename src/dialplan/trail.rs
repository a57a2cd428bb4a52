//! What a run notes of its decisions: little enough to be noted for every condition of every call. `Trail::told` makes
//! the readable trace of it, with the texts of the plans.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::condition::Scope;
use super::plan::{Level, Plans, Seen};
use crate::ids::PlanId;
use crate::ivr::Value;
use crate::time::Wall;
use crate::trace::{LevelTrace, PRIVATE, RuleTrace, Trace, Verdict};

/// Bounds of a trail. A call that goes round in circles is told from its beginning.
const MOST_LEVELS: usize = 300;
const MOST_RULES: usize = 2_000;
/// Bounds of one value: what a caller sends may be long.
const LONGEST_TEXT: usize = 200;
const MOST_ITEMS: usize = 20;
const DEEPEST: usize = 4;
/// Bytes of conditions and values in a trace, about; what is false beyond them is only counted.
const MOST_TEXT: usize = 128 << 10;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Trail {
    visits: Vec<Visit>,
    /// Rules noted so far.
    rules: usize,
    omitted: u64,
    /// The last level that was come to found no room.
    full: bool,
}

/// One level that was come to.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Visit {
    plan: PlanId,
    level: usize,
    at: Wall,
    /// Of the rules in order, as far as they were looked at.
    verdicts: Vec<Verdict>,
    errors: Vec<(usize, String)>,
    /// What the names stood for, in the order of `Level::seen`.
    values: Vec<Option<Value>>,
    taken: Option<usize>,
    inputs: BTreeMap<String, Value>,
    outputs: BTreeMap<String, Value>,
    result: Option<String>,
}

impl Trail {
    /// A level is come to. Then note each rule, and what the names stood for.
    pub fn come_to(&mut self, plan: &PlanId, level: usize, at: Wall) {
        self.full = self.visits.len() >= MOST_LEVELS || self.rules >= MOST_RULES;
        if self.full {
            self.omitted += 1;
            return;
        }
        self.visits.push(Visit {
            plan: plan.clone(),
            level,
            at,
            verdicts: Vec::new(),
            errors: Vec::new(),
            values: Vec::new(),
            taken: None,
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            result: None,
        });
    }

    fn here(&mut self) -> Option<&mut Visit> {
        if self.full { None } else { self.visits.last_mut() }
    }

    /// The next rule of the level was looked at. `true` when it is the one to be executed.
    pub fn note(&mut self, outcome: Result<bool, String>) -> bool {
        let holds = outcome == Ok(true);
        if self.full || self.rules >= MOST_RULES {
            self.omitted += 1;
        } else if let Some(visit) = self.visits.last_mut() {
            self.rules += 1;
            visit.verdicts.push(match &outcome {
                Ok(true) => Verdict::True,
                Ok(false) => Verdict::False,
                Err(_) => Verdict::Error,
            });
            if let Err(error) = outcome {
                visit.errors.push((visit.verdicts.len() - 1, clip_text(&error)));
            }
        }
        holds
    }

    /// Every rule that is to be looked at has been: what their conditions saw.
    pub fn looked(&mut self, level: &Level, taken: Option<usize>, scope: &Scope<'_>) {
        let Some(visit) = self.here() else { return };
        visit.taken = taken;
        let tried = visit.verdicts.len();
        let seen = level.seen.iter().take_while(|seen| seen.first_rule < tried);
        visit.values = seen.map(|seen| scope.look(seen).map(|value| clip(value, 0))).collect();
    }

    pub fn given(&mut self, inputs: BTreeMap<String, Value>) {
        if let Some(visit) = self.here() {
            visit.inputs = inputs.into_iter().map(|(name, value)| (name, clip(value, 0))).collect();
        }
    }

    pub fn put_out(&mut self, variable: &str, value: &Value) {
        if let Some(visit) = self.here() {
            visit.outputs.insert(variable.to_owned(), clip(value.clone(), 0));
        }
    }

    pub fn result(&mut self, result: &str) {
        if let Some(visit) = self.here() {
            visit.result = Some(clip_text(result));
        }
    }

    /// With the texts of the plans that the run went by.
    pub fn told(&self, plans: &Plans) -> Trace {
        let mut trace = Trace { levels: Vec::with_capacity(self.visits.len()), omitted: self.omitted };
        let mut room = MOST_TEXT;
        for visit in &self.visits {
            let Some(level) = plans.get(&visit.plan).and_then(|plan| plan.levels.get(visit.level)) else { continue };
            let mut rules = Vec::with_capacity(visit.verdicts.len());
            for (index, verdict) in visit.verdicts.iter().enumerate() {
                match visit.rule(level, index, *verdict, &mut room) {
                    Some(rule) => rules.push(rule),
                    None => trace.omitted += 1,
                }
            }
            trace.levels.push(visit.told(level, rules));
        }
        trace
    }
}

impl Visit {
    fn rule(&self, level: &Level, index: usize, verdict: Verdict, room: &mut usize) -> Option<RuleTrace> {
        let rule = level.rules.get(index)?;
        let when = rule.when.as_ref().map(|when| when.text());
        let size = when.map_or(0, str::len);
        if *room < size && verdict != Verdict::True {
            return None;
        }
        *room = room.saturating_sub(size + LONGEST_TEXT / 4);
        let names = rule.when.as_ref().map(|when| when.seen()).unwrap_or_default();
        let values = names.iter().filter_map(|name| {
            let at = level.seen.iter().position(|seen| seen.name == *name)?;
            Some((name.clone(), self.values.get(at)?.as_ref().map_or(serde_json::Value::Null, json)))
        });
        Some(RuleTrace {
            rule: index + 1,
            module: rule.module.spec().name.to_owned(),
            when: when.map(str::to_owned),
            verdict,
            error: self.errors.iter().find(|(at, _)| *at == index).map(|(_, error)| error.clone()),
            values: values.collect(),
        })
    }

    fn told(&self, level: &Level, rules: Vec<RuleTrace>) -> LevelTrace {
        let taken = self.taken.and_then(|taken| level.rules.get(taken));
        let to_json = |values: &BTreeMap<String, Value>| {
            values.iter().map(|(name, value)| (name.clone(), json(value))).collect::<BTreeMap<_, _>>()
        };
        LevelTrace {
            plan: self.plan.as_str().to_owned(),
            level: level.name.clone(),
            at: self.at,
            rules,
            taken: self.taken.map(|taken| taken + 1),
            module: taken.map(|rule| rule.module.spec().name.to_owned()),
            inputs: to_json(&self.inputs),
            outputs: to_json(&self.outputs),
            result: self.result.clone(),
        }
    }
}

/// What the caller typed is replaced before it is noted.
pub(super) fn private() -> Value {
    Value::from(PRIVATE)
}

fn json(value: &Value) -> serde_json::Value {
    // These types have no value that JSON cannot write.
    serde_json::to_value(value).unwrap_or_default()
}

fn clip(value: Value, depth: usize) -> Value {
    match value {
        Value::Text(text) if text.len() > LONGEST_TEXT => Value::Text(clip_text(&text)),
        Value::List(_) | Value::Map(_) if depth >= DEEPEST => Value::from("…"),
        Value::List(items) => {
            Value::List(items.into_iter().take(MOST_ITEMS).map(|item| clip(item, depth + 1)).collect())
        }
        Value::Map(entries) => {
            let entries = entries.into_iter().take(MOST_ITEMS);
            Value::Map(entries.map(|(key, item)| (clip_text(&key), clip(item, depth + 1))).collect())
        }
        value => value,
    }
}

fn clip_text(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The names of a level's conditions, each once, in the order in which its rules look at them.
pub(super) fn names_of(rules: &[super::plan::Rule]) -> Vec<Seen> {
    let mut found: Vec<Seen> = Vec::new();
    for (first_rule, rule) in rules.iter().enumerate() {
        for name in rule.when.iter().flat_map(|when| when.seen()) {
            if found.iter().all(|seen| seen.name != *name) {
                found.push(Seen { name: name.clone(), first_rule });
            }
        }
    }
    found
}

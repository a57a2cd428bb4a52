//! What a run notes of its decisions: little enough to be noted for every condition of every call. `Trail::told` makes
//! the readable trace of it, with the texts of the plans.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::expression::Expression;
use super::operand::Fault;
use super::plan::{Level, Plans, Rule, Seen};
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
    /// A level is come to. Gives its place, for what is noted of it; `None` where there is no room.
    pub fn come_to(&mut self, plan: &PlanId, level: usize, at: Wall) -> Option<usize> {
        if self.visits.len() >= MOST_LEVELS || self.rules >= MOST_RULES {
            self.omitted += 1;
            return None;
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
        Some(self.visits.len() - 1)
    }

    fn at(&mut self, visit: Option<usize>) -> Option<&mut Visit> {
        self.visits.get_mut(visit?)
    }

    /// The next rule of the level was looked at. `true` when it is the one to be executed.
    pub fn note(&mut self, visit: Option<usize>, outcome: Result<bool, Fault>) -> bool {
        let holds = outcome == Ok(true);
        let room = self.rules < MOST_RULES;
        let Some(visit) = self.at(visit).filter(|_| room) else {
            self.omitted += 1;
            return holds;
        };
        visit.verdicts.push(match &outcome {
            Ok(true) => Verdict::True,
            Ok(false) => Verdict::False,
            Err(_) => Verdict::Error,
        });
        if let Err(fault) = outcome {
            visit.errors.push((visit.verdicts.len() - 1, clip_text(&fault.to_string())));
        }
        self.rules += 1;
        holds
    }

    /// Every rule that is to be looked at has been: which was taken, and what their conditions saw.
    pub fn looked(
        &mut self,
        visit: Option<usize>,
        taken: Option<usize>,
        seen: &[Seen],
        look: impl Fn(&Expression) -> Option<Value>,
    ) {
        let Some(visit) = self.at(visit) else { return };
        visit.taken = taken;
        let tried = visit.verdicts.len();
        let seen = seen.iter().take_while(|seen| seen.first_rule < tried);
        visit.values = seen.map(|seen| look(&seen.name).map(|value| clip(value, 0))).collect();
    }

    pub fn given(&mut self, visit: Option<usize>, inputs: &BTreeMap<String, Value>, hidden: &BTreeSet<String>) {
        let Some(visit) = self.at(visit) else { return };
        let shown = |name: &String, value: &Value| match hidden.contains(name) {
            true => private(),
            false => clip(value.clone(), 0),
        };
        visit.inputs = inputs.iter().map(|(name, value)| (name.clone(), shown(name, value))).collect();
    }

    pub fn put_out(&mut self, visit: Option<usize>, variable: &str, value: &Value) {
        if let Some(visit) = self.at(visit) {
            visit.outputs.insert(variable.to_owned(), clip(value.clone(), 0));
        }
    }

    pub fn result(&mut self, visit: Option<usize>, result: &str) {
        if let Some(visit) = self.at(visit) {
            visit.result = Some(clip_text(result));
        }
    }

    /// With the texts of the plans that the run went by.
    pub fn told(&self, plans: &Plans) -> Trace {
        let mut trace =
            Trace { levels: Vec::with_capacity(self.visits.len()), omitted: self.omitted, ..Trace::default() };
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
        let names = rule.when.iter().flat_map(|when| when.expression().names());
        let values = names.filter_map(|name| {
            let at = level.seen.iter().position(|seen| seen.name.text == name)?;
            Some((name.to_owned(), self.values.get(at)?.as_ref().map_or(serde_json::Value::Null, json)))
        });
        Some(RuleTrace {
            rule: index + 1,
            module: rule.callee.name().to_owned(),
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
            module: taken.map(|rule| rule.callee.name().to_owned()),
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

/// The names of conditions as expressions of their own, each compiled once.
#[derive(Default)]
pub(super) struct Vocabulary(BTreeMap<String, Option<Arc<Expression>>>);

impl Vocabulary {
    /// The names of a level's conditions, each once, in the order in which its rules look at them.
    pub fn seen(&mut self, rules: &[Rule]) -> Vec<Seen> {
        let mut found: Vec<Seen> = Vec::new();
        for (first_rule, rule) in rules.iter().enumerate() {
            for name in rule.when.iter().flat_map(|when| when.expression().names()) {
                if found.iter().any(|seen| seen.name.text == name) {
                    continue;
                }
                let compiled = match self.0.get(name) {
                    Some(known) => known.clone(),
                    None => {
                        let compiled = Expression::compile(name).ok().map(Arc::new);
                        self.0.insert(name.to_owned(), compiled.clone());
                        compiled
                    }
                };
                found.extend(compiled.map(|name| Seen { name, first_rule }));
            }
        }
        found
    }
}

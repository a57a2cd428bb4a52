//! The checked form of plan files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::case::Case;
use super::condition::{Computed, Condition};
use super::declared::Declared;
use super::expression::Expression;
use super::nested::{Nested, put};
use super::scope::Scope;
use crate::findings::{Finding, Source, has_errors};
use crate::ids::{Language, PlanId, QueueId};
use crate::ivr::{Module, Names, Pattern, Value};

/// Every plan of a configuration. Cheap to clone; serialised as its sources and compiled again when read.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Plans {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    sources: Vec<Source>,
    names: Names,
    plans: Vec<Plan>,
    warnings: Vec<Finding>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    sources: Vec<Source>,
    names: Names,
}

/// One plan file.
#[derive(Debug)]
pub struct Plan {
    pub id: PlanId,
    /// The file it stands in, as findings name it.
    pub file: String,
    pub numbers: Vec<Number>,
    pub language: Option<Language>,
    /// Whose clock `now` is.
    pub zone: Option<TimeZone>,
    /// Constants of the file, seen by conditions as `params.NAME`.
    pub params: BTreeMap<String, Value>,
    /// What a number or a calling rule gives, seen as `inputs.NAME`.
    pub inputs: BTreeMap<String, Declared>,
    /// What a calling rule gets: the variables of these names when the levels are exhausted.
    pub outputs: BTreeMap<String, Declared>,
    /// Variables with a declared default.
    pub variables: BTreeMap<String, Declared>,
    pub levels: Vec<Level>,
    /// Its levels can be exhausted; a plan that calls it goes on then.
    pub returns: bool,
    pub uses: Uses,
    pub(super) cases: Vec<Case>,
}

/// A number that reaches the plan, and the inputs it gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    pub pattern: Pattern,
    pub inputs: BTreeMap<String, Value>,
}

/// What a plan, or a plan it calls, asks to be told of a call before it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// `caller.…` or `call.attempt_today`: the caller's history.
    pub history: bool,
    /// How often the caller has called of late.
    pub earlier_calls: bool,
    /// `call.headers`.
    pub headers: bool,
}

/// What a rule runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Callee {
    Module(Module),
    /// A plan of one's own: its levels run, then the calling plan goes on.
    Plan(PlanId),
}

impl Callee {
    pub fn name(&self) -> &str {
        match self {
            Callee::Module(module) => module.spec().name,
            Callee::Plan(plan) => plan.as_str(),
        }
    }

    pub fn module(&self) -> Option<Module> {
        match self {
            Callee::Module(module) => Some(*module),
            Callee::Plan(_) => None,
        }
    }
}

#[derive(Debug)]
pub struct Level {
    pub name: String,
    /// Where it stands, counted from 1.
    pub line: usize,
    pub rules: Vec<Rule>,
    /// What is known of its rules before any call comes.
    pub ways: Ways,
    /// What the conditions of its rules look at, for the trace.
    pub(super) seen: Vec<Seen>,
}

/// What is known of a level before any call comes: by the words that its conditions compare with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// Some call can come to it.
    pub reached: bool,
    /// The rules that can run, by place, counted from 0.
    pub tried: BTreeSet<usize>,
    /// It can be that no rule runs.
    pub falls_through: bool,
}

/// A name in a condition: `open`, `call.from`, `queue('support').waiting`.
#[derive(Debug)]
pub(super) struct Seen {
    pub name: Arc<Expression>,
    /// The first rule that looks at it, counted from 0.
    pub first_rule: usize,
}

#[derive(Debug)]
pub struct Rule {
    /// Where it stands, counted from 1.
    pub line: usize,
    pub callee: Callee,
    pub when: Option<Condition>,
    /// Inputs as written, and those to be computed at run time.
    pub fixed: BTreeMap<String, Value>,
    pub computed: BTreeMap<String, Computed>,
    /// Values within inputs that are computed too.
    pub nested: Vec<Nested>,
    /// Output to variable.
    pub out: BTreeMap<String, String>,
}

impl Plan {
    /// The number of the plan that a dialled one is: of several that fit, the one with most fixed places, of those the
    /// first.
    pub fn number(&self, dialled: &str) -> Option<&Number> {
        let fits = self.numbers.iter().filter(|number| number.pattern.capture(dialled).is_some());
        fits.rev().max_by_key(|number| number.pattern.fixed_places())
    }

    /// The queue that callers come into by this plan, where it is always the same one.
    pub fn only_queue(&self) -> Option<QueueId> {
        let rules = self.levels.iter().flat_map(|level| &level.rules);
        let distributes = rules.filter(|rule| rule.callee.module() == Some(Module::Distribute));
        let mut queues = distributes.map(|rule| rule.fixed.get("queue").and_then(Value::as_text));
        let first = queues.next()??;
        queues.all(|queue| queue == Some(first)).then(|| QueueId::from(first))
    }
}

impl Rule {
    pub(super) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let when = self.when.iter().map(Condition::expression);
        let nested = self.nested.iter().map(|nested| nested.computed.expression());
        when.chain(self.computed.values().map(Computed::expression)).chain(nested)
    }

    /// The inputs with the computed ones worked out. One that cannot be, or is not of its kind, is left out, so that its
    /// default stands.
    pub(super) fn inputs(&self, scope: &Scope<'_>) -> BTreeMap<String, Value> {
        let mut values = self.fixed.clone();
        for (name, computed) in &self.computed {
            let kind = self.callee.module().and_then(|module| module.spec().input(name)).map(|input| input.kind);
            let value = computed.value(scope);
            if let Some(value) = value.filter(|value| kind.is_none_or(|kind| kind.fits(value))) {
                values.insert(name.clone(), value);
            }
        }
        for nested in &self.nested {
            if let Some(value) = nested.computed.value(scope) {
                put(&mut values, &nested.path, value);
            }
        }
        values
    }
}

impl Plans {
    /// Reads and checks plan files: every finding of every file, or the plans. Warnings do not refuse.
    pub fn load(sources: Vec<Source>, names: Names) -> Result<Plans, Vec<Finding>> {
        let (plans, findings) = super::load::load(&sources, &names);
        if has_errors(&findings) {
            return Err(findings);
        }
        Ok(Plans { inner: Arc::new(Inner { sources, names, plans, warnings: findings }) })
    }

    /// The plan of a number among those offered (all where none are named): of several that fit, the one whose
    /// pattern has most fixed places; of those the first.
    pub fn find(&self, number: &str, offered: &[PlanId]) -> Option<PlanId> {
        let mut best: Option<(usize, &Plan)> = None;
        for plan in self.inner.plans.iter().filter(|plan| offered.is_empty() || offered.contains(&plan.id)) {
            if let Some(taken) = plan.number(number)
                && best.is_none_or(|(fixed, _)| taken.pattern.fixed_places() > fixed)
            {
                best = Some((taken.pattern.fixed_places(), plan));
            }
        }
        best.map(|(_, plan)| plan.id.clone())
    }

    /// Whether a plan has exactly this number, not just a pattern that it fits.
    pub fn has_number(&self, number: &str) -> bool {
        self.inner.plans.iter().flat_map(|plan| &plan.numbers).any(|pattern| pattern.pattern.as_str() == number)
    }

    pub fn get(&self, id: &PlanId) -> Option<&Plan> {
        self.inner.plans.iter().find(|plan| plan.id == *id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Plan> {
        self.inner.plans.iter()
    }

    /// Whether some plan asks how often a caller has called of late.
    pub fn count_calls(&self) -> bool {
        self.inner.plans.iter().any(|plan| plan.uses.earlier_calls)
    }

    pub fn names(&self) -> &Names {
        &self.inner.names
    }

    pub fn sources(&self) -> &[Source] {
        &self.inner.sources
    }

    pub fn warnings(&self) -> &[Finding] {
        &self.inner.warnings
    }
}

impl PartialEq for Plans {
    fn eq(&self, other: &Self) -> bool {
        self.inner.sources == other.inner.sources && self.inner.names == other.inner.names
    }
}

impl From<Plans> for Stored {
    fn from(plans: Plans) -> Stored {
        Stored { sources: plans.inner.sources.clone(), names: plans.inner.names.clone() }
    }
}

impl TryFrom<Stored> for Plans {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        Plans::load(stored.sources, stored.names)
            .map_err(|findings| findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }
}

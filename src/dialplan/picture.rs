//! A plan as a picture: its levels and rules with their places in the file, and where each of them can lead. What draws it
//! needs to know nothing of plans.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::flow::{jump_target, passes};
use super::plan::{Callee, Level, Plan, Plans, Rule};
use crate::ids::PlanId;
use crate::ivr::Ends;

/// Longest text of an input or condition, in characters.
const LONGEST: usize = 200;

/// One plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Picture {
    #[schema(value_type = String)]
    pub plan: PlanId,
    /// The numbers that reach it, with `X` for any digit. None: other plans run it.
    pub numbers: Vec<String>,
    pub language: Option<String>,
    /// In their order.
    pub levels: Vec<LevelPicture>,
    /// Its levels can be exhausted: the calling plan goes on, or the call counts as failed.
    pub returns: bool,
    /// The plans that run it.
    #[schema(value_type = Vec<String>)]
    pub run_by: Vec<PlanId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LevelPicture {
    pub name: String,
    /// Where it stands in the file, counted from 1.
    pub line: usize,
    /// Some call can come to it.
    pub reached: bool,
    /// It can be that none of its rules runs, and the next level follows.
    pub falls_through: bool,
    pub rules: Vec<RulePicture>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RulePicture {
    /// Where it stands in the file, counted from 1.
    pub line: usize,
    /// The module it runs, or the plan.
    pub runs: String,
    /// It runs a plan of the operator's own.
    pub is_plan: bool,
    /// Its condition; null where it has none and always holds.
    pub when: Option<String>,
    /// The inputs by their names, as short texts; computed ones as their expressions.
    pub inputs: BTreeMap<String, String>,
    /// Output to variable.
    pub out: BTreeMap<String, String>,
    /// Some call can come to it.
    pub reached: bool,
    /// Where the call can go from here; none where it always ends here or is with somebody.
    pub leads: Vec<Lead>,
}

/// Where a rule can lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum Lead {
    /// The level that stands there, counted from 0.
    Level { level: usize },
    /// The levels are exhausted.
    End,
    /// The call ends here, or is with somebody from here on.
    Over,
}

impl Picture {
    /// The plan of a file, where one stands in it.
    pub fn of_file(plans: &Plans, file: &str) -> Option<Picture> {
        plans.iter().find(|plan| plan.file == file).map(|plan| Picture::of(plans, plan))
    }

    pub fn of(plans: &Plans, plan: &Plan) -> Picture {
        let runs = |other: &Plan| {
            let mut rules = other.levels.iter().flat_map(|level| &level.rules);
            rules.any(|rule| rule.callee == Callee::Plan(plan.id.clone()))
        };
        Picture {
            plan: plan.id.clone(),
            numbers: plan.numbers.iter().map(|number| number.pattern.as_str().to_owned()).collect(),
            language: plan.language.as_ref().map(ToString::to_string),
            levels: plan.levels.iter().enumerate().map(|(at, level)| level_picture(plans, plan, at, level)).collect(),
            returns: plan.returns,
            run_by: plans.iter().filter(|other| runs(other)).map(|other| other.id.clone()).collect(),
        }
    }
}

fn level_picture(plans: &Plans, plan: &Plan, at: usize, level: &Level) -> LevelPicture {
    let rules = level.rules.iter().enumerate().map(|(place, rule)| {
        let reached = level.ways.reached && level.ways.tried.contains(&place);
        RulePicture { reached, leads: leads(plans, plan, at, rule), ..rule_picture(rule) }
    });
    LevelPicture {
        name: level.name.clone(),
        line: level.line,
        reached: level.ways.reached,
        falls_through: level.ways.falls_through,
        rules: rules.collect(),
    }
}

/// What stands in the rule itself.
fn rule_picture(rule: &Rule) -> RulePicture {
    let fixed = rule.fixed.iter().map(|(name, value)| (name.clone(), short(&value.to_string())));
    let computed = rule.computed.iter().map(|(name, computed)| (name.clone(), short(computed.text())));
    RulePicture {
        line: rule.line,
        runs: rule.callee.name().to_owned(),
        is_plan: rule.callee.module().is_none(),
        when: rule.when.as_ref().map(|when| short(when.text())),
        inputs: fixed.chain(computed).collect(),
        out: rule.out.clone(),
        reached: false,
        leads: Vec::new(),
    }
}

fn leads(plans: &Plans, plan: &Plan, level: usize, rule: &Rule) -> Vec<Lead> {
    let target = jump_target(rule).and_then(|name| plan.levels.iter().position(|level| level.name == name));
    let mut leads: Vec<Lead> = target.map(|level| Lead::Level { level }).into_iter().collect();
    if passes(rule, |id| plans.get(id).is_none_or(|plan| plan.returns)) {
        let next = level + 1;
        leads.push(if next < plan.levels.len() { Lead::Level { level: next } } else { Lead::End });
    }
    let ends = rule.callee.module().map(|module| module.spec().ends);
    if leads.is_empty() || matches!(ends, Some(Ends::WhenAnswered | Ends::UnlessChosen)) {
        leads.push(Lead::Over);
    }
    leads
}

/// On one line, and cut off where it is long.
fn short(text: &str) -> String {
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((at, _)) = words.char_indices().nth(LONGEST) {
        words.truncate(at);
        words.push('…');
    }
    words
}

//! Where a plan can go: what is never reached, and whether its levels can be exhausted.

use std::collections::BTreeSet;
use std::ops::Range;

use super::inputs::Checker;
use super::plan::{Plan, Rule};
use crate::findings::Findings;
use crate::ivr::{Ends, Module, Value};

/// Where a level and its rules stand.
pub(super) struct Place {
    pub level: Range<usize>,
    pub rules: Vec<Range<usize>>,
}

pub(super) fn check(plan: &Plan, places: &[Place], checker: &Checker<'_>, findings: &mut Findings<'_>) {
    let reached = reachable(plan);
    for (index, (level, place)) in plan.levels.iter().zip(places).enumerate() {
        if !reached.contains(&index) {
            findings.warning(place.level.clone(), format!("level '{}' is never reached", level.name), None);
        }
        let always = level.rules.iter().position(|rule| rule.when.is_none());
        if let Some(always) = always {
            for span in place.rules.iter().skip(always + 1) {
                let hint = format!("rule {} of level '{}' has no condition", always + 1, level.name);
                findings.warning(span.clone(), "this rule is never reached".to_owned(), hint);
            }
        }
    }
    if let (true, Some(last)) = (reached.contains(&plan.levels.len()), places.last()) {
        checker.check_prompt("goodbye", last.level.clone(), findings);
        let hint =
            "end with a level whose last rule has no condition and is deter, hangup, or distribute without limit";
        let message = "after this level the plan may have nothing more to do; the caller then hears goodbye and the call \
                       counts as failed";
        findings.warning(last.level.clone(), message, hint.to_owned());
    }
}

/// The levels that can be reached from the first, counted from 0; one past the last is the plan's end.
fn reachable(plan: &Plan) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut open = vec![0];
    while let Some(index) = open.pop() {
        if !reached.insert(index) {
            continue;
        }
        let Some(level) = plan.levels.get(index) else { continue };
        let always = level.rules.iter().position(|rule| rule.when.is_none());
        let tried = always.map_or(level.rules.len(), |always| always + 1);
        for rule in level.rules.iter().take(tried) {
            if let Some(Value::Text(target)) = rule.fixed.get("level").filter(|_| rule.module == Module::Jump) {
                open.extend(plan.levels.iter().position(|level| level.name == *target));
            }
            if passes(rule) {
                open.push(index + 1);
            }
        }
        if always.is_none() {
            open.push(index + 1);
        }
    }
    reached
}

/// Whether the next level can follow this rule.
fn passes(rule: &Rule) -> bool {
    match (rule.module.spec().ends, rule.module) {
        (Ends::Always, _) => false,
        (Ends::UnlessChosen, _) => rule.fixed.contains_key("offer") || rule.computed.contains_key("offer"),
        (Ends::WhenAnswered, Module::Distribute) => {
            let limited = |name| rule.fixed.contains_key(name) || rule.computed.contains_key(name);
            limited("max_wait_s") || limited("leave") || rule.computed.contains_key("queue")
        }
        _ => true,
    }
}

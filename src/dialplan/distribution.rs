//! What a `distribute` asks for and can never get: rules that contradict the queue, its agents, or each other.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use crate::demand::widened;
use crate::findings::{Findings, suggest};
use crate::ids::AgentId;
use crate::ivr::{Module, Names, Value, skills_of, widenings};

pub(super) fn check(
    module: Module,
    fixed: &BTreeMap<String, Value>,
    names: &Names,
    place: &Range<usize>,
    findings: &mut Findings<'_>,
) {
    if module == Module::Distribute {
        check_preferred(fixed, names, place, findings);
        check_preference_ends(fixed, place, findings);
        check_ringing_ends(fixed, names, place, findings);
        check_steps(fixed, place, findings);
    }
}

/// An agent who is not of the queue is never rung for it, preferred or not.
fn check_preferred(fixed: &BTreeMap<String, Value>, names: &Names, place: &Range<usize>, findings: &mut Findings<'_>) {
    let text = |name: &str| fixed.get(name).and_then(Value::as_text);
    let (Some(agent), Some(queue)) = (text("prefer_agent"), text("queue")) else { return };
    let Some(members) = names.members.get(queue).filter(|members| !members.is_empty()) else { return };
    // One whom nobody knows is told of elsewhere.
    if names.agents.contains(agent) && !members.contains_key(agent) {
        let message = format!("distribute: agent '{agent}' is preferred and is not of queue '{queue}'");
        let near = suggest(agent, members.keys().map(AgentId::as_str)).map(|near| format!("; {near}"));
        let hint = format!("name '{queue}' in the queues of that agent{}", near.unwrap_or_default());
        findings.warning(place.clone(), message, hint);
    }
}

/// Who waits for one agent as long as they wait at all is never offered to another.
fn check_preference_ends(fixed: &BTreeMap<String, Value>, place: &Range<usize>, findings: &mut Findings<'_>) {
    if let (Some(prefer), Some(most)) = (integer(fixed, "prefer_s"), integer(fixed, "max_wait_s"))
        && most > 0
        && prefer >= most
    {
        let message = format!("distribute: prefer_s is {prefer} and max_wait_s {most}: no other agent is ever rung");
        findings.warning(place.clone(), message, "give prefer_s below max_wait_s".to_owned());
    }
}

/// Who waits no longer than one agent is rung is taken from the first agent before a second one is tried.
fn check_ringing_ends(
    fixed: &BTreeMap<String, Value>,
    names: &Names,
    place: &Range<usize>,
    findings: &mut Findings<'_>,
) {
    let (Some(queue), Some(most)) = (fixed.get("queue").and_then(Value::as_text), integer(fixed, "max_wait_s")) else {
        return;
    };
    let Some(rings) = names.ring_timeouts.get(queue).map(Duration::as_secs) else { return };
    if most.unsigned_abs() <= rings {
        let message = format!(
            "distribute: max_wait_s is {most} and agents of queue '{queue}' ring for {rings} s: a caller is taken from the \
             first one who rings, and no second one is tried"
        );
        let hint = format!("give max_wait_s above {rings}, or the queue a lower ring_timeout_s");
        findings.warning(place.clone(), message, hint);
    }
}

fn integer(fixed: &BTreeMap<String, Value>, name: &str) -> Option<i64> {
    match fixed.get(name) {
        Some(Value::Integer(integer)) => Some(*integer),
        _ => None,
    }
}

/// A step that asks for as much as before.
fn check_steps(fixed: &BTreeMap<String, Value>, place: &Range<usize>, findings: &mut Findings<'_>) {
    let Some(asked) = fixed.get("skills").and_then(skills_of) else { return };
    let steps = fixed.get("widen").and_then(|rule| widenings(rule).ok()).unwrap_or_default();
    if let Some(step) = steps.iter().find(|step| widened(&asked, step.level) == asked) {
        let (after, level) = (step.after.as_secs(), step.level);
        let message = format!("distribute: the step of widen after {after} s to level {level} asks for no less");
        findings.warning(place.clone(), message, "give it a level below those of skills".to_owned());
    }
}

//! What would happen to a call, and why. No call is made.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::plain;
use crate::config::Loaded;
use crate::conversation::Conversation;
use crate::dialplan::driver::{Course, End, Minds, Scenario, drive};
use crate::dialplan::{QueueOutcome, TransferOutcome, Value};
use crate::findings::suggest;
use crate::ids::{Language, PlanId, QueueId, TrunkId};
use crate::record::Outcome;
use crate::settings::{Settings, Trunk};
use crate::time::Wall;
use crate::trace::{LevelTrace, Trace};

/// The call that is asked about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    pub to: String,
    /// Empty: withheld.
    pub from: String,
    /// The first trunk that brings calls to the number's plan, where none is named.
    pub trunk: Option<String>,
    pub language: Option<String>,
    pub digits: String,
    pub say: Vec<String>,
    /// What services answer, by their ids.
    pub lookups: BTreeMap<String, Value>,
    pub queues: BTreeMap<String, QueueOutcome>,
    pub transfers: BTreeMap<String, TransferOutcome>,
}

/// Why there is nothing to tell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    #[error("{0}")]
    UnknownTrunk(String),
    /// The call would be refused before any plan.
    #[error("{0}")]
    NoPlan(String),
}

/// The way of a call through the matrix.
#[derive(Debug)]
pub struct Traced {
    pub scenario: Scenario,
    pub course: Course,
    pub trace: Trace,
}

pub fn trace(loaded: &Loaded, call: &Call, at: Wall, minds: &dyn Minds) -> Result<Traced, TraceError> {
    let trunk = trunk_of(call.trunk.as_deref(), &loaded.settings).map_err(TraceError::UnknownTrunk)?;
    let plan = find(&call.to, trunk, loaded).map_err(TraceError::NoPlan)?;
    let trunk = trunk.or_else(|| trunk_that_offers(&loaded.settings, &plan));
    let language = call.language.as_deref().map_or_else(|| loaded.settings.language.clone(), Language::from);
    let scenario = Scenario {
        trunk: trunk.map(|trunk| trunk.id.clone()),
        digits: call.digits.clone(),
        say: call.say.clone(),
        lookups: call.lookups.clone(),
        queues: call.queues.clone(),
        transfers: call.transfers.clone(),
        ..Scenario::new(&call.from, &call.to, language, at)
    };
    let course = drive(&loaded.plans, &plan, &scenario, minds);
    let trace = course.trace(&loaded.plans);
    Ok(Traced { scenario, course, trace })
}

/// The trunk of a name.
fn trunk_of<'s>(id: Option<&str>, settings: &'s Settings) -> Result<Option<&'s Trunk>, String> {
    let Some(id) = id else { return Ok(None) };
    let found = settings.trunks.iter().find(|trunk| trunk.id.as_str() == id);
    found.map(Some).ok_or_else(|| {
        let hint = suggest(id, settings.trunks.iter().map(|trunk| trunk.id.as_str()));
        format!("there is no trunk '{}'{}", plain(id), hint.map(|hint| format!(" ({hint})")).unwrap_or_default())
    })
}

/// The first trunk that brings calls to a plan.
pub fn trunk_that_offers<'s>(settings: &'s Settings, plan: &PlanId) -> Option<&'s Trunk> {
    settings.trunks.iter().find(|trunk| trunk.plans.is_empty() || trunk.plans.contains(plan))
}

fn find(number: &str, trunk: Option<&Trunk>, loaded: &Loaded) -> Result<PlanId, String> {
    let offered = trunk.map(|trunk| trunk.plans.as_slice()).unwrap_or_default();
    if let Some(plan) = loaded.plans.find(number, offered) {
        return Ok(plan);
    }
    let shown = plain(number);
    if let (Some(plan), Some(trunk)) = (loaded.plans.find(number, &[]), trunk) {
        return Err(format!("trunk '{}' does not offer plan '{plan}', which has the number {shown}", trunk.id));
    }
    if loaded.settings.agents.iter().any(|agent| agent.id.as_str() == number) {
        return Err(format!("{shown} is an agent: other agents' phones reach it, and no plan runs"));
    }
    let known: Vec<&str> =
        loaded.plans.iter().flat_map(|plan| plan.numbers.iter().map(|number| number.pattern.as_str())).collect();
    let hint = suggest(number, known.iter().copied()).map(|hint| format!(" ({hint})")).unwrap_or_default();
    Err(format!("no plan has the number {shown}{hint}; such a call gets 404"))
}

/// A traced call, for machines.
#[derive(Debug, Serialize, ToSchema)]
pub struct Told {
    pub from: String,
    pub to: String,
    #[schema(value_type = Option<String>)]
    pub trunk: Option<TrunkId>,
    #[schema(value_type = String, format = DateTime)]
    pub at: String,
    #[schema(value_type = String)]
    pub plan: PlanId,
    pub levels: Vec<LevelTrace>,
    /// Rules and levels that are not listed because there are too many.
    pub omitted: u64,
    /// The prompts that the caller hears, in order.
    pub heard: Vec<String>,
    #[schema(value_type = String)]
    pub language: Language,
    #[schema(value_type = Option<String>)]
    pub queue: Option<QueueId>,
    /// Who answers, where the call is brought to somebody outside of queues.
    pub target: Option<String>,
    pub outcome: Outcome,
    pub sip_status: u16,
    /// `system`, `agent` or `caller`
    pub ended_by: &'static str,
    /// Keys that nothing asked for.
    pub digits_left: String,
    /// Sentences that nobody listened for.
    pub not_said: Vec<String>,
    pub conversations: Vec<Conversation>,
}

impl From<Traced> for Told {
    fn from(Traced { scenario, course, trace }: Traced) -> Told {
        Told {
            from: scenario.from,
            to: scenario.to,
            trunk: scenario.trunk,
            at: scenario.at.to_string(),
            plan: course.run.plan().clone(),
            levels: trace.levels,
            omitted: trace.omitted,
            language: course.run.language().clone(),
            outcome: course.outcome(),
            sip_status: course.status(),
            ended_by: match course.end {
                End::HungUp { .. } | End::Endless => "system",
                End::Talking => "agent",
                End::CallerLeaves => "caller",
            },
            heard: course.heard,
            queue: course.queue,
            target: course.target,
            digits_left: course.digits_left,
            not_said: course.not_said,
            conversations: course.conversations,
        }
    }
}

//! Why a call went the way it did: every level of the matrix it came to, with the conditions looked at and the values
//! they saw; then why the distributor brought it to which agent. `relais trace`, the API and the call record show the
//! same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{AgentId, CallId, QueueId};
use crate::record::millis;
use crate::time::Wall;

/// What stands in the place of a value that the caller typed: it may be a card number.
pub const PRIVATE: &str = "(private)";

/// The decisions of one call's plan, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Trace {
    pub levels: Vec<LevelTrace>,
    /// Offers to agents, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decision>,
    /// Levels, conditions and decisions that are not listed because the trace was full.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: u64,
}

/// One level that the call came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LevelTrace {
    pub plan: String,
    pub level: String,
    #[serde(with = "millis")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Wall,
    /// The rules looked at, in order. Those behind the one taken were not.
    pub rules: Vec<RuleTrace>,
    /// The rule that was executed, counted from 1; null where no condition held and the level was passed over.
    pub taken: Option<usize>,
    pub module: Option<String>,
    /// What the module was given, computed inputs worked out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, serde_json::Value>,
    /// The variables that got a value, and which.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, serde_json::Value>,
    /// How the module ended; null while it is at work.
    pub result: Option<String>,
}

/// One rule that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuleTrace {
    /// Counted from 1.
    pub rule: usize,
    pub module: String,
    /// Its condition; null where it has none and always holds.
    pub when: Option<String>,
    pub verdict: Verdict,
    /// Why the condition could not be worked out; it counts as false then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What the names in the condition stood for; null for one without a value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, serde_json::Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    True,
    False,
    /// Counts as false.
    Error,
}

/// Why this agent and this contact came together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    #[serde(with = "millis")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Wall,
    /// The queue in which the contact waits.
    #[schema(value_type = String)]
    pub queue: QueueId,
    /// The agent who is rung.
    #[schema(value_type = String)]
    pub agent: AgentId,
    /// What put the chosen one before the first runner-up.
    pub rule: Rule,
    pub chosen: Candidate,
    /// Who would have been next, the best first; at most three.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runners_up: Vec<Candidate>,
    /// Agents who were logged in and outside the hours in which they are members of the queue.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub off_schedule: u64,
}

impl Decision {
    /// `candidates` are the chosen one and the runners-up; without any there is no decision.
    pub fn new(
        at: Wall,
        queue: QueueId,
        agent: AgentId,
        rule: Rule,
        candidates: impl IntoIterator<Item = Candidate>,
    ) -> Option<Decision> {
        let mut candidates = candidates.into_iter();
        let chosen = candidates.next()?;
        let runners_up = candidates.take(MOST_RUNNERS_UP).collect();
        Some(Decision { at, queue, agent, rule, chosen, runners_up, off_schedule: 0 })
    }
}

/// What decides between two candidates. The first group is of contacts among which an agent chose, the second of agents
/// among whom a contact chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// There was nobody else.
    OnlyOne,
    /// The higher priority, with what each has gained by waiting.
    Priority,
    /// Of equal priorities, the one that gained more by waiting, as the steps of the queues are.
    Ageing,
    /// The larger ratio of the time waited to the queue's target.
    ServiceLevel,
    /// The longer wait.
    LongestWait,
    /// The queue that stands first with the agent, of priorities that are the same in whole steps.
    QueuePreference,
    /// Who came first.
    FirstCome,
    LongestIdle,
    LeastOccupied,
    /// The higher levels in what is asked and preferred.
    BestSkill,
    /// Whose turn it is.
    RoundRobin,
    /// More of the skills that are preferred.
    PreferredSkills,
    /// The agent whom the contact waits for.
    PreferredAgent,
    /// Who logged in first, of agents who are idle for the same time.
    FirstLoggedIn,
    /// By lot: everything else was equal.
    Lot,
}

/// One who was chosen, or could have been, with what was compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Candidate {
    /// Who waits.
    Contact {
        #[schema(value_type = String)]
        call_id: CallId,
        #[schema(value_type = String)]
        queue: QueueId,
        /// With what it has gained by waiting.
        priority: f64,
        /// The time waited as a share of the queue's target.
        ratio: f64,
        waited_ms: u64,
    },
    Agent {
        #[schema(value_type = String)]
        agent: AgentId,
        idle_ms: u64,
        /// Where the queue goes by it: the share of the last time in which they handled contacts, from 0 to 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        occupancy: Option<f64>,
        /// Where it was looked at: the number of preferred skills they have, or with `best_skill` the sum of the levels.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fit: Option<u32>,
        /// The calendar in whose hours they are a member of the queue; null for one who always is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        schedule: Option<String>,
    },
}

/// So many runners-up are named.
pub const MOST_RUNNERS_UP: usize = 3;

/// What is compared, to three decimals: as much as people read.
pub fn rounded(compared: f64) -> f64 {
    (compared * 1e3).round() / 1e3
}

impl Trace {
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty() && self.decisions.is_empty() && self.omitted == 0
    }

    /// What the plan decided without the times: for comparing two runs.
    #[must_use]
    pub fn without_times(mut self) -> Trace {
        self.levels.iter_mut().for_each(|level| level.at = Wall::UNIX_EPOCH);
        self
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

//! What somebody who waits asks of the distributor. A plan says it, a call-back keeps it, the distributor goes by it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::{AgentId, Skill};

/// Priorities go from minus this to this.
pub const HIGHEST_PRIORITY: i64 = 100;

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Demand {
    /// What the agent must be good at, each with the least level, from 1 to 5.
    pub skills: BTreeMap<Skill, u8>,
    /// How less of that is asked for as time goes by; by the queue's rule when `None`.
    pub widen: Option<Vec<Widening>>,
    /// The higher is served first. 0 is ordinary.
    pub priority: i32,
    /// What the agent should be good at besides: of those who can be had, who has the most of these.
    pub prefer_skills: BTreeMap<Skill, u8>,
    /// Who is waited for before anybody else is offered it.
    pub prefer_agent: Option<PreferredAgent>,
    /// Of the time since which it waits, so much was spent before it came to a queue, with a bot or a menu. It counts for
    /// the place in line, and not in figures.
    pub counted: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PreferredAgent {
    pub agent: AgentId,
    /// For so long from the entry into the queue, while they are at work there.
    pub wait: Duration,
}

/// From some wait on, less is asked of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Widening {
    /// Since the beginning of the wait.
    pub after: Duration,
    /// Every skill is asked for at this level at most; 0 asks for none.
    pub level: u8,
}

/// Fewer skills, or lower levels: what is asked for once a step of widening is taken.
pub fn widened(skills: &BTreeMap<Skill, u8>, level: u8) -> BTreeMap<Skill, u8> {
    if level == 0 {
        return BTreeMap::new();
    }
    skills.iter().map(|(skill, least)| (skill.clone(), (*least).min(level))).collect()
}

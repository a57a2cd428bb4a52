//! What somebody who waits asks of the distributor. A plan says it, a call-back keeps it, the distributor goes by it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::Skill;

/// Priorities go from minus this to this.
pub const HIGHEST_PRIORITY: i64 = 100;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Demand {
    /// What the agent must be good at, each with the least level, from 1 to 5.
    pub skills: BTreeMap<Skill, u8>,
    /// The higher is served first. 0 is ordinary.
    pub priority: i32,
}

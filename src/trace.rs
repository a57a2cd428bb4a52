//! Why a call went the way it did: every level of the matrix it came to, with the conditions looked at and the values
//! they saw. `relais trace`, the API and the call record show the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::record::millis;
use crate::time::Wall;

/// What stands in the place of a value that the caller typed: it may be a card number.
pub const PRIVATE: &str = "(private)";

/// The decisions of one call's plan, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Trace {
    pub levels: Vec<LevelTrace>,
    /// Levels and conditions that are not listed because the trace was full.
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

impl Trace {
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty() && self.omitted == 0
    }

    /// The decisions without their times: for comparing two runs.
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

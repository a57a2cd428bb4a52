//! The call record: what remains of one contact. Its fields are the contract with users; unknown ones are null.

use serde::{Deserialize, Serialize};

use crate::bridge::RtpStats;
use crate::ids::{AgentId, CallId, LegId, QueueId, TrunkId};
use crate::time::Wall;
use crate::trace::Trace;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Handled,
    Abandoned,
    Deterred,
    Overflowed,
    Callback,
    Voicemail,
    SelfService,
    Failed,
}

impl Outcome {
    /// As records and plans spell it.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Handled => "handled",
            Outcome::Abandoned => "abandoned",
            Outcome::Deterred => "deterred",
            Outcome::Overflowed => "overflowed",
            Outcome::Callback => "callback",
            Outcome::Voicemail => "voicemail",
            Outcome::SelfService => "self_service",
            Outcome::Failed => "failed",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    Caller,
    Agent,
    Expert,
    Supervisor,
    System,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    pub call_id: CallId,
    pub trunk: Option<TrunkId>,
    pub from: String,
    pub to: String,
    #[serde(with = "millis")]
    pub started_at: Wall,
    #[serde(with = "optional_millis")]
    pub answered_at: Option<Wall>,
    #[serde(with = "optional_millis")]
    pub ended_at: Option<Wall>,
    pub outcome: Option<Outcome>,
    pub ended_by: Option<Party>,
    pub sip_status: Option<u16>,
    pub q850: Option<u8>,
    pub queue: Option<QueueId>,
    pub agent: Option<AgentId>,
    pub wait_ms: Option<u64>,
    pub talk_ms: Option<u64>,
    pub hold_ms: Option<u64>,
    pub acw_ms: Option<u64>,
    pub transfers: u32,
    pub recording: Option<String>,
    pub path: Vec<PathStep>,
    /// Why these rules ran and no others.
    #[serde(default, skip_serializing_if = "Trace::is_empty")]
    pub trace: Trace,
    pub legs: Vec<LegRecord>,
}

/// One matrix rule that ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathStep {
    pub plan: String,
    pub level: String,
    /// Counted from 1.
    pub rule: usize,
    pub module: String,
    /// What the module put out, or why the rule was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LegRecord {
    pub leg_id: LegId,
    /// Never `System`.
    pub role: Party,
    pub address: String,
    #[serde(with = "optional_millis")]
    pub joined_at: Option<Wall>,
    #[serde(with = "optional_millis")]
    pub left_at: Option<Wall>,
    pub rtp: Option<RtpStats>,
    pub talk_ms: u64,
    pub hold_ms: u64,
    pub consult_ms: u64,
    pub conference_ms: u64,
}

/// RFC 3339 in UTC with exactly three decimals.
pub mod millis {
    use super::Wall;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(at: &Wall, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{at:.3}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Wall, D::Error> {
        Wall::deserialize(deserializer)
    }
}

pub mod optional_millis {
    use super::Wall;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(at: &Option<Wall>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => super::millis::serialize(at, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Wall>, D::Error> {
        Option::<Wall>::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        #[derive(Serialize)]
        struct At(#[serde(with = "millis")] Wall);
        let at: Wall = "2026-11-23T10:00:00.0405+01:00".parse().unwrap();
        assert_eq!(serde_json::to_string(&At(at)).unwrap(), "\"2026-11-23T09:00:00.040Z\"");
    }
}

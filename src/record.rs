//! The call record: what remains of one contact. Its fields are the contract with users; unknown ones are null.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bridge::RtpStats;
use crate::conversation::Conversation;
use crate::ids::{AgentId, CallId, LegId, QueueId, RecordingId, Skill, TrunkId};
use crate::time::Wall;
use crate::trace::Trace;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
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
    /// Who was called by number through a trunk.
    Outside,
    System,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    pub call_id: CallId,
    pub trunk: Option<TrunkId>,
    /// We rang the caller: an attempt to call back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outgoing: bool,
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
    /// How often an agent handed the caller over.
    pub transfers: u32,
    /// How often an agent asked another, or an expert.
    #[serde(default)]
    pub consults: u32,
    /// The transfers, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handed_over: Vec<HandOver>,
    /// The message that the caller left, else the recording of the call.
    pub recording: Option<RecordingId>,
    /// What was said with bots, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conversations: Vec<Conversation>,
    /// What the caller answered to surveys; null until then.
    #[serde(default)]
    pub survey: Option<Vec<SurveyAnswer>>,
    /// What it came to, as its agent says; null until then.
    #[serde(default)]
    pub disposition: Option<String>,
    /// Whether the caller's matter was settled with it, as its agent says.
    #[serde(default)]
    pub resolved: Option<bool>,
    /// What its agent wrote down.
    #[serde(default)]
    pub note: Option<String>,
    /// The queues that the caller waited in, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub visits: Vec<QueueVisit>,
    pub path: Vec<PathStep>,
    /// Why these rules ran and no others.
    #[serde(default, skip_serializing_if = "Trace::is_empty")]
    pub trace: Trace,
    pub legs: Vec<LegRecord>,
}

/// How a caller came out of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VisitEnd {
    /// By an agent.
    Answered,
    /// The caller hung up.
    Abandoned,
    /// For something else: by a key, after the longest wait, because the queue was full.
    Overflowed,
    /// The appliance ended the call.
    Failed,
}

/// One wait in one queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueVisit {
    pub queue: QueueId,
    /// Before the entry where a place was kept or regained.
    #[serde(with = "millis")]
    pub waiting_since: Wall,
    /// So much before that counted as waiting for the place in line: time with a bot or a menu.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub counted_ms: u64,
    /// Null while the caller waits.
    pub wait_ms: Option<u64>,
    pub end: Option<VisitEnd>,
    pub agent: Option<AgentId>,
    /// The queue's target for an answer, as it was then.
    pub target_ms: u64,
    /// What the agent had to be good at.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skills: BTreeMap<Skill, u8>,
    /// The range in which the wait would probably lie, as it was estimated at the entry; null where it was not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_ms: Option<(u64, u64)>,
}

/// How an agent handed the caller over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandOverKind {
    /// Without a word before.
    Blind,
    /// After asking, or while it still rang.
    Supervised,
    /// By leaving a conference.
    Conference,
}

/// One transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandOver {
    #[serde(with = "millis")]
    pub at: Wall,
    pub kind: HandOverKind,
    /// Who handed over: what follows is not theirs.
    pub by: Option<AgentId>,
    /// `expert:301`, `agent:205`, `queue:support`, a number; null for a conference that went on.
    pub to: Option<String>,
}

/// What an agent says of a call; the last word counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disposition {
    /// One of the operator's list.
    pub code: String,
    pub resolved: Option<bool>,
    /// For whoever talks to the caller next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One score that a caller gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurveyAnswer {
    /// What was asked for: `csat`.
    pub name: String,
    pub score: i64,
    /// The range that was offered.
    pub min: i64,
    pub max: i64,
    #[serde(with = "millis")]
    pub at: Wall,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingKind {
    /// A message that the caller left: one channel.
    Voicemail,
    /// Both sides of a call: what the caller says on the left, what the caller hears on the right.
    Call,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// Being written, or cut off by the death of the process: the file goes as far as it goes.
    Open,
    Complete,
    /// It could not be written to its end; what there is can be heard.
    Incomplete,
}

/// A recording in the index. Its file is named by its id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Recording {
    #[schema(value_type = String)]
    pub recording_id: RecordingId,
    pub kind: RecordingKind,
    pub state: RecordingState,
    #[schema(value_type = String)]
    pub call_id: CallId,
    /// Whose message it is; null for calls.
    pub mailbox: Option<String>,
    /// The queue that the caller was in, or had been in last; null where there was none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub queue: Option<QueueId>,
    pub from: String,
    pub to: String,
    #[serde(with = "millis")]
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Wall,
    pub duration_ms: Option<u64>,
    /// Of that, how long the caller spoke.
    pub voiced_ms: Option<u64>,
    /// The size of the audio.
    pub octets: Option<u64>,
    /// Somebody has listened to the message.
    #[serde(default)]
    pub heard: bool,
    /// It is kept, whatever its age, and cannot be deleted.
    #[serde(default)]
    pub held: bool,
}

/// A recording of an earlier process, as far as something is decided by it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptRecording {
    pub recording_id: RecordingId,
    /// Of a message.
    pub mailbox: Option<String>,
    pub heard: bool,
    pub held: bool,
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

/// What a running call has come to since it was last written down. What is not told has not changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    #[serde(with = "optional_millis", skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Wall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
    /// The path from its step `path_from` on, counted from 0.
    pub path_from: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<PathStep>,
    /// Legs that have joined or left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub legs: Vec<LegRecord>,
}

impl CallRecord {
    /// The record of a call that has just come in.
    #[cfg(test)]
    pub fn new(call_id: CallId, from: &str, to: &str, started_at: Wall) -> CallRecord {
        CallRecord {
            call_id,
            trunk: None,
            outgoing: false,
            from: from.to_owned(),
            to: to.to_owned(),
            started_at,
            answered_at: None,
            ended_at: None,
            outcome: None,
            ended_by: None,
            sip_status: None,
            q850: None,
            queue: None,
            agent: None,
            wait_ms: None,
            talk_ms: None,
            hold_ms: None,
            acw_ms: None,
            transfers: 0,
            consults: 0,
            handed_over: Vec::new(),
            recording: None,
            conversations: Vec::new(),
            survey: None,
            disposition: None,
            resolved: None,
            note: None,
            visits: Vec::new(),
            path: Vec::new(),
            trace: Trace::default(),
            legs: Vec::new(),
        }
    }

    pub fn follow(&mut self, progress: Progress) {
        self.answered_at = progress.answered_at.or(self.answered_at);
        self.queue = progress.queue.or_else(|| self.queue.take());
        self.agent = progress.agent.or_else(|| self.agent.take());
        self.wait_ms = progress.wait_ms.or(self.wait_ms);
        if !progress.path.is_empty() {
            self.path.truncate(progress.path_from);
            self.path.extend(progress.path);
        }
        for leg in progress.legs {
            match self.legs.iter_mut().find(|known| known.leg_id == leg.leg_id) {
                Some(known) => *known = leg,
                None => self.legs.push(leg),
            }
        }
    }

    /// Ends the record of a call that the death of the process cut off, as far as it has no end of its own.
    pub fn cut_off(&mut self, at: Wall) {
        let at = at.max(self.started_at);
        self.ended_at.get_or_insert(at);
        self.outcome.get_or_insert(Outcome::Failed);
        self.ended_by.get_or_insert(Party::System);
        for leg in self.legs.iter_mut().filter(|leg| leg.joined_at.is_some()) {
            leg.left_at.get_or_insert(at);
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
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

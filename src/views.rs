//! What the outside sees of the live state: published by the engine at every change, read by the web shell.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::callback::{AttemptFailure, Callback, CallbackState, Wished};
use crate::conversation::Conversation;
use crate::findings::Finding;
use crate::ids::{AgentId, CallId, CallbackId, ExpertId, Language, LegId, QueueId, RecordingId, Skill, TrunkId};
use crate::record::{CallRecord, Disposition, Party, Recording, SurveyAnswer, millis, optional_millis};
use crate::settings::Settings;
use crate::time::Wall;
use crate::trace::Trace;

/// The states of an agent, as the API names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    LoggedOut,
    Available,
    Reserved,
    Ringing,
    Talking,
    Holding,
    WrapUp,
    Paused,
    NotResponding,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentView {
    #[schema(value_type = String)]
    pub id: AgentId,
    pub name: String,
    pub state: AgentState,
    pub reason: Option<String>,
    #[serde(with = "millis")]
    #[schema(value_type = String, format = DateTime)]
    pub since: Wall,
    /// Of which they are a member now.
    #[schema(value_type = Vec<String>)]
    pub queues: Vec<QueueId>,
    /// With a level each, from 1 to 5.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, u8>)]
    pub skills: BTreeMap<Skill, u8>,
    /// The queues that they serve in certain hours only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<ScheduleView>,
    #[schema(value_type = Option<String>)]
    pub call_id: Option<CallId>,
    /// Whether a phone of theirs can be reached (registered, or at a fixed address).
    pub reachable: bool,
    pub handled: u64,
}

/// A queue of which an agent is a member in the hours of a calendar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleView {
    #[schema(value_type = String)]
    pub queue: QueueId,
    /// The calendar's name.
    pub schedule: String,
    /// Whether these are their hours.
    pub member: bool,
    /// When that changes; null where it does not, as far as can be seen.
    #[serde(with = "optional_millis")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub changes_at: Option<Wall>,
}

/// Where the occupancy of a queue's agents lies, by the band that its settings call healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OccupancyBand {
    Below,
    Within,
    Above,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueueView {
    #[schema(value_type = String)]
    pub id: QueueId,
    /// Callers who wait on the line.
    pub waiting: u64,
    /// Call-backs in line, those held back included.
    pub callbacks: u64,
    /// Of those, the ones that wait until agents have time for cold work.
    #[serde(default)]
    pub callbacks_held_back: u64,
    /// When the head of the queue came; null when nobody waits.
    #[serde(with = "optional_millis")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub longest_waiting_since: Option<Wall>,
    pub agents_available: u64,
    pub agents_logged_in: u64,
    /// Agents who are logged in and outside the hours in which they are members.
    #[serde(default)]
    pub agents_off_schedule: u64,
    /// The share of the last 15 minutes in which the queue's agents handled contacts, of this queue or another, from 0 to
    /// 1; null while too little was seen.
    #[serde(default)]
    pub occupancy: Option<f64>,
    /// Where that lies; null where it is not known. Above, no cold work is done.
    #[serde(default)]
    pub occupancy_band: Option<OccupancyBand>,
    pub offered: u64,
    pub handled: u64,
    pub abandoned: u64,
    /// Left unanswered for something else: by a key, after the longest wait.
    pub overflowed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    Ringing,
    Ivr,
    Queued,
    Talking,
    /// The caller waits with music, or hears it ring where they are handed over to.
    Holding,
    /// The agent asks another; the caller waits with music, or the others go on talking.
    Consulting,
    /// Three or more talk, or the caller is with others in a conference room.
    Conference,
    /// Everybody has been told; the record is being written.
    Ending,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CallView {
    #[schema(value_type = String)]
    pub call_id: CallId,
    pub state: CallState,
    #[schema(value_type = Option<String>)]
    pub trunk: Option<TrunkId>,
    /// We rang the caller: a call-back.
    pub outgoing: bool,
    pub from: String,
    pub to: String,
    #[serde(with = "millis")]
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Wall,
    #[serde(with = "optional_millis")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub answered_at: Option<Wall>,
    #[schema(value_type = Option<String>)]
    pub queue: Option<QueueId>,
    /// When they came into the latest queue.
    #[serde(default, with = "optional_millis")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub waiting_since: Option<Wall>,
    /// How long they waited there; null while they do.
    #[serde(default)]
    pub wait_ms: Option<u64>,
    /// 1 is the head.
    pub position: Option<u64>,
    #[schema(value_type = Option<String>)]
    pub agent: Option<AgentId>,
    /// Where the agent's question to another stands.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub consult: Option<ConsultView>,
    /// Whether both sides are being recorded: `on`, `paused`; null where they are not.
    #[serde(default)]
    pub recording: Option<RecordingWish>,
    /// What was said with bots before: transcript, what is wanted, slots, misses, and why a person goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conversations: Vec<Conversation>,
    pub legs: Vec<LegView>,
}

/// Whether an expert can be asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    Free,
    /// Not at their place.
    Away,
    /// Their telephony does not reach them.
    Offline,
    /// On the phone, in a meeting, or not to be disturbed.
    Busy,
    /// Nothing is known, or nothing any more.
    Unknown,
}

impl Presence {
    /// How far from the phone: of several words the one with the highest counts.
    pub fn distance(self) -> u8 {
        match self {
            Presence::Unknown => 0,
            Presence::Free => 1,
            Presence::Away => 2,
            Presence::Offline => 3,
            Presence::Busy => 4,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Presence::Free => "free",
            Presence::Away => "away",
            Presence::Offline => "offline",
            Presence::Busy => "busy",
            Presence::Unknown => "unknown",
        }
    }
}

/// Where the presence of an expert is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpertSource {
    /// A subscription to presence documents (RFC 3856).
    Presence,
    /// A subscription to the calls of the line (RFC 4235).
    Dialog,
    /// The answer to OPTIONS: that the telephony is there says nothing of the person, so this is never `free`.
    Options,
    /// `POST /experts/{id}/presence`.
    Api,
}

/// An expert, whom agents ask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExpertView {
    #[schema(value_type = String)]
    pub id: ExpertId,
    pub name: String,
    pub competence: Vec<String>,
    pub presence: Presence,
    /// How long ago the source said so; where none says anything, how long ago one did. Null when nothing was ever known.
    pub presence_age_ms: Option<u64>,
    #[serde(with = "optional_millis")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub heard_at: Option<Wall>,
    /// Since when the presence is this one.
    #[serde(with = "millis")]
    #[schema(value_type = String, format = DateTime)]
    pub since: Wall,
    pub source: Option<ExpertSource>,
    /// Whether their telephony answers; null until it was asked.
    pub reachable: Option<bool>,
    /// Within their hours.
    pub open: bool,
}

impl ExpertView {
    /// How old a word is, in milliseconds.
    pub fn age_ms(heard: Wall, now: Wall) -> u64 {
        u64::try_from(now.duration_since(heard).as_millis()).unwrap_or(0)
    }

    /// The view as it is at another time: the knowledge has grown older.
    pub fn at(self, now: Wall) -> ExpertView {
        ExpertView { presence_age_ms: self.heard_at.map(|heard| Self::age_ms(heard, now)), ..self }
    }

    /// Why the agent may wait in vain; `None` where the expert is free and within their hours.
    pub fn warning(&self) -> Option<String> {
        let id = &self.id;
        let presence = (self.presence != Presence::Free).then(|| match (self.presence, self.presence_age_ms) {
            (Presence::Unknown, Some(age)) => {
                format!("the presence of expert {id} has been unknown for {} s", age / 1_000)
            }
            (Presence::Unknown, None) => format!("the presence of expert {id} is unknown"),
            (presence, age) => format!("expert {id} is {}, as of {} s ago", presence.name(), age.unwrap_or(0) / 1_000),
        });
        let hours = (!self.open).then(|| format!("expert {id} is out of hours"));
        let all: Vec<String> = presence.into_iter().chain(hours).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

/// The one who is asked by the agent of a call, or to whom the caller is handed over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConsultView {
    /// `expert:301`, `agent:205`, `tel:+33…`
    pub to: String,
    pub state: ConsultState,
    /// Of an expert: the presence when they were asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub presence: Option<Presence>,
    /// Of an expert: whether they were asked within their hours.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub open: Option<bool>,
    /// What the agent should know of the expert before waiting: busy, away, unknown, out of hours.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub warning: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsultState {
    /// It rings there; the agent hears it.
    Ringing,
    /// The asked has answered, and is told who calls and why before they are connected.
    Briefing,
    /// Agent and asked talk apart.
    Private,
    /// The agent is back with the caller; the asked waits.
    Swapped,
    /// The agent has handed over and gone; the caller hears it ring there, also while the asked is told who calls.
    HandingOver,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LegView {
    #[schema(value_type = u64)]
    pub leg_id: LegId,
    pub role: Party,
    pub address: String,
    /// By their own phone.
    pub on_hold: bool,
    /// Nobody hears this leg.
    #[serde(default)]
    pub muted: bool,
}

/// A call-back, from the promise to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CallbackView {
    #[schema(value_type = String)]
    pub callback_id: CallbackId,
    /// The call in which it was asked for, or whose caller gave up; null when asked for on the web.
    #[schema(value_type = Option<String>)]
    pub call_id: Option<CallId>,
    pub wished: Wished,
    pub number: String,
    #[schema(value_type = String)]
    pub queue: QueueId,
    pub state: CallbackState,
    #[serde(with = "millis")]
    #[schema(value_type = String, format = DateTime)]
    pub asked_at: Wall,
    /// The place: since when the caller has waited.
    #[serde(with = "millis")]
    #[schema(value_type = String, format = DateTime)]
    pub waiting_since: Wall,
    #[serde(with = "millis")]
    #[schema(value_type = String, format = DateTime)]
    pub not_before: Wall,
    pub attempts: u32,
    pub last_failure: Option<AttemptFailure>,
}

impl From<&Callback> for CallbackView {
    fn from(callback: &Callback) -> CallbackView {
        CallbackView {
            callback_id: callback.id,
            call_id: callback.call_id,
            wished: callback.wished,
            number: callback.number.clone(),
            queue: callback.queue.clone(),
            state: callback.state,
            asked_at: callback.asked_at,
            waiting_since: callback.waiting_since,
            not_before: callback.not_before,
            attempts: callback.attempts,
            last_failure: callback.last_failure,
        }
    }
}

/// What people choose among on their pages, and the terms of the queues.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CentreView {
    /// The host of its SIP addresses: agent 201 is `sip:201@domain`.
    pub domain: String,
    /// An IANA name: when its days begin.
    pub time_zone: String,
    /// Those that callers hear, the centre's own first.
    #[schema(value_type = Vec<String>)]
    pub languages: Vec<Language>,
    pub pause_reasons: Vec<String>,
    /// What agents may say that a call came to.
    pub dispositions: Vec<String>,
    pub queues: Vec<QueueTerms>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueueTerms {
    #[schema(value_type = String)]
    pub id: QueueId,
    /// Callers are to be answered within this time.
    pub answer_within_ms: u64,
    pub wrap_up_ms: u64,
    /// What agents say to its callers, by language.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub script: BTreeMap<Language, String>,
}

impl From<&Settings> for CentreView {
    fn from(settings: &Settings) -> CentreView {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let terms = settings.queues.iter().map(|queue| QueueTerms {
            id: queue.id.clone(),
            answer_within_ms: ms(queue.answer_within),
            wrap_up_ms: ms(queue.wrap_up),
            script: queue.script.clone(),
        });
        CentreView {
            domain: settings.sip.domain.clone(),
            time_zone: settings.time_zone.clone(),
            languages: settings.languages.clone(),
            pause_reasons: settings.pause_reasons.clone(),
            dispositions: settings.dispositions.clone(),
            queues: terms.collect(),
        }
    }
}

/// Who asked for the configuration to be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReloadBy {
    Signal,
    Api,
    /// The files changed, and the configuration says `watch = true`.
    Files,
}

/// One attempt to take the configuration anew: whole, or not at all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReloadAttempt {
    #[serde(with = "millis")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Wall,
    pub by: ReloadBy,
    /// Whether it was taken; else what was running goes on.
    pub taken: bool,
    /// Reading and checking everything, in milliseconds.
    pub took_ms: u64,
    /// Errors when it was refused; warnings when it was taken.
    pub findings: Vec<Finding>,
    /// What the files say and only a restart takes up.
    pub after_restart: Vec<String>,
}

/// What configuration runs, and what became of the last attempt to change it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReloadView {
    /// 1 from the start on, and one more whenever the configuration was taken anew.
    pub generation: u64,
    #[serde(with = "millis")]
    #[schema(value_type = String, format = DateTime)]
    pub running_since: Wall,
    pub last: Option<ReloadAttempt>,
}

/// One change of the live state. The shell adds `seq` and `at`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Change {
    /// A call began or changed.
    Call(Box<CallView>),
    /// A call is over; its record is in the spool.
    Ended(Box<CallRecord>),
    Agent(AgentView),
    Queue(QueueView),
    /// What is known of an expert changed, or was confirmed.
    Expert(Box<ExpertView>),
    /// An expert is no longer configured.
    ExpertGone {
        id: ExpertId,
    },
    /// A call-back was promised or went on; in a final state it is over.
    Callback(CallbackView),
    /// The configuration was taken anew, or refused.
    Reload(Box<ReloadView>),
    /// A caller has left a message.
    Voicemail(Recording),
    RecordingDeleted {
        recording_id: RecordingId,
    },
    /// A message was listened to, or is new again; a recording is held, or no longer. Null where nothing changed.
    RecordingNoted {
        recording_id: RecordingId,
        heard: Option<bool>,
        held: Option<bool>,
    },
    /// A caller has given a score.
    Survey {
        call_id: CallId,
        queue: Option<QueueId>,
        agent: Option<AgentId>,
        #[serde(flatten)]
        answer: SurveyAnswer,
    },
    /// A conversation with a bot is over.
    Conversation {
        call_id: CallId,
        conversation: Box<Conversation>,
    },
    /// An agent has said what a call came to.
    Disposition {
        call_id: CallId,
        disposition: String,
        resolved: Option<bool>,
    },
}

/// The recording of a call, as it is wished for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingWish {
    On,
    Paused,
    Off,
}

/// What a page's softphone may register with for a while: no password of the agent's own.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct PhoneLoan {
    pub agent: AgentId,
    /// The name for digest authentication, which only this session has.
    pub user: String,
    pub password: String,
    pub lasts: Duration,
}

impl std::fmt::Debug for PhoneLoan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PhoneLoan").field("user", &self.user).field("lasts", &self.lasts).finish_non_exhaustive()
    }
}

/// A request of the web shell to the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ApiRequest {
    SetAgentState {
        agent: AgentId,
        state: AgentState,
        reason: Option<String>,
    },
    /// The wrap-up that the agent is in lasts so long from now on.
    ExtendWrapUp {
        agent: AgentId,
        by: Duration,
    },
    LogOut {
        agent: AgentId,
    },
    /// A telephony with an API says how an expert is; `unknown` takes back what it said.
    SetPresence {
        expert: ExpertId,
        presence: Presence,
    },
    /// What a call came to, said while it is up or wrapped up. The web shell has checked who says it.
    Dispose {
        call: CallId,
        disposition: Disposition,
    },
    /// A web page's call-back.
    CallBack {
        number: String,
        queue: QueueId,
        not_before: Option<Wall>,
    },
    CancelCallBack {
        id: CallbackId,
    },
    /// `by` is who asked, for the record's `ended_by`: the agent on the call, a supervisor, or the system (operator,
    /// administrator). The web shell has checked that `leg` belongs to the call as last published.
    HangUp {
        call: CallId,
        leg: Option<LegId>,
        by: Party,
    },
    /// The recording of a call is to run, pause or end. The web shell has checked who asks.
    Record {
        call: CallId,
        wish: RecordingWish,
    },
    /// Deletes a recording that has ended; who asks has seen that there is one. `by` says who or what that is, for the log.
    DeleteRecording {
        recording: RecordingId,
        by: String,
    },
    /// Whether a message counts as heard, and whether a recording is held: it is deleted by nobody until it is held no
    /// longer. What is not given stays. The web shell has seen that there is such a recording.
    NoteRecording {
        recording: RecordingId,
        heard: Option<bool>,
        held: Option<bool>,
        by: String,
    },
    /// What an agent does with the talk of a call. `by` is the agent who asks; `None` for other roles, who may name the
    /// agent's `leg`.
    Steer {
        call: CallId,
        by: Option<AgentId>,
        leg: Option<LegId>,
        action: Steering,
    },
    /// The agent's phone that rings with this call is to answer it.
    Answer {
        call: CallId,
        agent: AgentId,
    },
    /// A supervisor listens in on a talk, by the phone at this SIP address.
    Supervise {
        call: CallId,
        mode: SupervisionMode,
        phone: String,
    },
    /// A page's softphone is to register as its agent. The web shell has checked whose page it is.
    LendPhone(PhoneLoan),
    /// The page's session is over.
    TakePhoneBack {
        user: String,
    },
    /// The decisions of a call that is up, as `CallTrace`.
    Trace {
        call: CallId,
    },
}

/// How a supervisor takes part in a talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SupervisionMode {
    /// Hears all, is heard by nobody.
    Listen,
    /// Is heard by the agent alone.
    Whisper,
    /// Is heard by all whom the agent hears.
    Barge,
}

/// What can be done with a talk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Steering {
    Hold,
    Resume,
    /// Nobody hears the agent, or they are heard again.
    Mute(bool),
    /// Keys, sent to those whom the agent talks with.
    Keys(String),
    /// `expert:301`, `agent:205`, `tel:+33…`
    Consult {
        to: String,
        #[serde(default)]
        briefing: Option<Briefing>,
    },
    Swap,
    Complete,
    Cancel,
    Conference,
    /// Also `queue:support`, there with a priority.
    Transfer {
        to: String,
        priority: Option<i32>,
        #[serde(default)]
        briefing: Option<Briefing>,
    },
}

/// What the one who is called hears before they are connected; a key of theirs ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Briefing {
    /// `true`: the caller's number, and what the plan has put into its variable `briefing`.
    Wanted(bool),
    /// The caller's number, and this prompt.
    Why(String),
}

/// Why a call went the way it did, so far or to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CallTrace {
    #[schema(value_type = String)]
    pub call_id: CallId,
    pub from: String,
    pub to: String,
    #[serde(with = "millis")]
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Wall,
    /// Null while the call is up.
    #[serde(with = "optional_millis")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Wall>,
    pub trace: Trace,
}

/// A refusal: a stable code, and a sentence that names the thing, the rule and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// HTTP status, 400–499, or 503 while the engine cannot do it at all (draining).
    pub status: u16,
    pub code: String,
    pub message: String,
}

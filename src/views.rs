//! What the outside sees of the live state: published by the engine at every change, read by the web shell.

use serde::{Deserialize, Serialize};

use crate::ids::{AgentId, CallId, LegId, QueueId, TrunkId};
use crate::record::{CallRecord, Party, millis, optional_millis};
use crate::time::Wall;

/// The states of an agent, as the API names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentView {
    pub id: AgentId,
    pub name: String,
    pub state: AgentState,
    pub reason: Option<String>,
    #[serde(with = "millis")]
    pub since: Wall,
    pub queues: Vec<QueueId>,
    pub call_id: Option<CallId>,
    /// Whether a phone of theirs can be reached (registered, or at a fixed address).
    pub reachable: bool,
    pub handled: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueView {
    pub id: QueueId,
    pub waiting: u64,
    /// When the head of the queue came; null when nobody waits.
    #[serde(with = "optional_millis")]
    pub longest_waiting_since: Option<Wall>,
    pub agents_available: u64,
    pub agents_logged_in: u64,
    pub offered: u64,
    pub handled: u64,
    pub abandoned: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    Ringing,
    Ivr,
    Queued,
    Talking,
    Holding,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallView {
    pub call_id: CallId,
    pub state: CallState,
    pub trunk: Option<TrunkId>,
    pub from: String,
    pub to: String,
    #[serde(with = "millis")]
    pub started_at: Wall,
    #[serde(with = "optional_millis")]
    pub answered_at: Option<Wall>,
    pub queue: Option<QueueId>,
    /// 1 is the head.
    pub position: Option<u64>,
    pub agent: Option<AgentId>,
    pub legs: Vec<LegView>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LegView {
    pub leg_id: LegId,
    pub role: Party,
    pub address: String,
    pub on_hold: bool,
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
}

/// A request of the web shell to the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ApiRequest {
    SetAgentState { agent: AgentId, state: AgentState, reason: Option<String> },
    LogOut { agent: AgentId },
    HangUp { call: CallId, leg: Option<LegId> },
}

/// A refusal: a stable code, and a sentence that names the thing, the rule and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// HTTP status, 400–499.
    pub status: u16,
    pub code: String,
    pub message: String,
}

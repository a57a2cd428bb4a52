//! A call-back: the promise to ring a caller who does not want to wait on the line. It keeps the caller's place.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::demand::Demand;
use crate::ids::{CallId, CallbackId, Language, QueueId, TrunkId};
use crate::record::millis;
use crate::settings::Transport;
use crate::time::Wall;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallbackState {
    /// For later: not before a time, within opening hours, or until the next attempt.
    Scheduled,
    /// Stands in the queue.
    Waiting,
    /// An agent is reserved and the customer is being rung.
    Dialling,
    /// An agent has talked to the customer.
    Done,
    /// Given up after the last attempt.
    Failed,
    /// The customer rang in first, or somebody took it back.
    Cancelled,
}

impl CallbackState {
    /// Nothing more will come of it.
    pub fn is_final(self) -> bool {
        matches!(self, CallbackState::Done | CallbackState::Failed | CallbackState::Cancelled)
    }
}

/// Why an attempt came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptFailure {
    Busy,
    NoAnswer,
    Declined,
    /// The number does not exist, or no trunk is up.
    Unreachable,
    /// Somebody or something answered, and no key was pressed.
    NotConfirmed,
}

/// Where the caller's own call came from: the way back where a trunk has no servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub transport: Transport,
    pub address: SocketAddr,
}

/// Who wished for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wished {
    /// The caller, in a call: it keeps their place.
    #[default]
    InCall,
    OnTheWeb,
    /// Nobody: the caller gave up, and the queue's rules call back who does.
    Abandoned,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Callback {
    pub id: CallbackId,
    /// The call in which it was asked for, or whose caller gave up; `None` for one asked for on the web.
    pub call_id: Option<CallId>,
    #[serde(default)]
    pub wished: Wished,
    /// In the centre's one form: E.164 where it can be told.
    pub number: String,
    pub queue: QueueId,
    #[serde(flatten)]
    pub demand: Demand,
    pub language: Language,
    /// The trunk the caller came by; any that may dial the number when `None`.
    pub trunk: Option<TrunkId>,
    pub origin: Option<Origin>,
    /// The number the caller had dialled; the customer sees it.
    pub dialled: Option<String>,
    #[serde(with = "millis")]
    pub asked_at: Wall,
    /// The place in the queue: since when the caller has waited.
    #[serde(with = "millis")]
    pub waiting_since: Wall,
    #[serde(with = "millis")]
    pub not_before: Wall,
    pub attempts: u32,
    pub state: CallbackState,
    pub last_failure: Option<AttemptFailure>,
}

//! What the distributor refuses, and what to do about it.

use crate::ids::{AgentId, CallId, QueueId};
use crate::views::AgentState;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnqueueError {
    #[error("queue '{queue}' does not exist{}", did_you_mean(nearest.as_ref().map(QueueId::as_str)))]
    NoSuchQueue { queue: QueueId, nearest: Option<QueueId> },
    #[error("queue '{queue}' is full: {limit} wait, and max_waiting is {limit}")]
    Full { queue: QueueId, limit: usize },
    #[error("contact {contact} is already in a queue or with an agent; it must leave first")]
    AlreadyWaiting { contact: CallId },
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    #[error("agent '{agent}' does not exist{}", did_you_mean(nearest.as_ref().map(AgentId::as_str)))]
    UnknownAgent { agent: AgentId, nearest: Option<AgentId> },
    #[error("agent {agent} has no phone: register one as {agent}, then log in")]
    NoPhone { agent: AgentId },
    #[error("agent {agent} is {}, and only an available agent can be called directly", state_name(*state))]
    NotAvailable { agent: AgentId, state: AgentState },
    #[error("contact {contact} is already in a queue or with an agent; it must leave first")]
    ContactTaken { contact: CallId },
    #[error("agent {agent} is {}, and only a wrap-up can be made longer", state_name(*state))]
    NotInWrapUp { agent: AgentId, state: AgentState },
}

impl AgentError {
    /// HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            AgentError::UnknownAgent { .. } => 404,
            AgentError::NoPhone { .. }
            | AgentError::NotAvailable { .. }
            | AgentError::ContactTaken { .. }
            | AgentError::NotInWrapUp { .. } => 409,
        }
    }

    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            AgentError::UnknownAgent { .. } => "unknown_agent",
            AgentError::NoPhone { .. } => "agent_without_phone",
            AgentError::NotAvailable { .. } => "agent_not_available",
            AgentError::ContactTaken { .. } => "contact_taken",
            AgentError::NotInWrapUp { .. } => "agent_not_in_wrap_up",
        }
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!("; did you mean '{nearest}'?"))
}

fn state_name(state: AgentState) -> &'static str {
    match state {
        AgentState::LoggedOut => "logged out",
        AgentState::Available => "available",
        AgentState::Reserved => "reserved",
        AgentState::Ringing => "ringing",
        AgentState::Talking => "talking",
        AgentState::Holding => "holding",
        AgentState::WrapUp => "in wrap-up",
        AgentState::Paused => "paused",
        AgentState::NotResponding => "not responding",
    }
}

/// The known name most like the asked one; ties go to the first.
pub(super) fn nearest<'a>(asked: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(f64, &str)> = None;
    for name in known {
        let likeness = strsim::jaro_winkler(asked, name);
        if likeness > best.map_or(0.0, |(most, _)| most) {
            best = Some((likeness, name));
        }
    }
    best.map(|(_, name)| name)
}

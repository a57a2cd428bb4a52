//! What agents do, as it is written down: every change of state with its cause. Reports are made of it, and a new process
//! takes up what the last one left.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{AgentId, CallId, QueueId, Skill};
use crate::record::millis;
use crate::time::Wall;
use crate::views::AgentState;

/// Why an offer came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoAnswer {
    /// The phone was offered the call for the whole ring time.
    Timeout,
    /// 486, 600.
    Busy,
    /// 603 and other refusals by the person or their phone.
    Declined,
    HungUpWhileRinging,
    /// No phone could be rung.
    Unreachable,
}

impl NoAnswer {
    /// It was the person, and not their phone, that did not take the call.
    pub fn is_the_agents(self) -> bool {
        !matches!(self, NoAnswer::Busy | NoAnswer::Unreachable)
    }
}

/// What last changed an agent's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The configuration brought the agent in, or changed their queues or skills.
    Configured,
    /// The hours in which they are a member of a queue began or ended.
    Scheduled,
    /// The configuration no longer knows the agent.
    Dismissed,
    PhoneRegistered,
    PhoneLost,
    /// `set_state`.
    Asked,
    Offered,
    PhoneRang,
    Answered,
    /// A colleague handed a call over to them.
    HandedOver,
    Held,
    Resumed,
    OfferFailed(NoAnswer),
    /// The caller left, or the offer was taken back.
    OfferWithdrawn,
    TalkEnded,
    WrapUpEnded,
    /// The process ended, or died.
    Stopped,
    /// A new process took up what the last one had left.
    TakenUp,
}

/// What an agent, or somebody for them, asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    Available,
    /// With a reason of the operator's list, which the engine checks.
    Paused(String),
    LoggedOut,
}

/// What a phone that comes back brings the agent back to: a registration that lapsed ends no pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resume {
    Available,
    Paused(String),
    NotResponding,
}

/// For whom an agent works.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub queues: Vec<QueueId>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skills: BTreeMap<Skill, u8>,
}

/// An agent's state from a moment on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentChange {
    pub agent: AgentId,
    #[serde(with = "millis")]
    pub at: Wall,
    pub state: AgentState,
    pub cause: Cause,
    /// Why they pause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whom they are rung for, talk to, or wrap up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<CallId>,
    /// The queue that brought the call; `None` for one that goes straight to the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueId>,
    /// Told when the agent logs in, and when it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_of: Option<Membership>,
    /// Of one who is logged out for want of a phone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<Resume>,
    /// Asked for during a talk: it takes effect after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Wanted>,
}

impl AgentChange {
    /// What a phone brings the agent back to when the process ends in this state; `None` for one who logged out.
    pub fn resumes(&self) -> Option<Resume> {
        match self.state {
            AgentState::LoggedOut => self.resume.clone(),
            AgentState::Paused => Some(Resume::Paused(self.reason.clone().unwrap_or_default())),
            AgentState::NotResponding => Some(Resume::NotResponding),
            AgentState::Available
            | AgentState::Reserved
            | AgentState::Ringing
            | AgentState::Talking
            | AgentState::Holding
            | AgentState::WrapUp => match &self.wanted {
                Some(Wanted::LoggedOut) => None,
                Some(Wanted::Paused(reason)) => Some(Resume::Paused(reason.clone())),
                Some(Wanted::Available) | None => Some(Resume::Available),
            },
        }
    }

    /// The process ends: nobody works until the next one begins.
    pub fn stopped(&self, at: Wall) -> AgentChange {
        AgentChange {
            agent: self.agent.clone(),
            at: at.max(self.at),
            state: AgentState::LoggedOut,
            cause: Cause::Stopped,
            reason: None,
            call_id: None,
            queue: None,
            member_of: None,
            resume: self.resumes(),
            wanted: None,
        }
    }
}

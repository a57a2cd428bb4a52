//! What each agent is doing, and to which lines the time goes.

use super::By;
use super::sums::Sums;
use crate::shift::{AgentChange, Cause, Membership};
use crate::time::Wall;
use crate::views::AgentState;

/// An agent's state since a moment.
#[derive(Clone, Debug)]
pub(super) struct Spell {
    pub since: Wall,
    pub last: AgentChange,
    pub member_of: Membership,
}

impl Spell {
    /// The agent goes into another state, from the one before where that is known.
    pub fn after(before: Option<Spell>, change: AgentChange) -> Spell {
        let known = before.map(|before| before.member_of).unwrap_or_default();
        let member_of = change.member_of.clone().unwrap_or(known);
        Spell { since: change.at, last: change, member_of }
    }

    /// The time of a state with a contact is its queue's; that of any other is of every queue the agent serves.
    pub fn lines(&self, by: By) -> Vec<Option<String>> {
        match by {
            By::All => vec![None],
            By::Agent => vec![Some(self.last.agent.to_string())],
            By::Skill => self.member_of.skills.keys().map(|skill| Some(skill.to_string())).collect(),
            By::Queue if self.last.call_id.is_some() => {
                self.last.queue.iter().map(|queue| Some(queue.to_string())).collect()
            }
            By::Queue => self.member_of.queues.iter().map(|queue| Some(queue.to_string())).collect(),
            By::Number => Vec::new(),
        }
    }

    /// So much time in this state.
    pub fn time(&self, ms: u64) -> Sums {
        let mut sums = Sums::default();
        match self.last.state {
            AgentState::LoggedOut => {}
            AgentState::Available => sums.available_ms = ms,
            AgentState::Reserved => sums.reserved_ms = ms,
            AgentState::Ringing => sums.ringing_ms = ms,
            AgentState::Talking => sums.talking_ms = ms,
            AgentState::Holding => sums.holding_ms = ms,
            AgentState::WrapUp => sums.wrap_up_ms = ms,
            AgentState::Paused => sums.paused_ms = ms,
            AgentState::NotResponding => sums.not_responding_ms = ms,
        }
        sums
    }
}

/// An offer that begins or fails with this change.
pub(super) fn event(cause: Cause) -> Option<Sums> {
    let none = Sums::default();
    match cause {
        Cause::Offered => Some(Sums { offers: 1, ..none }),
        Cause::OfferFailed(why) if why.is_the_agents() => Some(Sums { unanswered: 1, ..none }),
        Cause::OfferFailed(_) => Some(Sums { unreachable: 1, ..none }),
        _ => None,
    }
}

//! Calls that pass from one agent to another.

use smallvec::smallvec;

use super::agent::Duty;
use super::contact::{Contact, Medium, Place, Stage};
use super::{Acd, AgentError, Cause};
use crate::demand::Demand;
use crate::ids::{AgentId, CallId, QueueId};
use crate::time::Now;
use crate::views::AgentState;

impl Acd {
    /// Rings again the agent who handed a call over that nobody took: as `seize`, and also out of a wrap-up, which ends.
    pub fn recall(&mut self, agent: &AgentId, contact: CallId, now: Now) -> Result<(), AgentError> {
        let index = self.find(agent)?;
        let wraps_up = self.agents.get(&index).is_some_and(|agent| matches!(agent.duty, Duty::WrapUp { .. }));
        if !wraps_up {
            return self.seize(agent, contact, now);
        }
        if self.contacts.contains_key(&contact) {
            return Err(AgentError::ContactTaken { contact });
        }
        if self.agents.get(&index).is_none_or(|agent| agent.leaving || !agent.reachable || agent.wanted.is_some()) {
            return Err(AgentError::NotAvailable { agent: agent.clone(), state: AgentState::WrapUp });
        }
        let place = Place::new(contact, 0, None, now.instant, self.next_arrival());
        let mut recalled = Contact::new(None, Medium::Voice, Demand::default(), place, now);
        recalled.stage = Stage::Offered(smallvec![index]);
        self.contacts.insert(contact, recalled);
        self.break_wrap_up(index, now);
        self.change(index, now, |agent| agent.enter(Duty::Reserved(contact), Cause::Offered, now));
        Ok(())
    }

    /// The agent who talks by `ticket` has the contact from now on, whose own agent is gone. Their wrap-up will be by the
    /// rule of `queue`.
    pub fn take_over(&mut self, contact: CallId, ticket: CallId, queue: Option<&QueueId>, now: Now) {
        if self.contacts.contains_key(&contact) {
            return;
        }
        let Some(index) = self.talks_with(ticket) else { return };
        let Some(mut taken) = self.contacts.remove(&ticket) else { return };
        taken.after = queue.and_then(|queue| self.queue_index.get(queue)).copied();
        self.contacts.insert(contact, taken);
        self.change(index, now, |agent| agent.enter(Duty::Talking(contact), Cause::HandedOver, now));
    }
}

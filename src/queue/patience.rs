//! What a contact insists on for a time only: skills and their levels, and one agent whom it waits for.

use std::time::Duration;

use super::agent::AgentIndex;
use super::contact::{Contact, Stage};
use super::order::Claim;
use super::skills::meet;
use super::{Acd, Timer};
use crate::ids::CallId;
use crate::time::Now;

impl Acd {
    /// The contact has waited long enough to ask for less.
    pub(super) fn widen(&mut self, id: CallId, now: Now) {
        let Some(contact) = self.contacts.get_mut(&id) else { return };
        let queue = contact.queue.and_then(|index| self.queues.get_mut(&index));
        let mut queue = queue.filter(|_| contact.stage == Stage::Waiting);
        if let Some(queue) = &mut queue {
            queue.close(contact);
        }
        if let Some(at) = contact.widen(now.instant, &self.skill_numbers) {
            self.timers.set(Timer::Widen(id), at);
        }
        if let Some(queue) = queue {
            queue.open(contact);
        }
        self.offer_contact(id, now);
    }

    /// The agent whom a contact of a queue prefers, and for how long they are waited for: who is at work there and can
    /// take it.
    pub(super) fn preferred(&self, contact: &Contact) -> Option<(AgentIndex, Duration)> {
        let preferred = contact.demand.prefer_agent.as_ref()?;
        let agent = *self.agent_index.get(&preferred.agent)?;
        self.may_be_waited_for(agent, contact).then_some((agent, preferred.wait))
    }

    fn may_be_waited_for(&self, agent: AgentIndex, contact: &Contact) -> bool {
        self.agents.get(&agent).is_some_and(|agent| {
            let serves = contact.queue.is_some_and(|queue| agent.queues.contains(&queue));
            agent.is_at_work() && serves && meet(&agent.has, &contact.asked)
        })
    }

    /// The time for which one agent was waited for is over.
    pub(super) fn prefer_no_longer(&mut self, id: CallId, now: Now) {
        self.open_to_all(id);
        self.offer_contact(id, now);
    }

    /// A contact that waited for one agent waits for anybody.
    pub(super) fn open_to_all(&mut self, id: CallId) {
        self.timers.clear(&Timer::Preferred(id));
        let Some(contact) = self.contacts.get_mut(&id) else { return };
        if contact.held_for.is_none() {
            return;
        }
        let queue = contact.queue.and_then(|index| self.queues.get_mut(&index));
        let mut queue = queue.filter(|_| contact.stage == Stage::Waiting);
        if let Some(queue) = &mut queue {
            queue.close(contact);
        }
        contact.held_for = None;
        if let Some(queue) = queue {
            queue.open(contact);
        }
    }

    /// The agent is not at work any more: those who wait for them are offered to others.
    pub(super) fn wait_no_longer_for(&mut self, index: AgentIndex, now: Now) {
        let Some(agent) = self.agents.get(&index) else { return };
        let mut waiting: Vec<Claim> = Vec::new();
        for queue_index in &agent.queues {
            let Some(queue) = self.queues.get(queue_index) else { continue };
            let held = queue.unoffered.held_for(index);
            waiting.extend(held.map(|place| Claim::new(*place, *queue_index, queue)));
        }
        if waiting.is_empty() {
            return;
        }
        waiting.iter().for_each(|claim| self.open_to_all(claim.place.contact));
        self.offer_in_order(waiting, now);
    }

    /// After a change of configuration: an agent may be gone, or serve other queues, or have other skills.
    pub(super) fn give_up_vain_waits(&mut self) {
        let held = self.queues.values().flat_map(|queue| queue.unoffered.held());
        let in_vain = held.filter(|(agent, place)| {
            let contact = self.contacts.get(&place.contact);
            contact.is_none_or(|contact| !self.may_be_waited_for(*agent, contact))
        });
        let in_vain: Vec<CallId> = in_vain.map(|(_, place)| place.contact).collect();
        in_vain.into_iter().for_each(|contact| self.open_to_all(contact));
    }
}

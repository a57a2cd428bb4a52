//! Nobody starves: no agent is offered a contact while another waits that they could be offered as well and that stands
//! before it, with the priority that it has gained by waiting.
//!
//! Who goes by the order of their queues passes nobody who has a whole step of priority more. What is held back as cold
//! work may be passed, until its time is over.
//!
//! A bound of the wait follows. In a queue where a step of priority is worth the time s, one who has waited since t with
//! the priority p is passed only by contacts of a priority q that came before t + (q - p) * s; q is 100 at most. All
//! who come later are served after it by every agent who could serve it.

use super::*;
use crate::settings::CallPreference;

impl Acd {
    /// Those who wait and are not being offered.
    pub(super) fn left_waiting(&self) -> Vec<Contact> {
        self.contacts.values().filter(|contact| contact.stage == Stage::Waiting).cloned().collect()
    }

    /// These offers were made while `waiting` waited.
    pub(super) fn check_nobody_is_passed(
        &self,
        waiting: &[Contact],
        offers: &[(CallId, AgentId)],
        now: Instant,
    ) -> Result<(), String> {
        for (taken, agent) in offers {
            let (Some(taken), Some(index)) = (self.contacts.get(taken), self.agent_index.get(agent)) else { continue };
            for passed in waiting.iter().filter(|contact| self.could_have(*index, contact, now)) {
                let (ahead, behind) = (self.gained(passed, now), self.gained(taken, now));
                let passes = match self.agents[index].preference {
                    CallPreference::GreatestNeed => ahead > behind + 1e-6,
                    // Who has a whole step more is not passed.
                    CallPreference::QueueOrder => (ahead - 1e-6).floor() > (behind + 1e-6).floor(),
                };
                if passes {
                    let (id, priority) = (passed.place.contact, passed.demand.priority);
                    return Err(format!(
                        "agent {agent} is offered {} of {behind}, and {id} of {ahead} ({priority}) waits on",
                        taken.place.contact
                    ));
                }
            }
        }
        Ok(())
    }

    /// The contact has waited all the time, and the agent might have been offered it.
    fn could_have(&self, index: AgentIndex, contact: &Contact, now: Instant) -> bool {
        let agent = &self.agents[&index];
        let unchanged = self.contacts.get(&contact.place.contact).is_some_and(|still| {
            still.stage == Stage::Waiting
                && (&still.asked, still.held_for, &still.barred) == (&contact.asked, contact.held_for, &contact.barred)
        });
        unchanged
            && !contact.cold
            && contact.queue.is_some_and(|queue| agent.queues.contains(&queue))
            && meet(&agent.has, &contact.asked)
            && contact.held_for.is_none_or(|preferred| preferred == index)
            && !contact.is_barred(index, now)
    }

    /// The priority with what was gained by waiting.
    fn gained(&self, contact: &Contact, now: Instant) -> f64 {
        let priority = f64::from(contact.demand.priority);
        let Some(queue) = contact.queue.and_then(|index| self.queues.get(&index)) else { return priority };
        let step = queue.settings.priority_step.unwrap_or(queue.settings.answer_within * 3).as_secs_f64();
        if step > 0.0 { priority + now.since(contact.place.since).as_secs_f64() / step } else { priority }
    }
}

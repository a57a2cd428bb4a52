//! The choice: a contact looks for an agent, or an agent who came free for a contact. Each looks at the heads of
//! ordered sets, past those that are barred for each other.

use smallvec::SmallVec;

use super::agent::{AgentIndex, Duty};
use super::contact::{Place, Stage};
use super::queues::QueueIndex;
use super::skills::meet;
use super::{Acd, AcdEvent, Cause, OfferReason, Timer};
use crate::ids::CallId;
use crate::time::Now;

impl Acd {
    /// Offers a waiting contact to the longest-idle agent of its queue, if there is one for it.
    pub(super) fn offer_contact(&mut self, id: CallId, now: Now) {
        let Some(contact) = self.contacts.get(&id).filter(|contact| contact.stage == Stage::Waiting) else { return };
        let Some(queue_index) = contact.queue else { return };
        let Some(queue) = self.queues.get(&queue_index) else { return };
        let mut idle = queue.idle.with(&contact.skills).filter(|idle| {
            let agent = self.agents.get(&idle.agent);
            agent.is_some_and(|agent| meet(&agent.skills, &contact.skills))
                && !contact.is_barred(idle.agent, now.instant)
        });
        let Some(chosen) = idle.next().copied() else { return };
        let runner_up = idle.next().and_then(|idle| self.agents.get(&idle.agent)).map(|agent| agent.id.clone());
        drop(idle);
        let reason = OfferReason::LongestIdle { idle: now.instant.since(chosen.since), runner_up };
        self.offer(id, queue_index, chosen.agent, reason, now);
    }

    /// Offers an idle agent the contact that has waited longest in their queues, if there is one for them. Of equals
    /// the one in the queue that the agent prefers.
    pub(super) fn employ(&mut self, index: AgentIndex, now: Now) {
        let Some(agent) = self.agents.get(&index).filter(|agent| agent.listed.is_some()) else { return };
        let mut best: SmallVec<[(usize, QueueIndex, Place); 8]> = SmallVec::new();
        for (preference, queue_index) in agent.queues.iter().enumerate() {
            let Some(queue) = self.queues.get(queue_index) else { continue };
            let for_agent = |place: &&Place| {
                self.contacts.get(&place.contact).is_some_and(|contact| !contact.is_barred(index, now.instant))
            };
            for places in queue.unoffered.groups_for(&agent.skills) {
                let heads = places.iter().filter(for_agent).take(2);
                best.extend(heads.map(|place| (preference, *queue_index, *place)));
            }
        }
        best.sort_unstable_by_key(|(preference, _, place)| (place.since, *preference, place.arrival));
        let Some((_, queue_index, chosen)) = best.first().copied() else { return };
        let runner_up = best.get(1).map(|(_, _, place)| place.contact);
        let reason = OfferReason::LongestWaiting { waited: now.instant.since(chosen.since), runner_up };
        self.offer(chosen.contact, queue_index, index, reason, now);
    }

    /// After a change of configuration: everyone who waits, the longest first.
    pub(super) fn offer_all(&mut self, now: Now) {
        let mut waiting: Vec<Place> = self.queues.values().flat_map(|queue| queue.unoffered.iter().copied()).collect();
        waiting.sort_unstable();
        for place in waiting {
            self.offer_contact(place.contact, now);
        }
    }

    fn offer(&mut self, id: CallId, queue_index: QueueIndex, index: AgentIndex, reason: OfferReason, now: Now) {
        let Some(contact) = self.contacts.get_mut(&id) else { return };
        let Some(queue) = self.queues.get_mut(&queue_index) else { return };
        let Some(agent) = self.agents.get(&index) else { return };
        contact.stage = Stage::Offered(index);
        queue.unoffered.remove(&contact.place, &contact.skills);
        self.timers.set(Timer::Ring(id), now.instant + queue.settings.ring_timeout);
        let queue = queue.settings.id.clone();
        self.events.push_back(AcdEvent::Offer { contact: id, agent: agent.id.clone(), queue, reason });
        self.change(index, |agent| agent.enter(Duty::Reserved(id), Cause::Offered, now));
    }
}

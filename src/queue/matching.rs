//! The choice: a contact looks for an agent, or an agent who came free for a contact. Each looks at the heads of
//! ordered sets, past those that are barred for each other.

use smallvec::SmallVec;

use super::agent::{Agent, AgentIndex, Duty, Idle};
use super::contact::{Medium, Stage};
use super::order::Claim;
use super::queues::QueueIndex;
use super::skills::meet;
use super::{Acd, AcdEvent, Cause, Timer};
use crate::ids::CallId;
use crate::time::{Instant, Now};
use crate::trace::{Candidate, Decision, MOST_RUNNERS_UP, Rule};

/// The chosen one and the runners-up.
const KEPT: usize = 1 + MOST_RUNNERS_UP;

impl Acd {
    /// Offers a waiting contact to the longest-idle agent of its queue, if there is one for it.
    pub(super) fn offer_contact(&mut self, id: CallId, now: Now) {
        let Some(contact) = self.contacts.get(&id).filter(|contact| contact.stage == Stage::Waiting) else { return };
        let Some(queue_index) = contact.queue else { return };
        let Some(queue) = self.queues.get(&queue_index) else { return };
        let asked = &contact.asked;
        let idle = queue.idle.with(asked).filter(|idle| {
            let agent = self.agents.get(&idle.agent);
            agent.is_some_and(|agent| meet(&agent.skills, asked)) && !contact.is_barred(idle.agent, now.instant)
        });
        let first: SmallVec<[Idle; KEPT]> = idle.copied().take(KEPT).collect();
        let Some(chosen) = first.first() else { return };
        let rule = match first.get(1) {
            None => Rule::OnlyOne,
            Some(next) if next.since != chosen.since => Rule::LongestIdle,
            Some(next) if next.logged_in != chosen.logged_in => Rule::FirstLoggedIn,
            Some(_) => Rule::Lot,
        };
        let candidates = first.iter().filter_map(|idle| self.agent_candidate(idle, now.instant));
        self.offer(id, queue_index, chosen.agent, rule, candidates.collect(), now);
    }

    fn agent_candidate(&self, idle: &Idle, now: Instant) -> Option<Candidate> {
        let agent = self.agents.get(&idle.agent)?.id.clone();
        Some(Candidate::Agent { agent, idle_ms: millis(now.since(idle.since)) })
    }

    /// Offers an idle agent the contact that is first of all in their queues, if there is one for them.
    pub(super) fn employ(&mut self, index: AgentIndex, now: Now) {
        let Some(agent) = self.agents.get(&index).filter(|agent| agent.listed.is_some()) else { return };
        let first = self.first_claims(index, agent, now.instant);
        let Some(chosen) = first.first() else { return };
        let rule = first.get(1).map_or(Rule::OnlyOne, |next| chosen.compare(next, now.instant).1);
        let candidates = first.iter().filter_map(|claim| self.contact_candidate(claim, now.instant));
        self.offer(chosen.place.contact, chosen.queue, index, rule, candidates.collect(), now);
    }

    /// The first contacts that the agent can be offered, in order.
    fn first_claims(&self, index: AgentIndex, agent: &Agent, now: Instant) -> SmallVec<[Claim; KEPT]> {
        let mut first: SmallVec<[Claim; KEPT]> = SmallVec::new();
        for (preference, queue_index) in agent.queues.iter().enumerate() {
            let Some(queue) = self.queues.get(queue_index) else { continue };
            for places in queue.unoffered.groups_for(&agent.skills) {
                for place in places {
                    let claim = Claim::new(*place, *queue_index, queue, preference);
                    let at = first.partition_point(|earlier| earlier.is_before(&claim, now));
                    if at >= KEPT {
                        // Who comes later in the group is further back still.
                        break;
                    }
                    let contact = self.contacts.get(&place.contact);
                    if contact.is_some_and(|contact| !contact.is_barred(index, now)) {
                        first.truncate(KEPT - 1);
                        first.insert(at, claim);
                    }
                }
            }
        }
        first
    }

    fn contact_candidate(&self, claim: &Claim, now: Instant) -> Option<Candidate> {
        Some(Candidate::Contact {
            call_id: claim.place.contact,
            queue: self.queues.get(&claim.queue)?.settings.id.clone(),
            priority: claim.priority(now),
            ratio: claim.ratio(now),
            waited_ms: millis(claim.waited(now)),
        })
    }

    /// After a change of configuration: everyone who waits, the first of all first.
    pub(super) fn offer_all(&mut self, now: Now) {
        let mut waiting: Vec<Claim> = Vec::new();
        for (index, queue) in &self.queues {
            waiting.extend(queue.unoffered.iter().map(|place| Claim::new(*place, *index, queue, 0)));
        }
        waiting.sort_unstable_by(|a, b| a.compare(b, now.instant).0);
        for claim in waiting {
            self.offer_contact(claim.place.contact, now);
        }
    }

    fn offer(
        &mut self,
        id: CallId,
        queue_index: QueueIndex,
        index: AgentIndex,
        rule: Rule,
        candidates: SmallVec<[Candidate; KEPT]>,
        now: Now,
    ) {
        let Some(contact) = self.contacts.get_mut(&id) else { return };
        let Some(queue) = self.queues.get_mut(&queue_index) else { return };
        let Some(agent) = self.agents.get(&index).map(|agent| agent.id.clone()) else { return };
        let Some(reason) = Decision::new(now.wall, queue.settings.id.clone(), agent.clone(), rule, candidates) else {
            return;
        };
        contact.stage = Stage::Offered(index);
        queue.unoffered.remove(&contact.place, &contact.asked);
        // A customer is rung first, and the agent only when somebody is there.
        if contact.medium == Medium::Voice {
            self.timers.set(Timer::Ring(id), now.instant + queue.settings.ring_timeout);
        }
        self.events.push_back(AcdEvent::Offer { contact: id, agent, reason: Box::new(reason) });
        self.change(index, |agent| agent.enter(Duty::Reserved(id), Cause::Offered, now));
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

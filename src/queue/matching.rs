//! The choice: a contact looks for an agent, or an agent who came free for a contact. Each looks at the heads of
//! ordered sets, past those that are barred for each other.

use smallvec::SmallVec;

use super::agent::{Agent, AgentIndex, Duty};
use super::choice::Fitting;
use super::contact::{Medium, Stage};
use super::order::Claim;
use super::queues::{Queue, QueueIndex};
use super::{Acd, AcdEvent, Cause, Timer};
use crate::ids::CallId;
use crate::time::{Instant, Now};
use crate::trace::{Candidate, Decision, MOST_RUNNERS_UP, Rule};

/// The chosen one and the runners-up.
pub(super) const KEPT: usize = 1 + MOST_RUNNERS_UP;

/// The agents who are rung, each with the reason.
type Offers = SmallVec<[(AgentIndex, Box<Decision>); 1]>;

impl Acd {
    /// Offers a waiting contact to the agent of its queue whom it waits for, or to those whom the queue's choice puts
    /// first, if there are any for it.
    pub(super) fn offer_contact(&mut self, id: CallId, now: Now) {
        let Some(contact) = self.contacts.get(&id).filter(|contact| contact.stage == Stage::Waiting) else { return };
        let Some(queue_index) = contact.queue else { return };
        let Some(queue) = self.queues.get(&queue_index) else { return };
        if contact.cold && !queue.has_time_for_cold_work() {
            return;
        }
        let preferred = contact.held_for;
        let can_be_had = |agent: &AgentIndex| self.agents.get(agent).is_some_and(|agent| agent.listed.is_some());
        if preferred.is_some_and(|agent| !can_be_had(&agent)) {
            return;
        }
        // One who is reserved while a customer is rung, and one who is waited for, are alone.
        let alone = preferred.is_some() || contact.medium == Medium::Callback;
        let at_once = if alone { 1 } else { queue.settings.ring_at_once.max(1) };
        let fitting = self.fitting(queue, contact, at_once + MOST_RUNNERS_UP, now.instant);
        let others = fitting.iter().map(Fitting::agent).filter(|agent| Some(*agent) != preferred);
        let agents: SmallVec<[AgentIndex; KEPT]> = preferred.into_iter().chain(others).collect();
        let candidates = agents.iter().filter_map(|agent| self.agent_candidate(queue, contact, *agent, now.instant));
        let candidates: SmallVec<[Candidate; KEPT]> = candidates.collect();
        let offers = agents.iter().take(at_once).enumerate().filter_map(|(n, agent)| {
            let rule = match preferred {
                Some(_) => Rule::PreferredAgent,
                None => self.rule_of(queue, fitting.get(n)?, fitting.get(n + 1)),
            };
            Some((*agent, self.reason(queue, *agent, rule, candidates.get(n..)?, now)?))
        });
        let offers = offers.collect();
        self.offer(id, queue_index, offers, now);
    }

    /// Offers an idle agent the contact that is first of all in their queues, if there is one for them.
    pub(super) fn employ(&mut self, index: AgentIndex, now: Now) {
        let Some(agent) = self.agents.get(&index).filter(|agent| agent.is_free()) else { return };
        let first = self.first_claims(index, agent, now.instant);
        let Some(chosen) = first.first() else { return };
        let Some(queue) = self.queues.get(&chosen.queue) else { return };
        let rule = first.get(1).map_or(Rule::OnlyOne, |next| chosen.compare(next, now.instant).1);
        let candidates = first.iter().filter_map(|claim| self.contact_candidate(claim, now.instant));
        let candidates: SmallVec<[Candidate; KEPT]> = candidates.collect();
        let offer = self.reason(queue, index, rule, &candidates, now).map(|reason| (index, reason));
        self.offer(chosen.place.contact, chosen.queue, offer.into_iter().collect(), now);
    }

    fn reason(
        &self,
        queue: &Queue,
        agent: AgentIndex,
        rule: Rule,
        candidates: &[Candidate],
        now: Now,
    ) -> Option<Box<Decision>> {
        let agent = self.agents.get(&agent)?.id.clone();
        let decision = Decision::new(now.wall, queue.settings.id.clone(), agent, rule, candidates.iter().cloned())?;
        Some(Box::new(Decision { off_schedule: queue.agents_off_schedule, ..decision }))
    }

    /// The first contacts that the agent can be offered, in order.
    fn first_claims(&self, index: AgentIndex, agent: &Agent, now: Instant) -> SmallVec<[Claim; KEPT]> {
        let mut first: SmallVec<[Claim; KEPT]> = SmallVec::new();
        for (preference, queue_index) in agent.queues.iter().enumerate() {
            let Some(queue) = self.queues.get(queue_index) else { continue };
            for places in queue.unoffered.groups_for(index, &agent.has) {
                for place in places {
                    let claim = Claim::new(*place, *queue_index, queue).of_agent(preference, agent.preference);
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
            waiting.extend(queue.unoffered.iter().map(|place| Claim::new(*place, *index, queue)));
        }
        self.offer_in_order(waiting, now);
    }

    pub(super) fn offer_in_order(&mut self, mut waiting: Vec<Claim>, now: Now) {
        waiting.sort_unstable_by(|a, b| a.compare(b, now.instant).0);
        for claim in waiting {
            self.offer_contact(claim.place.contact, now);
        }
    }

    /// To all these agents at once.
    fn offer(&mut self, id: CallId, queue_index: QueueIndex, offers: Offers, now: Now) {
        let Some((last, _)) = offers.last() else { return };
        let Some(contact) = self.contacts.get_mut(&id) else { return };
        let Some(queue) = self.queues.get_mut(&queue_index) else { return };
        contact.stage = Stage::Offered(offers.iter().map(|(index, _)| *index).collect());
        queue.close(contact);
        contact.held_for = None;
        queue.served_last = Some(*last);
        self.timers.clear(&Timer::Preferred(id));
        let is_cold = contact.cold;
        // A customer is rung first, and the agent only when somebody is there.
        if contact.medium == Medium::Voice {
            self.timers.set(Timer::Ring(id), now.instant + queue.settings.ring_timeout);
        }
        if is_cold {
            self.keep_looking(queue_index, now);
        }
        for (index, reason) in offers {
            self.events.push_back(AcdEvent::Offer { contact: id, agent: reason.agent.clone(), reason });
            self.change(index, now, |agent| agent.enter(Duty::Reserved(id), Cause::Offered, now));
        }
    }
}

pub(super) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

//! What contacts go through: the queue, offers, the talk.

use std::time::Duration;

use smallvec::smallvec;

use super::agent::{AgentIndex, Duty, Resume};
use super::contact::{Contact, Medium, Place, Stage};
use super::error::nearest;
use super::queues::Queue;
use super::{Acd, AcdEvent, AgentError, Cause, EnqueueError, NoAnswer, Timer};
use crate::demand::Demand;
use crate::ids::{AgentId, CallId, QueueId};
use crate::time::{Instant, Now};
use crate::views::AgentState;

impl Acd {
    /// Puts a contact in line and offers it at once where an agent is free; otherwise its position is announced.
    /// `waiting_since` lies before `now` when a place is regained or kept, or when time before the queue counts
    /// (`Demand::counted`).
    pub fn enqueue(
        &mut self,
        contact: CallId,
        queue: &QueueId,
        demand: &Demand,
        waiting_since: Instant,
        now: Now,
    ) -> Result<(), EnqueueError> {
        self.line_up(contact, queue, demand, waiting_since, (Medium::Voice, false), now)
    }

    /// Puts a call-back in line. It is offered to an agent like anybody; the one who is reserved is not rung before
    /// `reached`. No time is kept for that: `leave` takes it out again.
    pub fn enqueue_callback(
        &mut self,
        contact: CallId,
        queue: &QueueId,
        demand: &Demand,
        waiting_since: Instant,
        now: Now,
    ) -> Result<(), EnqueueError> {
        self.line_up(contact, queue, demand, waiting_since, (Medium::Callback, false), now)
    }

    /// The same for one that nobody waits for on the line: it is held back until agents have time for it. An agent whom
    /// it prefers is not waited for.
    pub fn enqueue_cold_callback(
        &mut self,
        contact: CallId,
        queue: &QueueId,
        demand: &Demand,
        waiting_since: Instant,
        now: Now,
    ) -> Result<(), EnqueueError> {
        self.line_up(contact, queue, demand, waiting_since, (Medium::Callback, true), now)
    }

    fn line_up(
        &mut self,
        contact: CallId,
        queue: &QueueId,
        demand: &Demand,
        waiting_since: Instant,
        (medium, cold): (Medium, bool),
        now: Now,
    ) -> Result<(), EnqueueError> {
        if self.contacts.contains_key(&contact) {
            return Err(EnqueueError::AlreadyWaiting { contact });
        }
        let open = |index| self.queues.get(index).is_some_and(|queue| !queue.draining);
        let Some(index) = self.queue_index.get(queue).filter(|index| open(index)).copied() else {
            let names = self.queues.values().filter(|queue| !queue.draining).map(|queue| queue.settings.id.as_str());
            let nearest = nearest(queue.as_str(), names).map(QueueId::from);
            return Err(EnqueueError::NoSuchQueue { queue: queue.clone(), nearest });
        };
        let arrival = self.next_arrival();
        let Some(entered) = self.queues.get_mut(&index) else { return Ok(()) };
        let full = |limit: &usize| medium == Medium::Voice && entered.callers() >= *limit;
        if let Some(limit) = entered.settings.max_waiting.filter(full) {
            return Err(EnqueueError::Full { queue: queue.clone(), limit });
        }
        let since = waiting_since.min(now.instant);
        let place = Place::new(contact, demand.priority, entered.priority_step(), since, arrival);
        let mut fresh = Contact::new(Some(index), medium, demand.clone(), place, now);
        fresh.number(&self.skill_numbers);
        fresh.widens_by(demand.widen.as_ref().unwrap_or(&entered.settings.widen));
        if let Some(at) = fresh.widen(now.instant, &self.skill_numbers) {
            self.timers.set(Timer::Widen(contact), at);
        }
        let hold_back = entered.settings.callback.hold_back;
        fresh.cold = cold && !hold_back.is_zero();
        if fresh.cold {
            self.timers.set(Timer::HeldBack(contact), now.instant + hold_back);
        } else if let Some((agent, wait)) = self.preferred(&fresh) {
            fresh.held_for = Some(agent);
            self.timers.set(Timer::Preferred(contact), now.instant + wait);
        }
        let Some(entered) = self.queues.get_mut(&index) else { return Ok(()) };
        if !fresh.cold {
            entered.line.insert(place);
        }
        entered.open(&fresh);
        entered.contacts += 1;
        match medium {
            Medium::Voice => entered.voice_comes(&place),
            Medium::Callback => entered.callbacks += 1,
        }
        self.changed_queues.insert(index);
        let held_back = fresh.cold;
        self.contacts.insert(contact, fresh);
        self.keep_looking(index, now);
        self.offer_contact(contact, now);
        if !held_back && !self.is_offered(contact) {
            self.note_waiting(contact, now);
        }
        self.announce_unless_offered(contact, now);
        Ok(())
    }

    /// The customer of a call-back is on the line: from now on the contact is a caller who waits at the same place. Gives
    /// the agent who is reserved, to be rung; without one an `Offer` follows.
    pub fn reached(&mut self, id: CallId, now: Now) -> Option<AgentId> {
        self.contacts.get(&id).filter(|contact| contact.medium == Medium::Callback)?;
        self.admit(id, now);
        let contact = self.contacts.get_mut(&id)?;
        contact.medium = Medium::Voice;
        contact.called_back = true;
        let (agent, queue_index) = (contact.offered_to().first().copied(), contact.queue?);
        let queue = self.queues.get_mut(&queue_index)?;
        queue.callbacks = queue.callbacks.saturating_sub(1);
        queue.voice_comes(&contact.place);
        let ring_timeout = queue.settings.ring_timeout;
        self.changed_queues.insert(queue_index);
        if agent.is_none() {
            // It was held back, and somebody may be free.
            self.offer_contact(id, now);
            if !self.is_offered(id) {
                self.note_waiting(id, now);
            }
        }
        self.announce_unless_offered(id, now);
        let agent = self.agents.get(&agent?)?.id.clone();
        self.timers.set(Timer::Ring(id), now.instant + ring_timeout);
        Some(agent)
    }

    /// The contact is over, in whatever stage it is. A talk ends as by `talk_ended`.
    pub fn leave(&mut self, contact: CallId, now: Now) {
        self.take_out(contact, false, now);
    }

    /// The contact goes elsewhere unanswered: not its caller has given up.
    pub fn overflow(&mut self, contact: CallId, now: Now) {
        self.take_out(contact, true, now);
    }

    fn take_out(&mut self, contact: CallId, elsewhere: bool, now: Now) {
        match self.contacts.get(&contact).map(|contact| contact.stage.clone()) {
            None => {}
            Some(Stage::Talking(_)) => self.talk_ended(contact, now),
            Some(Stage::Waiting) => self.leave_line(contact, elsewhere, now),
            Some(Stage::Offered(agents)) => {
                self.leave_line(contact, elsewhere, now);
                self.take_back(contact, &agents, now);
            }
        }
    }

    /// These agents are not rung any more for a contact that needs them no longer.
    fn take_back(&mut self, contact: CallId, agents: &[AgentIndex], now: Now) {
        for index in agents {
            self.told_to_stop(contact, *index);
        }
        for index in agents {
            self.release(*index, Cause::OfferWithdrawn, now);
        }
    }

    pub(super) fn told_to_stop(&mut self, contact: CallId, index: AgentIndex) {
        if let Some(agent) = self.agents.get(&index) {
            self.events.push_back(AcdEvent::Withdraw { contact, agent: agent.id.clone() });
        }
    }

    /// 1 is the head. Who is being offered keeps their position; who talks has none.
    pub fn position(&self, contact: CallId) -> Option<usize> {
        let contact = self.contacts.get(&contact)?;
        self.queues.get(&contact.queue?)?.line.position(&contact.place)
    }

    /// The first so many who wait in a queue, in order.
    pub fn front(&self, queue: &QueueId, most: usize) -> Vec<CallId> {
        let queue = self.queue_index.get(queue).and_then(|index| self.queues.get(index));
        queue.map_or_else(Vec::new, |queue| queue.line.iter().take(most).map(|place| place.contact).collect())
    }

    /// What the contact is, as long as it is here.
    pub fn medium(&self, contact: CallId) -> Option<Medium> {
        self.contacts.get(&contact).map(|contact| contact.medium)
    }

    /// The agent's phone rings.
    pub fn agent_ringing(&mut self, contact: CallId, agent: &AgentId, now: Now) {
        let Some(index) = self.rung_for(contact, agent) else { return };
        if self.agents.get(&index).is_some_and(|agent| agent.duty == Duty::Reserved(contact)) {
            self.change(index, now, |agent| agent.enter(Duty::Ringing(contact), Cause::PhoneRang, now));
        }
    }

    /// The agent picked up; others who were rung for the contact are not any more. False: the offer is no longer valid,
    /// hang up on the agent.
    pub fn agent_answered(&mut self, contact: CallId, agent: &AgentId, now: Now) -> bool {
        let Some(index) = self.rung_for(contact, agent) else { return false };
        self.clear_timers(contact);
        let Some(talking) = self.contacts.get_mut(&contact) else { return false };
        let others: Vec<AgentIndex> = talking.offered_to().iter().copied().filter(|other| *other != index).collect();
        talking.stage = Stage::Talking(index);
        talking.barred.clear();
        if let Some(queue_index) = talking.queue
            && let Some(queue) = self.queues.get_mut(&queue_index)
        {
            queue.line.remove(&talking.place);
            queue.voices.remove(&talking.place.waited());
            let waited = talking.waited(now.instant);
            queue.flow.answered(waited, queue.line.len() > 0, now.instant);
            queue.figures.handled += 1;
            queue.figures.in_time += u64::from(waited <= queue.settings.answer_within);
            self.changed_queues.insert(queue_index);
        }
        self.change(index, now, |agent| {
            agent.enter(Duty::Talking(contact), Cause::Answered, now);
            agent.handled += 1;
        });
        self.take_back(contact, &others, now);
        true
    }

    /// The offer to this agent came to nothing: where nobody else is rung, the contact goes to the next within this call.
    pub fn agent_failed(&mut self, contact: CallId, agent: &AgentId, why: NoAnswer, now: Now) {
        if let Some(index) = self.rung_for(contact, agent) {
            self.offer_failed(contact, index, why, now);
        }
    }

    /// Caller and agent have parted: the agent wraps up for the queue's time, then is available, or what they asked
    /// for meanwhile. The contact is no longer known here.
    pub fn talk_ended(&mut self, contact: CallId, now: Now) {
        if let Some(agent) = self.talks_with(contact).and_then(|index| self.agents.get_mut(&index)) {
            agent.unanswered = 0;
        }
        self.part(contact, Queue::wrap_up, now);
    }

    /// The same where the agent was gone as soon as they had answered: the contact counts as unanswered, and as after any
    /// offer that came to nothing they are offered no other before the queue's `retry_delay` is over.
    pub fn gone_at_once(&mut self, contact: CallId, now: Now) {
        let Some(index) = self.talks_with(contact) else { return };
        let queue = self.contacts.get(&contact).and_then(|contact| self.queues.get(&contact.queue?));
        let most = queue.map_or(0, |queue| queue.settings.max_no_answer);
        self.part(contact, |queue| queue.wrap_up().max(queue.retry_delay()), now);
        let Some(agent) = self.agents.get_mut(&index) else { return };
        agent.unanswered = agent.unanswered.saturating_add(1);
        if most > 0 && agent.unanswered >= most && agent.wanted.is_none() && !agent.leaving {
            let duty = match agent.reachable {
                true => Duty::NotResponding,
                false => Duty::WithoutPhone(Resume::NotResponding),
            };
            self.break_wrap_up(index, now);
            self.begin(index, duty, Cause::OfferFailed(NoAnswer::HungUpWhileRinging), now);
        }
    }

    fn part(&mut self, contact: CallId, wrap_up: impl FnOnce(&Queue) -> Duration, now: Now) {
        let Some(index) = self.talks_with(contact) else { return };
        let Some(ended) = self.contacts.remove(&contact) else { return };
        let queue_index = ended.queue;
        let wrap_up = queue_index.and_then(|index| self.queues.get_mut(&index)).map(|queue| {
            queue.contacts -= 1;
            wrap_up(queue)
        });
        let after = ended.after.and_then(|index| self.queues.get(&index));
        let wrap_up = wrap_up.or(after.map(|queue| queue.settings.wrap_up));
        match wrap_up {
            Some(wrap_up) => {
                let duty = Duty::WrapUp { contact, since: now.instant };
                self.change(index, now, |agent| agent.enter(duty, Cause::TalkEnded, now));
                if wrap_up.is_zero() {
                    self.end_wrap_up(index, now);
                } else {
                    self.timers.set(Timer::WrapUp(index), now.instant + wrap_up);
                }
            }
            None => self.free(index, Cause::TalkEnded, now),
        }
        queue_index.into_iter().for_each(|queue| self.close_if_drained(queue));
    }

    /// The talk is put on hold, or goes on.
    pub fn hold(&mut self, contact: CallId, on: bool, now: Now) {
        let Some(index) = self.talks_with(contact) else { return };
        let (duty, cause) = match on {
            true => (Duty::Holding(contact), Cause::Held),
            false => (Duty::Talking(contact), Cause::Resumed),
        };
        if self.agents.get(&index).is_some_and(|agent| agent.duty != duty) {
            self.change(index, now, |agent| agent.enter(duty, cause, now));
        }
    }

    /// Reserves an available agent for a call that goes straight to them. The caller of this rings the agent and
    /// keeps the time; no `Offer` follows. When the offer fails or is withdrawn, the contact is no longer known here.
    pub fn seize(&mut self, agent: &AgentId, contact: CallId, now: Now) -> Result<(), AgentError> {
        let index = self.find(agent)?;
        if self.contacts.contains_key(&contact) {
            return Err(AgentError::ContactTaken { contact });
        }
        let state = self.agents.get(&index).filter(|agent| !agent.leaving).map(|agent| agent.duty.state());
        if state != Some(AgentState::Available) {
            let state = state.unwrap_or(AgentState::LoggedOut);
            return Err(AgentError::NotAvailable { agent: agent.clone(), state });
        }
        let place = Place::new(contact, 0, None, now.instant, self.next_arrival());
        let mut seizing = Contact::new(None, Medium::Voice, Demand::default(), place, now);
        seizing.stage = Stage::Offered(smallvec![index]);
        self.contacts.insert(contact, seizing);
        self.change(index, now, |agent| agent.enter(Duty::Reserved(contact), Cause::Offered, now));
        Ok(())
    }

    pub(super) fn ring_timed_out(&mut self, contact: CallId, now: Now) {
        let Some(Stage::Offered(agents)) = self.contacts.get(&contact).map(|contact| contact.stage.clone()) else {
            return;
        };
        for index in agents {
            self.told_to_stop(contact, index);
            self.offer_failed(contact, index, NoAnswer::Timeout, now);
        }
    }

    /// An agent who was barred for this contact may be offered it again.
    pub(super) fn retry(&mut self, id: CallId, now: Now) {
        let Some(contact) = self.contacts.get_mut(&id) else { return };
        contact.barred.retain(|_, until| *until > now.instant);
        if let Some(next) = contact.barred.values().min() {
            self.timers.set(Timer::Retry(id), *next);
        }
        self.offer_contact(id, now);
    }

    pub(super) fn announce(&mut self, contact: CallId, now: Now) {
        let Some(position) = self.position(contact) else { return };
        self.events.push_back(AcdEvent::Announce { contact, position });
        self.announce_later(contact, now);
    }

    fn announce_unless_offered(&mut self, contact: CallId, now: Now) {
        if self.is_offered(contact) {
            self.announce_later(contact, now);
        } else if self.announces(contact).is_some() {
            self.announce(contact, now);
        }
    }

    fn announce_later(&mut self, contact: CallId, now: Now) {
        if let Some(interval) = self.announces(contact) {
            self.timers.set(Timer::Announce(contact), now.instant + interval);
        }
    }

    fn announces(&self, contact: CallId) -> Option<Duration> {
        let queue = self.contacts.get(&contact).filter(|contact| contact.medium == Medium::Voice)?.queue?;
        self.queues.get(&queue)?.announce_every()
    }

    pub(super) fn next_arrival(&mut self) -> u64 {
        self.next_arrival += 1;
        self.next_arrival
    }

    fn is_offered(&self, contact: CallId) -> bool {
        self.contacts.get(&contact).is_some_and(|contact| !contact.offered_to().is_empty())
    }

    pub(super) fn talks_with(&self, contact: CallId) -> Option<AgentIndex> {
        match self.contacts.get(&contact)?.stage {
            Stage::Talking(index) => Some(index),
            Stage::Waiting | Stage::Offered(_) => None,
        }
    }

    /// The agent, if their phone rings for the contact, or is about to: not one who is reserved while a customer is rung.
    fn rung_for(&self, contact: CallId, agent: &AgentId) -> Option<AgentIndex> {
        let contact = self.contacts.get(&contact).filter(|contact| contact.medium == Medium::Voice)?;
        let index = self.agent_index.get(agent)?;
        contact.offered_to().contains(index).then_some(*index)
    }

    fn clear_timers(&mut self, contact: CallId) {
        let kinds = [Timer::Ring, Timer::Retry, Timer::Preferred, Timer::Widen, Timer::HeldBack, Timer::Announce];
        for timer in kinds.map(|timer| timer(contact)) {
            self.timers.clear(&timer);
        }
    }

    /// The contact is not offered to this agent any more. When it was the last one it waits again at its place, or, as a
    /// direct call, is forgotten.
    pub(super) fn offer_no_longer(&mut self, id: CallId, index: AgentIndex, now: Now) {
        let Some(contact) = self.contacts.get_mut(&id) else { return };
        let Stage::Offered(agents) = &mut contact.stage else { return };
        agents.retain(|agent| *agent != index);
        if !agents.is_empty() {
            return;
        }
        self.timers.clear(&Timer::Ring(id));
        let Some(queue) = contact.queue.and_then(|index| self.queues.get_mut(&index)) else {
            self.contacts.remove(&id);
            return;
        };
        contact.stage = Stage::Waiting;
        queue.open(contact);
        if let Some(queue) = contact.queue {
            self.changed_queues.insert(queue);
            self.keep_looking(queue, now);
        }
    }

    /// Out of the queue without an answer.
    fn leave_line(&mut self, id: CallId, elsewhere: bool, now: Now) {
        self.clear_timers(id);
        let Some(contact) = self.contacts.remove(&id) else { return };
        let Some(queue_index) = contact.queue else { return };
        if let Some(queue) = self.queues.get_mut(&queue_index) {
            queue.line.remove(&contact.place);
            queue.voices.remove(&contact.place.waited());
            queue.close(&contact);
            queue.contacts -= 1;
            match contact.medium {
                Medium::Callback => queue.callbacks = queue.callbacks.saturating_sub(1),
                // Who was rung by us abandons nothing.
                Medium::Voice if elsewhere || contact.called_back => queue.figures.overflowed += 1,
                Medium::Voice => queue.figures.abandoned += 1,
            }
            if !contact.cold {
                let waited = contact.waited(now.instant);
                queue.flow.left(waited, queue.line.len() > 0, now.instant);
            }
            self.changed_queues.insert(queue_index);
        }
        self.keep_looking(queue_index, now);
        self.close_if_drained(queue_index);
    }

    /// The agent is available again as before the offer: idle time goes on.
    fn release(&mut self, index: AgentIndex, cause: Cause, now: Now) {
        self.come_free(index, now, |agent| agent.enter(Duty::Available, cause, now));
    }

    fn offer_failed(&mut self, id: CallId, index: AgentIndex, why: NoAnswer, now: Now) {
        self.offer_no_longer(id, index, now);
        let Some(contact) = self.contacts.get_mut(&id) else {
            return self.release(index, Cause::OfferFailed(why), now);
        };
        let Some(queue) = contact.queue.and_then(|queue| self.queues.get(&queue)) else { return };
        let until = now.instant + queue.retry_delay();
        let most = queue.settings.max_no_answer;
        contact.barred.insert(index, until);
        if self.timers.get(&Timer::Retry(id)).is_none_or(|at| until < at) {
            self.timers.set(Timer::Retry(id), until);
        }
        let refused = !matches!(why, NoAnswer::Busy | NoAnswer::Unreachable);
        let Some(agent) = self.agents.get_mut(&index) else { return };
        agent.unanswered = agent.unanswered.saturating_add(u32::from(refused));
        let unanswered = agent.unanswered;
        let rests = !refused || unanswered > 1;
        let duty = if refused && most > 0 && unanswered >= most { Duty::NotResponding } else { Duty::Available };
        let rests = rests && duty == Duty::Available;
        if rests {
            self.timers.set(Timer::Rest(index), until);
        }
        self.change(index, now, |agent| {
            agent.enter(duty.clone(), Cause::OfferFailed(why), now);
            agent.resting = rests;
        });
        if duty == Duty::NotResponding {
            self.wait_no_longer_for(index, now);
        }
        self.offer_contact(id, now);
        self.employ(index, now);
    }
}

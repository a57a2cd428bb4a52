//! What agents and their phones do: log in and out, pause, wrap up.

use std::time::Duration;

use super::agent::{Agent, AgentIndex, Counted, Duty, Resume};
use super::error::nearest;
use super::idle::Rank;
use super::{Acd, AcdEvent, AgentError, Cause, Timer, Wanted};
use crate::ids::{AgentId, CallId};
use crate::time::Now;

impl Acd {
    /// A phone of the agent registered, or the last one is gone. A first phone logs the agent in, unless they logged
    /// out through `set_state`; losing the last one logs them out, after the talk and its wrap-up if there is one.
    /// A pause, or not responding, is taken up again when the phone comes back.
    pub fn set_reachable(&mut self, agent: &AgentId, reachable: bool, now: Now) {
        let Some(index) = self.agent_index.get(agent).copied() else { return };
        let Some(agent) = self.agents.get_mut(&index).filter(|agent| agent.reachable != reachable) else { return };
        agent.reachable = reachable;
        self.changed_agents.insert(index);
        if reachable {
            if let Duty::WithoutPhone(resume) = &agent.duty {
                let duty = Duty::from(resume.clone());
                agent.logged_in = now.instant;
                self.begin(index, duty, Cause::PhoneRegistered, now);
            }
            return;
        }
        let resume = match &agent.duty {
            Duty::Available | Duty::Reserved(_) | Duty::Ringing(_) => Resume::Available,
            Duty::Paused(reason) => Resume::Paused(reason.clone()),
            Duty::NotResponding => Resume::NotResponding,
            Duty::Talking(_) | Duty::Holding(_) | Duty::WrapUp { .. } | Duty::LoggedOut | Duty::WithoutPhone(_) => {
                return;
            }
        };
        self.stop_working(index, Duty::WithoutPhone(resume), Cause::PhoneLost, now);
    }

    /// What an agent asks for takes effect at once, except during a talk: then after it (a pause or log-out instead of
    /// becoming available; the wrap-up comes first). It ends a running wrap-up, and takes an offer back that rings.
    pub fn set_state(&mut self, agent: &AgentId, wanted: Wanted, now: Now) -> Result<(), AgentError> {
        let index = self.find(agent)?;
        let Some(agent) = self.agents.get_mut(&index) else { return Ok(()) };
        if wanted != Wanted::LoggedOut && !agent.reachable && !agent.is_with_contact() {
            return Err(AgentError::NoPhone { agent: agent.id.clone() });
        }
        match (&agent.duty, wanted) {
            (Duty::Talking(_) | Duty::Holding(_), wanted) => {
                let wanted = Some(wanted).filter(|wanted| *wanted != Wanted::Available);
                if agent.wanted != wanted {
                    agent.wanted = wanted;
                    self.note_wish(index, now);
                }
            }
            (Duty::WrapUp { .. }, wanted) => {
                agent.wanted = Some(wanted).filter(|wanted| *wanted != Wanted::Available);
                self.end_wrap_up(index, now);
            }
            (Duty::Available | Duty::Reserved(_) | Duty::Ringing(_), Wanted::Available)
            | (Duty::LoggedOut, Wanted::LoggedOut) => {}
            (Duty::Paused(present), Wanted::Paused(reason)) if *present == reason => {}
            (duty, Wanted::Available) => {
                if !duty.is_logged_in() {
                    agent.logged_in = now.instant;
                }
                agent.unanswered = 0;
                self.begin(index, Duty::Available, Cause::Asked, now);
            }
            (duty, Wanted::Paused(reason)) => {
                if !duty.is_logged_in() {
                    agent.logged_in = now.instant;
                }
                self.stop_working(index, Duty::Paused(reason), Cause::Asked, now);
            }
            (_, Wanted::LoggedOut) => self.stop_working(index, Duty::LoggedOut, Cause::Asked, now),
        }
        Ok(())
    }

    /// A wrap-up that lasts so long from now on, whatever the queue's rule is.
    pub fn extend_wrap_up(&mut self, agent: &AgentId, by: Duration, now: Now) -> Result<(), AgentError> {
        let index = self.find(agent)?;
        let Some(known) = self.agents.get(&index) else { return Ok(()) };
        if !matches!(known.duty, Duty::WrapUp { .. }) {
            return Err(AgentError::NotInWrapUp { agent: agent.clone(), state: known.duty.state() });
        }
        self.timers.set(Timer::WrapUp(index), now.instant + by);
        Ok(())
    }

    /// Who wraps this contact up.
    pub fn wraps_up(&self, contact: CallId) -> Option<&AgentId> {
        let wraps_up = |agent: &&Agent| matches!(agent.duty, Duty::WrapUp { contact: of, .. } if of == contact);
        self.agents.values().find(wraps_up).map(|agent| &agent.id)
    }

    pub(super) fn find(&self, agent: &AgentId) -> Result<AgentIndex, AgentError> {
        self.agent_index.get(agent).copied().ok_or_else(|| AgentError::UnknownAgent {
            agent: agent.clone(),
            nearest: nearest(agent.as_str(), self.agents.values().map(|agent| agent.id.as_str())).map(AgentId::from),
        })
    }

    /// Leaves `available`, or an offer, for something that takes no contacts.
    fn stop_working(&mut self, index: AgentIndex, duty: Duty, cause: Cause, now: Now) {
        let contact = self.withdraw(index, now);
        self.begin(index, duty, cause, now);
        if let Some(contact) = contact {
            self.offer_contact(contact, now);
        }
    }

    /// Takes the offer to this agent back. Gives the contact, which may have to look for another.
    pub(super) fn withdraw(&mut self, index: AgentIndex, now: Now) -> Option<CallId> {
        let contact = self.agents.get(&index)?.duty.offered()?;
        self.told_to_stop(contact, index);
        self.offer_no_longer(contact, index, now);
        Some(contact)
    }

    /// Puts the agent into a state in which they have no contact.
    pub(super) fn begin(&mut self, index: AgentIndex, duty: Duty, cause: Cause, now: Now) {
        self.timers.clear(&Timer::Rest(index));
        if duty == Duty::Available {
            return self.come_free(index, now, |agent| {
                agent.enter(duty, cause, now);
                agent.resting = false;
                agent.idle_since = now.instant;
            });
        }
        self.change(index, now, |agent| {
            agent.enter(duty, cause, now);
            agent.resting = false;
        });
        self.wait_no_longer_for(index, now);
    }

    /// After this change the agent takes the first of all who wait, or else is listed as idle: putting them into the
    /// sets of all their queues and skills, and out again, would cost more than the decision.
    pub(super) fn come_free(&mut self, index: AgentIndex, now: Now, change: impl FnOnce(&mut Agent)) {
        self.change(index, now, |agent| {
            change(agent);
            agent.looking = true;
        });
        self.employ(index, now);
        if self.agents.get(&index).is_some_and(|agent| agent.looking) {
            self.change(index, now, |agent| agent.looking = false);
        }
    }

    /// After a talk that needs no wrap-up, or after the wrap-up.
    pub(super) fn free(&mut self, index: AgentIndex, cause: Cause, now: Now) {
        let Some(agent) = self.agents.get_mut(&index) else { return };
        if agent.leaving {
            return self.remove_agent(index, now);
        }
        let duty = match (agent.wanted.take(), agent.reachable) {
            (Some(Wanted::LoggedOut), _) => Duty::LoggedOut,
            (Some(Wanted::Paused(reason)), true) => Duty::Paused(reason),
            (Some(Wanted::Paused(reason)), false) => Duty::WithoutPhone(Resume::Paused(reason)),
            (_, true) => Duty::Available,
            (_, false) => Duty::WithoutPhone(Resume::Available),
        };
        self.begin(index, duty, cause, now);
    }

    pub(super) fn end_wrap_up(&mut self, index: AgentIndex, now: Now) {
        if self.break_wrap_up(index, now) {
            self.free(index, Cause::WrapUpEnded, now);
        }
    }

    /// The wrap-up is over; what follows is for the caller of this.
    pub(super) fn break_wrap_up(&mut self, index: AgentIndex, now: Now) -> bool {
        self.timers.clear(&Timer::WrapUp(index));
        let Some(agent) = self.agents.get(&index) else { return false };
        let Duty::WrapUp { contact, since } = agent.duty else { return false };
        self.events.push_back(AcdEvent::WrappedUp { contact, acw: now.instant.since(since) });
        true
    }

    pub(super) fn end_rest(&mut self, index: AgentIndex, now: Now) {
        self.come_free(index, now, |agent| agent.resting = false);
    }

    /// Every change that decides whether an agent can be chosen, or is counted, goes through here; but not one of the
    /// queues they serve, or of their skills. Of the queues those are touched in which something is different.
    pub(super) fn change(&mut self, index: AgentIndex, now: Now, change: impl FnOnce(&mut Agent)) {
        let Some(agent) = self.agents.get_mut(&index) else { return };
        let (counted, listed, work) = (agent.counted(), agent.listed, agent.work);
        let was_in = agent.duty.is_logged_in();
        change(agent);
        agent.listed = agent.idle(index);
        let moves = listed != agent.listed || (listed.is_some() && work != agent.work);
        if moves || counted != agent.counted() {
            for queue_index in &agent.queues {
                let Some(queue) = self.queues.get_mut(queue_index) else { continue };
                if let Some(idle) = listed.filter(|_| moves) {
                    queue.idle.remove(&Rank::new(queue.settings.choice, idle, work), &agent.has);
                }
                if let Some(idle) = agent.listed.filter(|_| moves) {
                    queue.idle.insert(Rank::new(queue.settings.choice, idle, agent.work), &agent.has);
                }
                if queue.recount(counted, agent.counted(), now) {
                    self.changed_queues.insert(*queue_index);
                }
            }
            for queue_index in &agent.off_schedule {
                let Some(queue) = self.queues.get_mut(queue_index) else { continue };
                queue.agents_off_schedule += agent.counted().logged_in;
                queue.agents_off_schedule -= counted.logged_in;
                self.changed_queues.insert(*queue_index);
            }
        }
        self.note_entered(index, was_in);
        self.changed_agents.insert(index);
        self.measure_later(now.instant);
    }

    /// The same where the queues they serve, or their skills, may be others afterwards.
    pub(super) fn regroup(&mut self, index: AgentIndex, now: Now, change: impl FnOnce(&mut Agent)) {
        self.leave_queues(index, now);
        if let Some(agent) = self.agents.get_mut(&index) {
            change(agent);
        }
        self.join_queues(index, now);
        self.changed_agents.insert(index);
        self.measure_later(now.instant);
    }

    pub(super) fn leave_queues(&mut self, index: AgentIndex, now: Now) {
        let Some(agent) = self.agents.get_mut(&index) else { return };
        let listed = agent.listed.take();
        let counted = agent.counted();
        for queue_index in &agent.queues {
            let Some(queue) = self.queues.get_mut(queue_index) else { continue };
            if let Some(idle) = &listed {
                queue.idle.remove(&Rank::new(queue.settings.choice, *idle, agent.work), &agent.has);
            }
            queue.recount(counted, Counted::default(), now);
            self.changed_queues.insert(*queue_index);
        }
        for queue_index in &agent.off_schedule {
            let Some(queue) = self.queues.get_mut(queue_index) else { continue };
            queue.agents_off_schedule -= counted.logged_in;
            self.changed_queues.insert(*queue_index);
        }
    }

    fn join_queues(&mut self, index: AgentIndex, now: Now) {
        let Some(agent) = self.agents.get_mut(&index) else { return };
        agent.listed = agent.idle(index);
        let counted = agent.counted();
        for queue_index in &agent.queues {
            let Some(queue) = self.queues.get_mut(queue_index) else { continue };
            if let Some(idle) = agent.listed {
                queue.idle.insert(Rank::new(queue.settings.choice, idle, agent.work), &agent.has);
            }
            queue.recount(Counted::default(), counted, now);
            self.changed_queues.insert(*queue_index);
        }
        for queue_index in &agent.off_schedule {
            let Some(queue) = self.queues.get_mut(queue_index) else { continue };
            queue.agents_off_schedule += counted.logged_in;
            self.changed_queues.insert(*queue_index);
        }
    }
}

//! What agents do, told to be written down, and taken up again from what a former process wrote.

use std::time::Duration;

use super::agent::{Agent, AgentIndex, Duty, Resume};
use super::queues::QueueIndex;
use super::{Acd, AcdEvent, Cause, Skills, Timer};
use crate::shift::{AgentChange, Membership};
use crate::time::{Instant, Now};
use crate::views::AgentState;

impl Acd {
    /// Tells the state that the agent has entered, if they have. Of one who logs in, for whom they work.
    pub(super) fn note_entered(&mut self, index: AgentIndex, was_in: bool) {
        let Some(agent) = self.agents.get_mut(&index).filter(|agent| agent.entered) else { return };
        agent.entered = false;
        match agent.duty.contact().map(|contact| self.contacts.get(&contact)) {
            None => agent.serves = None,
            Some(Some(contact)) => {
                let queue = contact.queue.and_then(|index| self.queues.get(&index));
                agent.serves = queue.map(|queue| queue.settings.id.clone());
            }
            // It is over, and wrapped up.
            Some(None) => {}
        }
        let logs_in = !was_in && agent.duty.is_logged_in();
        if let Some(change) = self.change_of(index, logs_in) {
            self.events.push_back(AcdEvent::Entered(Box::new(change)));
        }
    }

    fn change_of(&self, index: AgentIndex, with_membership: bool) -> Option<AgentChange> {
        let agent = self.agents.get(&index)?;
        let queues = agent.queues.iter().filter_map(|index| self.queues.get(index));
        Some(AgentChange {
            agent: agent.id.clone(),
            at: agent.since,
            state: agent.duty.state(),
            cause: agent.cause,
            reason: match &agent.duty {
                Duty::Paused(reason) => Some(reason.clone()),
                _ => None,
            },
            call_id: agent.duty.contact(),
            queue: agent.serves.clone(),
            member_of: with_membership.then(|| Membership {
                queues: queues.map(|queue| queue.settings.id.clone()).collect(),
                skills: agent.skills.clone(),
            }),
            resume: match &agent.duty {
                Duty::WithoutPhone(resume) => Some(resume.clone()),
                _ => None,
            },
            wanted: agent.wanted.clone(),
        })
    }

    /// What the agent has asked for takes effect after the talk; should the process not live to see it, the next one does.
    pub(super) fn note_wish(&mut self, index: AgentIndex, now: Now) {
        if let Some(change) = self.change_of(index, false) {
            let change = AgentChange { at: now.wall, cause: Cause::Asked, ..change };
            self.events.push_back(AcdEvent::Entered(Box::new(change)));
        }
    }

    /// An agent who is logged in has other queues or skills now.
    pub(super) fn note_membership(
        &mut self,
        index: AgentIndex,
        before: &(Vec<QueueIndex>, Skills),
        cause: Cause,
        now: Now,
    ) {
        let Some(agent) = self.agents.get(&index).filter(|agent| agent.duty.is_logged_in()) else { return };
        if agent.queues == before.0 && agent.skills == before.1 {
            return;
        }
        if let Some(change) = self.change_of(index, true) {
            let change = AgentChange { at: now.wall, cause, ..change };
            self.events.push_back(AcdEvent::Entered(Box::new(change)));
        }
    }

    pub(super) fn note_dismissed(&mut self, agent: &Agent, now: Now) {
        if agent.duty.is_logged_in() {
            let change = AgentChange {
                agent: agent.id.clone(),
                at: now.wall,
                state: AgentState::LoggedOut,
                cause: Cause::Dismissed,
                reason: None,
                call_id: None,
                queue: None,
                member_of: None,
                resume: None,
                wanted: None,
            };
            self.events.push_back(AcdEvent::Entered(Box::new(change)));
        }
    }

    /// Agents are again as a former process left them: who had logged out stays so, a pause goes on with its reason, a
    /// wrap-up to its end; what was asked for during a talk has come, since the talk is over. Whose phone has yet to register is that when it does.
    pub fn take_up(&mut self, left: &[AgentChange], now: Now) {
        for change in left {
            let Some(index) = self.agent_index.get(&change.agent).copied() else { continue };
            let Some(agent) = self.agents.get(&index) else { continue };
            let resume = change.resumes();
            let duty = match (resume, agent.reachable) {
                (None, _) => Duty::LoggedOut,
                (Some(resume), true) => Duty::from(resume),
                (Some(resume), false) => Duty::WithoutPhone(resume),
            };
            if change.state == AgentState::WrapUp && self.wraps_up_on(index, change, now) {
                continue;
            }
            let as_new = matches!(duty, Duty::Available | Duty::WithoutPhone(Resume::Available));
            if !as_new && self.agents.get(&index).is_some_and(|agent| agent.duty.contact().is_none()) {
                self.begin(index, duty, Cause::TakenUp, now);
            }
        }
    }

    /// A wrap-up that the end of the process interrupted; false where there is none to go on. Its time went on
    /// meanwhile; what is over is told as ended.
    fn wraps_up_on(&mut self, index: AgentIndex, change: &AgentChange, now: Now) -> bool {
        let Some(contact) = change.call_id else { return false };
        let queue = change.queue.as_ref().and_then(|queue| self.queues.get(self.queue_index.get(queue)?));
        let wrap_up = queue.map_or(Duration::ZERO, |queue| queue.settings.wrap_up);
        let since: Instant =
            now.instant - now.wall.duration_since(change.at).max(jiff::SignedDuration::ZERO).unsigned_abs();
        let free = self.agents.get(&index).is_some_and(|agent| agent.duty.contact().is_none());
        if !free || since + wrap_up <= now.instant {
            self.events.push_back(AcdEvent::WrappedUp { contact, acw: wrap_up });
            return false;
        }
        if let Some(agent) = self.agents.get_mut(&index) {
            agent.serves.clone_from(&change.queue);
            agent.wanted.clone_from(&change.wanted);
        }
        self.change(index, now, |agent| agent.enter(Duty::WrapUp { contact, since }, Cause::TakenUp, now));
        self.timers.set(Timer::WrapUp(index), since + wrap_up);
        true
    }
}

//! What the outside sees.

use super::agent::Duty;
use std::time::Duration;

use super::contact::Stage;
use super::queues::Queue;
use super::{Acd, AcdCounts, Cause, Load};
use crate::ids::{AgentId, CallId, QueueId};
use crate::time::Now;
use crate::views::{AgentView, QueueView};

impl Acd {
    /// In the order in which the configuration first named them.
    pub fn agents(&self) -> impl Iterator<Item = &AgentId> {
        self.agents.values().map(|agent| &agent.id)
    }

    /// In the order in which the configuration first named them; also deleted ones in which somebody still is.
    pub fn queues(&self) -> impl Iterator<Item = &QueueId> {
        self.queues.values().map(|queue| &queue.settings.id)
    }

    pub fn agent_view(&self, agent: &AgentId) -> Option<AgentView> {
        let agent = self.agents.get(self.agent_index.get(agent)?)?;
        let queues = agent.queues.iter().filter_map(|index| self.queues.get(index));
        Some(AgentView {
            id: agent.id.clone(),
            name: agent.name.clone(),
            state: agent.duty.state(),
            reason: match &agent.duty {
                Duty::Paused(reason) => Some(reason.clone()),
                _ => None,
            },
            since: agent.since,
            queues: queues.map(|queue| queue.settings.id.clone()).collect(),
            skills: agent.skills.clone(),
            schedules: self.schedule_views(agent),
            call_id: agent.duty.contact(),
            reachable: agent.reachable,
            handled: agent.handled,
        })
    }

    /// What last changed the agent's state.
    pub fn cause(&self, agent: &AgentId) -> Option<Cause> {
        Some(self.agents.get(self.agent_index.get(agent)?)?.cause)
    }

    pub fn queue_view(&self, queue: &QueueId) -> Option<QueueView> {
        let queue = self.queues.get(self.queue_index.get(queue)?)?;
        let longest = queue.voices.first().and_then(|(_, _, contact)| self.contacts.get(contact));
        Some(QueueView {
            id: queue.settings.id.clone(),
            waiting: queue.callers() as u64,
            callbacks: queue.callbacks as u64,
            callbacks_held_back: queue.held_back.len() as u64,
            longest_waiting_since: longest.map(|contact| contact.since),
            agents_available: queue.agents_available,
            agents_logged_in: queue.agents_logged_in,
            agents_off_schedule: queue.agents_off_schedule,
            occupancy: queue.busy.share(),
            occupancy_band: queue.occupancy_band(),
            offered: queue.figures.offered,
            handled: queue.figures.handled,
            abandoned: queue.figures.abandoned,
            overflowed: queue.figures.overflowed,
        })
    }

    /// Whether an agent talks to a caller of this queue, or has one on hold.
    pub fn is_served(&self, queue: &QueueId) -> bool {
        let talks = |duty: &Duty| matches!(duty, Duty::Talking(_) | Duty::Holding(_));
        self.agents.values().any(|agent| agent.serves.as_ref() == Some(queue) && talks(&agent.duty))
    }

    /// By name; also of a deleted queue in which somebody still is.
    pub fn load(&self, queue: &str, now: Now) -> Option<Load> {
        let queue = self.queues.get(self.queue_index.get(queue)?)?;
        let handled = queue.figures.handled;
        Some(Load {
            waiting: queue.line.len() as u64,
            longest_wait: queue.voices.first().map_or(Duration::ZERO, |(since, ..)| now.instant.since(*since)),
            agents_available: queue.agents_available,
            agents_logged_in: queue.agents_logged_in,
            estimate: self.estimate(queue, now),
            service_level: (handled > 0).then(|| queue.figures.in_time as f64 / handled as f64),
        })
    }

    /// Nobody is told to wait where an agent is free, and nothing is promised where none is logged in.
    fn estimate(&self, queue: &Queue, now: Now) -> Option<(Duration, Duration)> {
        match (queue.agents_logged_in, queue.agents_available, queue.line.len()) {
            (0, ..) => None,
            (_, 1.., 0) => Some((Duration::ZERO, Duration::ZERO)),
            (_, _, ahead) => queue.flow.estimate(ahead, now.instant),
        }
    }

    /// How long one who waits will probably wait on; `None` where that is not known, and for one who is being offered.
    pub fn remaining(&self, contact: CallId, now: Now) -> Option<(Duration, Duration)> {
        let waiting = self.contacts.get(&contact).filter(|contact| contact.stage == Stage::Waiting)?;
        let queue = self.queues.get(&waiting.queue?).filter(|queue| queue.agents_logged_in > 0)?;
        queue.flow.estimate(queue.line.position(&waiting.place)?.saturating_sub(1), now.instant)
    }

    pub fn counts(&self) -> AcdCounts {
        let busy = self.agents.values().filter(|agent| agent.duty.contact().is_some());
        AcdCounts { contacts: self.contacts.len(), timers: self.timers.len(), busy_agents: busy.count() }
    }
}

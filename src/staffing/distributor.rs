//! `queue::Acd` as a simulation uses it: agents answer at once.

use std::time::Duration;

use super::scenario::{Kind, Scenario};
use crate::ids::{AgentId, CallId, QueueId};
use crate::queue::{Acd, AcdCounts, AcdEvent, EnqueueError};
use crate::settings;
use crate::time::{Instant, Now};

pub(super) struct Distributor {
    acd: Acd,
    queues: Vec<QueueId>,
}

impl Distributor {
    /// The rules of the queues are kept, but for three: the handle time includes the wrap-up, nobody is there to hear a
    /// position, and as the first agent answers no second is rung. All agents are logged in.
    pub fn new(scenario: &Scenario, seed: [u8; 32], now: Now) -> Distributor {
        let heard = |queue: &settings::Queue| settings::Queue {
            wrap_up: Duration::ZERO,
            announce_position: Duration::ZERO,
            ring_at_once: 1,
            ..queue.clone()
        };
        let queues: Vec<settings::Queue> = scenario.queues.iter().map(heard).collect();
        let mut acd = Acd::new(&queues, &scenario.agents, seed, now);
        for agent in &scenario.agents {
            acd.set_reachable(&agent.id, true, now);
        }
        Distributor { acd, queues: queues.into_iter().map(|queue| queue.id).collect() }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.acd.poll_timeout()
    }

    pub fn handle_timeout(&mut self, now: Now) {
        self.acd.handle_timeout(now);
    }

    /// The wait that a caller who comes now would be told.
    pub fn promise(&self, queue: usize, now: Now) -> Option<(Duration, Duration)> {
        self.acd.load(self.queues.get(queue)?.as_str(), now)?.estimate
    }

    /// False: the queue is full.
    pub fn enqueue(&mut self, call: CallId, kind: &Kind, now: Now) -> Result<bool, EnqueueError> {
        let Some(queue) = self.queues.get(kind.queue) else { return Ok(false) };
        match self.acd.enqueue(call, queue, &kind.demand, now.instant, now) {
            Ok(()) => Ok(true),
            Err(EnqueueError::Full { .. }) => Ok(false),
            Err(refused) => Err(refused),
        }
    }

    /// The next call that is offered, and to whom.
    pub fn poll_offer(&mut self) -> Option<(CallId, AgentId)> {
        while let Some(event) = self.acd.poll_event() {
            if let AcdEvent::Offer { contact, agent, .. } = event {
                return Some((contact, agent));
            }
        }
        None
    }

    /// False: the call was not offered.
    pub fn answer(&mut self, call: CallId, agent: &AgentId, now: Now) -> bool {
        self.acd.agent_answered(call, agent, now)
    }

    pub fn handling_ends(&mut self, call: CallId, now: Now) {
        self.acd.talk_ended(call, now);
    }

    pub fn leave(&mut self, call: CallId, now: Now) {
        self.acd.leave(call, now);
    }

    pub fn counts(&self) -> AcdCounts {
        self.acd.counts()
    }
}

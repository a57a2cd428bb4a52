//! `queue::Acd` as a simulation uses it: one queue, agents who are alike and answer at once.

use std::time::Duration;

use crate::ids::{AgentId, CallId, QueueId};
use crate::queue::{Acd, AcdCounts, AcdEvent, EnqueueError, Skills};
use crate::settings;
use crate::time::{Instant, Now};

pub(super) struct Distributor {
    acd: Acd,
    queue: QueueId,
}

impl Distributor {
    /// The rules of the queue are kept, but for two: the handle time includes the wrap-up, and nobody is there to hear a
    /// position.
    pub fn new(queue: &settings::Queue, agents: u32, seed: [u8; 32], now: Now) -> Distributor {
        let queue = settings::Queue { wrap_up: Duration::ZERO, announce_position: Duration::ZERO, ..queue.clone() };
        let agents: Vec<settings::Agent> = (1..=agents).map(|number| agent(number, &queue.id)).collect();
        let mut acd = Acd::new(std::slice::from_ref(&queue), &agents, seed, now);
        for agent in &agents {
            acd.set_reachable(&agent.id, true, now);
        }
        Distributor { acd, queue: queue.id }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.acd.poll_timeout()
    }

    pub fn handle_timeout(&mut self, now: Now) {
        self.acd.handle_timeout(now);
    }

    /// The wait that a caller who comes now would be told.
    pub fn promise(&self, now: Now) -> Option<(Duration, Duration)> {
        self.acd.load(self.queue.as_str(), now)?.estimate
    }

    /// False: the queue is full.
    pub fn enqueue(&mut self, call: CallId, now: Now) -> Result<bool, EnqueueError> {
        match self.acd.enqueue(call, &self.queue, &Skills::new(), now.instant, now) {
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
    pub fn answer(&mut self, call: CallId, now: Now) -> bool {
        self.acd.agent_answered(call, now)
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

fn agent(number: u32, queue: &QueueId) -> settings::Agent {
    let id = AgentId::from(number.to_string());
    settings::Agent {
        name: format!("Agent {id}"),
        id,
        password: None,
        contact: None,
        queues: vec![queue.clone()],
        skills: Skills::new(),
        codecs: Vec::new(),
        language: "en".into(),
    }
}

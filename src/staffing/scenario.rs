//! What is played: who is there, and who calls.

use super::{RandomCalls, Recording};
use crate::demand::{Demand, PreferredAgent};
use crate::ids::{AgentId, QueueId};
use crate::queue::Skills;
use crate::settings;

#[derive(Clone, Debug)]
pub struct Scenario {
    pub queues: Vec<settings::Queue>,
    pub agents: Vec<settings::Agent>,
    pub calls: Calls,
    pub seed: u64,
}

#[derive(Clone, Debug)]
pub enum Calls {
    Random(RandomCalls),
    Recorded(Recording),
}

/// What a call asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// Its place in `Scenario::queues`.
    pub queue: usize,
    pub demand: Demand,
}

impl Scenario {
    /// One queue, with so many agents who are alike. The calls must be of the queue 0.
    pub fn alike(queue: settings::Queue, agents: u32, calls: Calls, seed: u64) -> Scenario {
        let agents = (1..=agents).map(|number| agent(number, &queue.id)).collect();
        Scenario { queues: vec![queue], agents, calls, seed }
    }

    pub(super) fn kinds(&self) -> Vec<Kind> {
        match &self.calls {
            Calls::Random(_) => vec![Kind { queue: 0, demand: Demand::default() }],
            Calls::Recorded(recording) => recording.kinds().to_vec(),
        }
    }

    /// Those who can take such a call.
    pub fn agents_for(&self, kind: &Kind) -> impl Iterator<Item = &AgentId> {
        let queue = self.queues.get(kind.queue).map(|queue| &queue.id);
        let can = move |agent: &&settings::Agent| {
            queue.is_some_and(|queue| agent.queues.contains(queue))
                && kind.demand.skills.iter().all(|(skill, least)| agent.skills.get(skill) >= Some(least))
        };
        self.agents.iter().filter(can).map(|agent| &agent.id)
    }

    /// Who is waited for before such a call is offered to others, and for how long: one who serves its queue.
    pub(super) fn waits_for<'k>(&self, kind: &'k Kind) -> Option<&'k PreferredAgent> {
        let preferred = kind.demand.prefer_agent.as_ref()?;
        let queue = &self.queues.get(kind.queue)?.id;
        let agent = self.agents.iter().find(|agent| agent.id == preferred.agent)?;
        agent.queues.contains(queue).then_some(preferred)
    }
}

impl Calls {
    /// The mean handle time in seconds.
    pub fn aht(&self) -> f64 {
        match self {
            Calls::Random(calls) => calls.aht,
            Calls::Recorded(recording) => recording.aht(),
        }
    }

    /// Mean calls a second.
    pub fn rate(&self) -> f64 {
        match self {
            Calls::Random(calls) => calls.profile.rate(),
            Calls::Recorded(recording) => recording.calls() as f64 / recording.length().as_secs_f64().max(1.0),
        }
    }

    /// The mean patience in seconds. `None`: nobody gives up.
    pub fn patience(&self) -> Option<f64> {
        match self {
            Calls::Random(calls) => calls.patience,
            Calls::Recorded(recording) => recording.patience(),
        }
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
        schedules: Default::default(),
        call_preference: Default::default(),
        srtp: Default::default(),
        skills: Skills::new(),
        codecs: Vec::new(),
        language: "en".into(),
    }
}

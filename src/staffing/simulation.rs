//! The distributor on a virtual clock: calls come at random to one queue of agents who are alike.
//!
//! `queue::Acd` is the one that distributes live calls; nothing of its rules is here. This room plays the world around
//! it: callers who come and give up, agents who answer at once and handle for a random time. After every step it checks
//! what must always hold.
//!
//! Each caller's handle time and patience are drawn as the caller comes, from generators of their own: with the same
//! seed other numbers of agents meet the very same callers. The first period is warm-up and not counted. Every figure
//! counts a call where it came in, so the last ones are waited for.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use serde::Serialize;

use super::estimate::MOST_BATCHES;
use super::{Estimate, Performance, Profile};
use crate::ids::{AgentId, CallId};
use crate::queue::{Acd, AcdEvent, EnqueueError, Skills};
use crate::settings;
use crate::time::{Deadlines, Instant, Now, Wall};

#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its rules are kept, but for two: the handle time includes the wrap-up, and nobody is there to hear a position.
    pub queue: settings::Queue,
    pub agents: u32,
    pub profile: Profile,
    /// The mean handle time in seconds, wrap-up included.
    pub aht: f64,
    /// The mean patience in seconds. `None`: nobody gives up.
    pub patience: Option<f64>,
    /// So many stretches of time that are alike are counted, after one of warm-up.
    pub periods: u32,
    pub period: Duration,
    pub seed: u64,
}

impl Scenario {
    /// What theory says of it.
    pub fn theory(&self) -> Performance {
        self.profile.performance(self.aht, self.patience, self.agents, self.queue.answer_within.as_secs_f64())
    }
}

/// What became of the calls.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    pub offered: u64,
    pub handled: u64,
    pub abandoned: u64,
    /// Not let in, because the queue's `max_waiting` were waiting.
    pub overflowed: u64,
    /// Answered within the queue's `answer_within`, of all offered.
    pub service_level: Estimate,
    /// The mean wait of those who were answered, in seconds.
    pub asa_s: Estimate,
    /// Not answered at once, of all offered.
    pub wait_probability: Estimate,
    pub abandonment: Estimate,
    /// Handling time of available time.
    pub occupancy: Estimate,
}

/// What the distributor must never do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("agent {agent} was given call {call} while busy with another")]
    TwoCalls { agent: AgentId, call: CallId },
    #[error("call {call} was offered to agent {agent} before {first}, who waits longer")]
    Overtaken { call: CallId, agent: AgentId, first: CallId },
    #[error("call {call} was offered to agent {agent}, but does not wait")]
    NotWaiting { call: CallId, agent: AgentId },
    #[error("{waiting} calls wait while {idle} agents are idle")]
    IdleAgents { waiting: usize, idle: usize },
    #[error("agent {agent} could not answer call {call}, which was offered")]
    OfferNotValid { call: CallId, agent: AgentId },
    #[error("{contacts} contacts and {busy} busy agents are left when all calls are over")]
    LeftOver { contacts: usize, busy: usize },
    #[error(transparent)]
    Refused(#[from] EnqueueError),
}

/// Plays the scenario to its end.
pub fn run(scenario: &Scenario) -> Result<Outcome, Fault> {
    let mut run = Run::new(scenario);
    run.play()?;
    Ok(run.outcome())
}

/// What happens next. At one instant: in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Step {
    /// So that no stretch of handling lies in two periods.
    PeriodEnds,
    HandlingEnds(CallId),
    GivesUp(CallId),
    Calls,
}

struct Waiting {
    since: Instant,
    handling: Duration,
    /// The batch that counts the call; `None` in the warm-up.
    batch: Option<usize>,
}

/// What is counted of one batch.
#[derive(Clone, Copy, Debug, Default)]
struct Batch {
    offered: u64,
    handled: u64,
    abandoned: u64,
    overflowed: u64,
    waited: u64,
    in_time: u64,
    /// Of those who were answered.
    waits: f64,
    handling: f64,
    available: f64,
}

struct Run<'s> {
    scenario: &'s Scenario,
    acd: Acd,
    now: Now,
    steps: Deadlines<Step>,
    arrivals: ChaCha12Rng,
    handlings: ChaCha12Rng,
    patiences: ChaCha12Rng,
    /// When the next call comes, in seconds.
    next_call: f64,
    calls: u128,
    /// In order of arrival.
    waiting: BTreeMap<CallId, Waiting>,
    talking: HashMap<CallId, AgentId>,
    busy: HashSet<AgentId>,
    batches: Vec<Batch>,
}

impl<'s> Run<'s> {
    fn new(scenario: &'s Scenario) -> Run<'s> {
        let stream = |number| {
            let mut rng = ChaCha12Rng::seed_from_u64(scenario.seed);
            rng.set_stream(number);
            rng
        };
        let mut tie_seed = [0; 32];
        stream(0).fill_bytes(&mut tie_seed);
        let now = Now { instant: Instant(0), wall: Wall::UNIX_EPOCH };
        let queue =
            settings::Queue { wrap_up: Duration::ZERO, announce_position: Duration::ZERO, ..scenario.queue.clone() };
        let agents: Vec<settings::Agent> = (1..=scenario.agents).map(|n| agent(n, &queue)).collect();
        let mut acd = Acd::new(std::slice::from_ref(&queue), &agents, tie_seed, now);
        for agent in &agents {
            acd.set_reachable(&agent.id, true, now);
        }
        let mut run = Run {
            scenario,
            acd,
            now,
            steps: Deadlines::default(),
            arrivals: stream(1),
            handlings: stream(2),
            patiences: stream(3),
            next_call: 0.0,
            calls: 0,
            waiting: BTreeMap::new(),
            talking: HashMap::new(),
            busy: HashSet::new(),
            batches: vec![Batch::default(); MOST_BATCHES.min(scenario.periods as usize)],
        };
        run.steps.set(Step::PeriodEnds, now.instant + scenario.period);
        run.await_call();
        run
    }

    fn play(&mut self) -> Result<(), Fault> {
        while let Some(next) = self.steps.next() {
            let due = self.acd.poll_timeout().filter(|at| *at <= next);
            self.pass_until(due.unwrap_or(next));
            if due.is_some() {
                self.acd.handle_timeout(self.now);
            } else if let Some(step) = self.steps.expire(self.now.instant) {
                self.take(step)?;
            }
            self.follow_offers()?;
            self.check_idleness()?;
        }
        let left = self.acd.counts();
        match (left.contacts, left.busy_agents) {
            (0, 0) => Ok(()),
            (contacts, busy) => Err(Fault::LeftOver { contacts, busy }),
        }
    }

    /// Lets time pass, and counts what agents do in it.
    fn pass_until(&mut self, at: Instant) {
        let passed = at.since(self.now.instant);
        if let Some(batch) = self.batch().and_then(|nth| self.batches.get_mut(nth)) {
            batch.handling += self.busy.len() as f64 * passed.as_secs_f64();
            batch.available += f64::from(self.scenario.agents) * passed.as_secs_f64();
        }
        self.now.instant = at;
        self.now.wall += jiff::SignedDuration::try_from(passed).unwrap_or_default();
    }

    fn take(&mut self, step: Step) -> Result<(), Fault> {
        match step {
            Step::PeriodEnds => {
                if self.now.instant < self.end() {
                    self.steps.set(Step::PeriodEnds, self.now.instant + self.scenario.period);
                }
            }
            Step::HandlingEnds(call) => {
                if let Some(agent) = self.talking.remove(&call) {
                    self.busy.remove(&agent);
                }
                self.acd.talk_ended(call, self.now);
            }
            Step::GivesUp(call) => {
                if let Some(counted) = self.waiting.remove(&call) {
                    self.count(counted.batch, |batch| {
                        batch.abandoned += 1;
                        batch.waited += 1;
                    });
                }
                self.acd.leave(call, self.now);
            }
            Step::Calls => {
                self.call_comes()?;
                self.await_call();
            }
        }
        Ok(())
    }

    fn await_call(&mut self) {
        let exposure = exponential(&mut self.arrivals, 1.0);
        self.next_call = self.scenario.profile.next_call(self.next_call, exposure);
        let at = Instant(0) + seconds(self.next_call);
        if at < self.end() {
            self.steps.set(Step::Calls, at);
        }
    }

    fn call_comes(&mut self) -> Result<(), Fault> {
        let (since, batch) = (self.now.instant, self.batch());
        let handling = seconds(exponential(&mut self.handlings, self.scenario.aht));
        let patience = self.scenario.patience.map(|mean| seconds(exponential(&mut self.patiences, mean)));
        self.calls += 1;
        let call = CallId(self.calls);
        self.count(batch, |batch| batch.offered += 1);
        match self.acd.enqueue(call, &self.scenario.queue.id, &Skills::new(), since, self.now) {
            Ok(()) => {
                self.waiting.insert(call, Waiting { since, handling, batch });
                if let Some(patience) = patience {
                    self.steps.set(Step::GivesUp(call), since + patience);
                }
                Ok(())
            }
            Err(EnqueueError::Full { .. }) => {
                self.count(batch, |batch| {
                    batch.overflowed += 1;
                    batch.waited += 1;
                });
                Ok(())
            }
            Err(refused) => Err(refused.into()),
        }
    }

    /// Agents answer what they are offered at once.
    fn follow_offers(&mut self) -> Result<(), Fault> {
        while let Some(event) = self.acd.poll_event() {
            if let AcdEvent::Offer { contact, agent, .. } = event {
                self.agent_answers(contact, agent)?;
            }
        }
        Ok(())
    }

    fn agent_answers(&mut self, call: CallId, agent: AgentId) -> Result<(), Fault> {
        if let Some((first, _)) = self.waiting.first_key_value().filter(|(first, _)| **first < call) {
            return Err(Fault::Overtaken { call, agent, first: *first });
        }
        let Some(answered) = self.waiting.remove(&call) else { return Err(Fault::NotWaiting { call, agent }) };
        if !self.busy.insert(agent.clone()) {
            return Err(Fault::TwoCalls { agent, call });
        }
        if !self.acd.agent_answered(call, self.now) {
            return Err(Fault::OfferNotValid { call, agent });
        }
        self.talking.insert(call, agent);
        self.steps.clear(&Step::GivesUp(call));
        self.steps.set(Step::HandlingEnds(call), self.now.instant + answered.handling);
        let wait = self.now.instant.since(answered.since);
        let in_time = wait <= self.scenario.queue.answer_within;
        self.count(answered.batch, |batch| {
            batch.handled += 1;
            batch.waited += u64::from(!wait.is_zero());
            batch.in_time += u64::from(in_time);
            batch.waits += wait.as_secs_f64();
        });
        Ok(())
    }

    fn check_idleness(&self) -> Result<(), Fault> {
        let idle = (self.scenario.agents as usize).saturating_sub(self.busy.len());
        match self.waiting.len() {
            0 => Ok(()),
            _ if idle == 0 => Ok(()),
            waiting => Err(Fault::IdleAgents { waiting, idle }),
        }
    }

    fn end(&self) -> Instant {
        Instant(0) + self.scenario.period * (self.scenario.periods + 1)
    }

    /// The batch of what happens now; none before the first and after the last.
    fn batch(&self) -> Option<usize> {
        let period = self.now.instant.0 / u64::try_from(self.scenario.period.as_nanos()).unwrap_or(u64::MAX).max(1);
        let counted = usize::try_from(period).ok()?.checked_sub(1)?;
        let periods = self.scenario.periods as usize;
        (counted < periods).then(|| counted * self.batches.len() / periods)
    }

    fn count(&mut self, batch: Option<usize>, count: impl FnOnce(&mut Batch)) {
        if let Some(batch) = batch.and_then(|nth| self.batches.get_mut(nth)) {
            count(batch);
        }
    }

    fn outcome(&self) -> Outcome {
        let sum = |of: fn(&Batch) -> u64| self.batches.iter().map(of).sum::<u64>();
        let offered = sum(|batch| batch.offered);
        let ratio = |scale: f64, of: fn(&Batch) -> (f64, f64)| {
            Estimate::of_ratio(&self.batches.iter().map(of).collect::<Vec<_>>(), scale, offered)
        };
        // Who finds all agents busy waits so long on average, at the least.
        let least_wait = self.scenario.aht / f64::from(self.scenario.agents.max(1));
        Outcome {
            offered,
            handled: sum(|batch| batch.handled),
            abandoned: sum(|batch| batch.abandoned),
            overflowed: sum(|batch| batch.overflowed),
            service_level: ratio(1.0, |batch| (batch.in_time as f64, batch.offered as f64)),
            asa_s: ratio(least_wait, |batch| (batch.waits, batch.handled as f64)),
            wait_probability: ratio(1.0, |batch| (batch.waited as f64, batch.offered as f64)),
            abandonment: ratio(1.0, |batch| (batch.abandoned as f64, batch.offered as f64)),
            occupancy: ratio(0.0, |batch| (batch.handling, batch.available)),
        }
    }
}

/// One of those who are alike.
fn agent(number: u32, queue: &settings::Queue) -> settings::Agent {
    let id = AgentId::from(number.to_string());
    settings::Agent {
        name: format!("Agent {id}"),
        id,
        password: None,
        contact: None,
        queues: vec![queue.id.clone()],
        skills: Skills::new(),
        codecs: Vec::new(),
        language: "en".into(),
    }
}

/// By inversion; 53 random bits, and never infinite.
fn exponential(rng: &mut ChaCha12Rng, mean: f64) -> f64 {
    let uniform = (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    -mean * (-uniform).ln_1p()
}

/// To the nanosecond.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

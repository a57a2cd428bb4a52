//! The distributor on a virtual clock: calls come, agents answer at once.
//!
//! `queue::Acd` is the one that distributes live calls; nothing of its rules is here. This room plays the world around
//! it: callers who come and give up, agents who answer at once and handle for as long as the call takes. After every
//! step it checks what must always hold.
//!
//! Calls drawn by chance are played once; the first period is warm-up and not counted, and the rest is cut into batches.
//! A recording is played `REPLAYS` times, with what it does not tell drawn anew; each replay is a batch. Every figure
//! counts a call where it came in, so the last ones are waited for.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use rand_core::RngCore;

use super::Played;
use super::callers::{Caller, stream};
use super::distributor::Distributor;
use super::estimate::MOST_BATCHES;
use super::outcome::{Batch, Promise, Tally};
use super::scenario::{Calls, Kind, Scenario};
use crate::demand::PreferredAgent;
use crate::ids::{AgentId, CallId};
use crate::queue::EnqueueError;
use crate::time::{Deadlines, Instant, Now, Wall};

/// So often a recording is played.
pub const REPLAYS: u32 = 30;

/// So many steps lie between two words on how far it has come.
const STEPS_UNTOLD: u32 = 1 << 14;

/// What the distributor must never do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("agent {agent} was given call {call} while busy with another")]
    TwoCalls { agent: AgentId, call: CallId },
    #[error("call {call} was offered to agent {agent} before {first}, who waits longer")]
    Overtaken { call: CallId, agent: AgentId, first: CallId },
    #[error("call {call} was offered to agent {agent}, but does not wait")]
    NotWaiting { call: CallId, agent: AgentId },
    #[error("{waiting} calls wait that idle agents could take")]
    IdleAgents { waiting: usize },
    #[error("agent {agent} could not answer call {call}, which was offered")]
    OfferNotValid { call: CallId, agent: AgentId },
    #[error("{contacts} contacts and {busy} busy agents are left when all calls are over")]
    LeftOver { contacts: usize, busy: usize },
    #[error(transparent)]
    Refused(#[from] EnqueueError),
}

/// Plays the scenario to its end. `tell` hears now and then how much of it is done, from 0 to 1.
pub fn run(scenario: &Scenario, tell: &mut dyn FnMut(f64)) -> Result<Played, Fault> {
    let tally = match &scenario.calls {
        Calls::Random(calls) => {
            let counted = Counted { from: Instant(0) + calls.period, period: calls.period, periods: calls.periods };
            let callers = Box::new(calls.draw(scenario.seed));
            Run::new(scenario, 0, callers, counted).play(tell)?
        }
        Calls::Recorded(recording) => {
            let mut tally = Tally::default();
            for replay in 0..REPLAYS {
                let counted = Counted { from: Instant(0), period: recording.length(), periods: 1 };
                let callers = Box::new(recording.callers(scenario.seed, replay.into()));
                let mut tell_all = |done: f64| tell((f64::from(replay) + done) / f64::from(REPLAYS));
                tally.append(Run::new(scenario, replay.into(), callers, counted).play(&mut tell_all)?);
            }
            tally
        }
    };
    Ok(tally.played(scenario.calls.aht() / scenario.agents.len().max(1) as f64))
}

/// The stretches of time that are counted.
#[derive(Clone, Copy, Debug)]
struct Counted {
    from: Instant,
    period: Duration,
    periods: u32,
}

impl Counted {
    fn end(&self) -> Instant {
        self.from + self.period * self.periods
    }

    fn batches(&self) -> usize {
        MOST_BATCHES.min(self.periods as usize)
    }

    /// The batch of what happens then; none before the first and after the last.
    fn batch(&self, at: Instant) -> Option<usize> {
        if at < self.from || at > self.end() {
            return None;
        }
        let period = at.since(self.from).as_nanos() / self.period.as_nanos().max(1);
        // The very end belongs to the last.
        let period = usize::try_from(period).unwrap_or(usize::MAX).min(self.periods.saturating_sub(1) as usize);
        Some(period * self.batches() / self.periods.max(1) as usize)
    }
}

/// What happens next. At one instant: in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Step {
    /// So that no stretch of handling lies in two periods.
    PeriodEnds,
    HandlingEnds(CallId),
    WaitsNoLonger(CallId),
    Calls,
}

struct Waiting {
    caller: Caller,
    promise: Promise,
    /// The batch that counts the call; `None` in the warm-up.
    batch: Option<usize>,
}

struct Run<'s> {
    scenario: &'s Scenario,
    distributor: Distributor,
    now: Now,
    steps: Deadlines<Step>,
    callers: Box<dyn Iterator<Item = Caller> + 's>,
    next_caller: Option<Caller>,
    calls: u128,
    kinds: Vec<Line<'s>>,
    /// The places of those of whom calls wait.
    occupied: BTreeSet<usize>,
    waiting: HashMap<CallId, Waiting>,
    talking: HashMap<CallId, AgentId>,
    busy: HashSet<AgentId>,
    counted: Counted,
    tally: Tally,
}

/// The calls that ask for the same.
struct Line<'s> {
    kind: Kind,
    agents: Vec<&'s AgentId>,
    /// For so long they are offered to this agent alone.
    waits_for: Option<PreferredAgent>,
    /// In order of arrival.
    waiting: BTreeSet<CallId>,
}

impl<'s> Run<'s> {
    /// All agents are idle.
    fn new(
        scenario: &'s Scenario,
        replay: u64,
        callers: Box<dyn Iterator<Item = Caller> + 's>,
        counted: Counted,
    ) -> Run<'s> {
        let mut ties = [0; 32];
        stream(scenario.seed, 4 * replay).fill_bytes(&mut ties);
        let now = Now { instant: Instant(0), wall: Wall::UNIX_EPOCH };
        let line = |kind: Kind| {
            let agents = scenario.agents_for(&kind).collect();
            let waits_for = scenario.waits_for(&kind).cloned();
            Line { kind, agents, waits_for, waiting: BTreeSet::new() }
        };
        let mut run = Run {
            scenario,
            distributor: Distributor::new(scenario, ties, now),
            now,
            steps: Deadlines::default(),
            callers,
            next_caller: None,
            calls: 0,
            kinds: scenario.kinds().into_iter().map(line).collect(),
            occupied: BTreeSet::new(),
            waiting: HashMap::new(),
            talking: HashMap::new(),
            busy: HashSet::new(),
            counted,
            tally: Tally::new(scenario.queues.len(), counted.batches()),
        };
        run.steps.set(Step::PeriodEnds, now.instant + counted.period);
        run.await_call();
        run
    }

    fn play(mut self, tell: &mut dyn FnMut(f64)) -> Result<Tally, Fault> {
        let mut untold = 0;
        while let Some(next) = self.steps.next() {
            let due = self.distributor.poll_timeout().filter(|at| *at <= next);
            self.pass_until(due.unwrap_or(next));
            if due.is_some() {
                self.distributor.handle_timeout(self.now);
            } else if let Some(step) = self.steps.expire(self.now.instant) {
                self.take(step)?;
            }
            self.follow_offers()?;
            self.check_idleness()?;
            untold += 1;
            if untold == STEPS_UNTOLD {
                untold = 0;
                tell((self.now.instant.0 as f64 / self.counted.end().0.max(1) as f64).min(1.0));
            }
        }
        let left = self.distributor.counts();
        match (left.contacts, left.busy_agents) {
            (0, 0) => Ok(self.tally),
            (contacts, busy) => Err(Fault::LeftOver { contacts, busy }),
        }
    }

    /// Lets time pass, and counts what agents do in it.
    fn pass_until(&mut self, at: Instant) {
        let passed = at.since(self.now.instant);
        // What follows on the end is counted nowhere.
        let within = self.counted.end() > self.now.instant;
        if let Some(work) = self.batch().filter(|_| within).and_then(|nth| self.tally.work.get_mut(nth)) {
            work.handling += self.busy.len() as f64 * passed.as_secs_f64();
            work.available += self.scenario.agents.len() as f64 * passed.as_secs_f64();
        }
        self.now.instant = at;
        self.now.wall += jiff::SignedDuration::try_from(passed).unwrap_or_default();
    }

    fn take(&mut self, step: Step) -> Result<(), Fault> {
        match step {
            Step::PeriodEnds => {
                if self.now.instant < self.counted.end() {
                    self.steps.set(Step::PeriodEnds, self.now.instant + self.counted.period);
                }
            }
            Step::HandlingEnds(call) => {
                if let Some(agent) = self.talking.remove(&call) {
                    self.busy.remove(&agent);
                }
                self.distributor.handling_ends(call, self.now);
            }
            Step::WaitsNoLonger(call) => {
                if let Some(gone) = self.wait_is_over(call) {
                    self.count(gone.caller.kind, gone.batch, |batch| {
                        batch.abandoned += u64::from(!gone.caller.goes_elsewhere);
                        batch.overflowed += u64::from(gone.caller.goes_elsewhere);
                        batch.waited += 1;
                    });
                }
                self.distributor.leave(call, self.now);
            }
            Step::Calls => {
                if let Some(caller) = self.next_caller.take() {
                    self.call_comes(caller)?;
                }
                self.await_call();
            }
        }
        Ok(())
    }

    fn await_call(&mut self) {
        self.next_caller = self.callers.next();
        if let Some(caller) = &self.next_caller {
            self.steps.set(Step::Calls, caller.at);
        }
    }

    fn call_comes(&mut self, caller: Caller) -> Result<(), Fault> {
        let batch = self.batch();
        self.calls += 1;
        let call = CallId(self.calls);
        self.count(caller.kind, batch, |batch| batch.offered += 1);
        let Some(line) = self.kinds.get(caller.kind) else { return Ok(()) };
        let has_to_wait = !self.has_idle_agent(line);
        let promise = if has_to_wait { self.distributor.promise(line.kind.queue, self.now) } else { None };
        if !self.distributor.enqueue(call, &line.kind, self.now)? {
            self.count(caller.kind, batch, |batch| {
                batch.overflowed += 1;
                batch.waited += 1;
            });
            return Ok(());
        }
        if has_to_wait {
            self.count(caller.kind, batch, |batch| batch.promised(promise));
        }
        if let Some(patience) = caller.patience {
            self.steps.set(Step::WaitsNoLonger(call), caller.at + patience);
        }
        self.wait_begins(call, Waiting { caller, promise, batch });
        Ok(())
    }

    fn wait_begins(&mut self, call: CallId, waiting: Waiting) {
        let kind = waiting.caller.kind;
        if let Some(line) = self.kinds.get_mut(kind) {
            line.waiting.insert(call);
            self.occupied.insert(kind);
        }
        self.waiting.insert(call, waiting);
    }

    fn has_idle_agent(&self, line: &Line<'_>) -> bool {
        self.busy.len() < self.scenario.agents.len() && line.agents.iter().any(|agent| !self.busy.contains(*agent))
    }

    fn wait_is_over(&mut self, call: CallId) -> Option<Waiting> {
        let over = self.waiting.remove(&call)?;
        if let Some(line) = self.kinds.get_mut(over.caller.kind) {
            line.waiting.remove(&call);
            if line.waiting.is_empty() {
                self.occupied.remove(&over.caller.kind);
            }
        }
        Some(over)
    }

    /// Agents answer what they are offered at once.
    fn follow_offers(&mut self) -> Result<(), Fault> {
        while let Some((call, agent)) = self.distributor.poll_offer() {
            self.agent_answers(call, agent)?;
        }
        Ok(())
    }

    fn agent_answers(&mut self, call: CallId, agent: AgentId) -> Result<(), Fault> {
        let kind = self.waiting.get(&call).map(|waiting| waiting.caller.kind);
        let first = kind.and_then(|kind| self.kinds.get(kind)?.waiting.first().copied());
        if let Some(first) = first.filter(|first| *first < call) {
            return Err(Fault::Overtaken { call, agent, first });
        }
        let Some(answered) = self.wait_is_over(call) else { return Err(Fault::NotWaiting { call, agent }) };
        if !self.busy.insert(agent.clone()) {
            return Err(Fault::TwoCalls { agent, call });
        }
        if !self.distributor.answer(call, &agent, self.now) {
            return Err(Fault::OfferNotValid { call, agent });
        }
        self.talking.insert(call, agent);
        self.steps.clear(&Step::WaitsNoLonger(call));
        self.steps.set(Step::HandlingEnds(call), self.now.instant + answered.caller.handling);
        let wait = self.now.instant.since(answered.caller.at);
        let in_time = wait <= self.answer_within(answered.caller.kind);
        self.count(answered.caller.kind, answered.batch, |batch| {
            batch.handled += 1;
            batch.waited += u64::from(!wait.is_zero());
            batch.in_time += u64::from(in_time);
            batch.waits += wait.as_secs_f64();
            if let Some(promise) = answered.promise {
                batch.kept(promise, wait);
            }
        });
        Ok(())
    }

    fn check_idleness(&self) -> Result<(), Fault> {
        if self.busy.len() == self.scenario.agents.len() {
            return Ok(());
        }
        let lines = self.occupied.iter().filter_map(|kind| self.kinds.get(*kind));
        match lines.map(|line| self.kept_waiting(line)).sum() {
            0 => Ok(()),
            waiting => Err(Fault::IdleAgents { waiting }),
        }
    }

    /// The calls that wait although somebody could take them.
    fn kept_waiting(&self, line: &Line<'_>) -> usize {
        if !self.has_idle_agent(line) {
            return 0;
        }
        let Some(PreferredAgent { agent, wait }) = &line.waits_for else { return line.waiting.len() };
        if line.agents.contains(&agent) && !self.busy.contains(agent) {
            return line.waiting.len();
        }
        let came = |call: &CallId| self.waiting.get(call).map(|waiting| waiting.caller.at);
        let open = |call: &&CallId| came(call).is_some_and(|at| self.now.instant.since(at) > *wait);
        line.waiting.iter().filter(open).count()
    }

    fn queue(&self, kind: usize) -> Option<usize> {
        self.kinds.get(kind).map(|line| line.kind.queue)
    }

    fn answer_within(&self, kind: usize) -> Duration {
        let queue = self.queue(kind).and_then(|queue| self.scenario.queues.get(queue));
        queue.map(|queue| queue.answer_within).unwrap_or_default()
    }

    fn batch(&self) -> Option<usize> {
        self.counted.batch(self.now.instant)
    }

    fn count(&mut self, kind: usize, batch: Option<usize>, count: impl FnOnce(&mut Batch)) {
        let Some((queue, batch)) = self.queue(kind).zip(batch) else { return };
        if let Some(batch) = self.tally.queues.get_mut(queue).and_then(|batches| batches.get_mut(batch)) {
            count(batch);
        }
    }
}

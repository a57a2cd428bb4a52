//! Random histories: the real distributor beside the reference, step by step, with the invariants after every step.
//! `RELAIS_SEED=n` runs one seed and prints its steps, `RELAIS_RUNS=n` that many histories.
//!
//! Faults that were planted and are caught here within 300 histories: a ring, announce or retry timer not cleared or
//! not set again; an offered agent still listed as idle; an offered contact still open to others; no bar after a
//! refusal; an agent not employed after a failed offer; a rest that never ends; idle time restarted by a failed offer;
//! a talk that does not reset the count of unanswered contacts; a busy phone held against the agent; a pause
//! forgotten during a talk; a log-out undone by a registration; an abandoned contact left in line; a contact lost when
//! its offer is taken back; the newest instead of the longest idle; only the first queue of an agent looked at; a
//! deleted queue that loses its agents; no withdrawal when the caller leaves; a queue's change not published; a late
//! answer accepted; the lowest priority served first.

mod starvation;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

use super::agent::{AgentIndex, Duty};
use super::contact::{Contact, Stage};
use super::reference::Reference;
use super::skills::meet;
use super::tests::{agent, queue};
use super::{Acd, AcdCounts, AcdEvent, EnqueueError, Hours, Medium, NoAnswer, Skills, Timer, Wanted};
use crate::demand::{Demand, PreferredAgent, Widening};
use crate::ids::{AgentId, CallId, QueueId};
use crate::settings;
use crate::shift::AgentChange;
use crate::time::{Instant, Now, Wall};
use crate::views::{AgentState, AgentView, QueueView};

const HISTORIES: u64 = 1_000;
const STEPS: u32 = 150;

struct History {
    rng: ChaCha12Rng,
    now: Now,
    /// Steps of time are whole seconds, so that many things happen at one instant; else any nanosecond.
    coarse: bool,
    acd: Acd,
    reference: Reference,
    next_contact: u128,
    told_agents: BTreeMap<AgentId, AgentView>,
    told_queues: BTreeMap<QueueId, QueueView>,
    /// The last change of each agent that was told.
    entered: BTreeMap<AgentId, AgentChange>,
    narrate: bool,
}

#[derive(Debug)]
enum Step {
    Enqueue(CallId, QueueId, Demand, Duration),
    /// Cold, or with a place.
    Promise(CallId, QueueId, Demand, Duration, bool),
    Reached(CallId),
    Leave(CallId),
    Overflow(CallId),
    Ringing(CallId, AgentId),
    Answered(CallId, AgentId),
    Failed(CallId, AgentId, NoAnswer),
    TalkEnded(CallId),
    GoneAtOnce(CallId),
    Hold(CallId, bool),
    Reachable(AgentId, bool),
    SetState(AgentId, Wanted),
    Seize(AgentId, CallId),
    Configure(Vec<settings::Queue>, Vec<settings::Agent>, BTreeMap<String, Hours>),
    SetHours(BTreeMap<String, Hours>),
    Wait(Duration),
    WaitForTimeout,
    Restore,
}

impl History {
    fn new(seed: u64) -> History {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let start: Wall = "2026-11-25T10:00:00Z".parse().unwrap();
        let now = Now { instant: Instant(0) + Duration::from_secs(10_000), wall: start };
        let coarse = rng.next_u32() % 2 == 0;
        let (queues, agents) = configuration(&mut rng);
        let mut acd_seed = [0; 32];
        rng.fill_bytes(&mut acd_seed);
        History {
            acd: Acd::new(&queues, &agents, acd_seed, now),
            reference: Reference::new(&queues, &agents, acd_seed, now),
            rng,
            now,
            coarse,
            next_contact: 1,
            told_agents: BTreeMap::new(),
            told_queues: BTreeMap::new(),
            entered: BTreeMap::new(),
            narrate: false,
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.rng.next_u32() as usize % bound.max(1)
    }

    fn run(&mut self) -> Result<(), String> {
        self.compare(&[])?;
        for agent in self.acd.agents().cloned().collect::<Vec<_>>() {
            if self.below(4) > 0 {
                self.step(Step::Reachable(agent, true))?;
            }
        }
        for _ in 0..STEPS {
            let step = self.choose();
            self.step(step)?;
        }
        self.end()
    }

    /// Everybody leaves; then nothing may be left.
    fn end(&mut self) -> Result<(), String> {
        for contact in 1..self.next_contact {
            self.step(Step::Leave(CallId(contact)))?;
        }
        while self.acd.poll_timeout().is_some() {
            self.step(Step::WaitForTimeout)?;
        }
        let counts = self.acd.counts();
        if counts != AcdCounts::default() {
            return Err(format!("left over: {counts:?}"));
        }
        Ok(())
    }

    fn choose(&mut self) -> Step {
        let contact = CallId(1 + self.below(self.next_contact as usize + 1).saturating_sub(self.below(3)) as u128);
        let agent = AgentId::from(["1", "2", "3", "4", "5", "6", "7"][self.below(7)]);
        match self.below(100) {
            0..18 => {
                let id = if self.below(15) == 0 { contact } else { CallId(self.next_contact) };
                self.next_contact = self.next_contact.max(id.0 + 1);
                let queue = QueueId::from(["a", "a", "a", "b", "b", "c", "nowhere"][self.below(7)]);
                let waited = Duration::from_secs([0, 0, 0, 5, 60][self.below(5)]);
                let demand = demand(&mut self.rng);
                match self.below(4) {
                    0 => Step::Promise(id, queue, demand, waited, self.below(3) > 0),
                    _ => Step::Enqueue(id, queue, demand, waited),
                }
            }
            18..21 => Step::Leave(contact),
            21 => Step::Overflow(contact),
            22..24 => Step::Reached(self.some_callback().unwrap_or(contact)),
            24..32 => {
                let contact = self.some_offered().unwrap_or(contact);
                Step::Ringing(contact, self.some_rung(contact).unwrap_or(agent))
            }
            32..44 => {
                let contact = self.some_offered().unwrap_or(contact);
                Step::Answered(contact, self.some_rung(contact).unwrap_or(agent))
            }
            44..54 => {
                let why = [
                    NoAnswer::Timeout,
                    NoAnswer::Busy,
                    NoAnswer::Declined,
                    NoAnswer::HungUpWhileRinging,
                    NoAnswer::Unreachable,
                ][self.below(5)];
                let contact = self.some_offered().unwrap_or(contact);
                Step::Failed(contact, self.some_rung(contact).unwrap_or(agent), why)
            }
            54..59 => Step::TalkEnded(self.some_talking().unwrap_or(contact)),
            59 => Step::GoneAtOnce(self.some_talking().unwrap_or(contact)),
            60..63 => Step::Hold(self.some_talking().unwrap_or(contact), self.below(2) == 0),
            63..68 => Step::Reachable(agent, self.below(3) > 0),
            68..76 => {
                let wanted = match self.below(5) {
                    0 => Wanted::Paused("lunch".to_owned()),
                    1 => Wanted::Paused("break".to_owned()),
                    2 => Wanted::LoggedOut,
                    _ => Wanted::Available,
                };
                Step::SetState(agent, wanted)
            }
            76..78 => {
                let id = if self.below(5) == 0 { contact } else { CallId(self.next_contact) };
                self.next_contact = self.next_contact.max(id.0 + 1);
                Step::Seize(agent, id)
            }
            78..80 => {
                let (queues, agents) = configuration(&mut self.rng);
                Step::Configure(queues, agents, hours(&mut self.rng, self.now))
            }
            80..88 => Step::WaitForTimeout,
            88 => Step::Restore,
            89 | 90 => Step::SetHours(hours(&mut self.rng, self.now)),
            91 if self.below(3) == 0 => Step::Wait(Duration::from_secs(30 + self.below(400) as u64)),
            _ if self.coarse => Step::Wait(Duration::from_secs(self.below(4) as u64)),
            _ => Step::Wait(Duration::from_nanos(self.rng.next_u64() % 5_000_000_000)),
        }
    }

    fn some_offered(&mut self) -> Option<CallId> {
        let mut offered: Vec<CallId> = self.acd.in_stage(|stage| matches!(stage, Stage::Offered(_)));
        offered.sort();
        let nth = self.below(offered.len());
        offered.get(nth).copied()
    }

    /// Mostly one of those to whom it is offered.
    fn some_rung(&mut self, contact: CallId) -> Option<AgentId> {
        let agents = self.acd.offered_agents(contact);
        let nth = self.below(agents.len());
        agents.get(nth).filter(|_| self.below(10) > 0).cloned()
    }

    fn some_callback(&mut self) -> Option<CallId> {
        let promised = self.acd.contacts.iter().filter(|(_, contact)| contact.medium == Medium::Callback);
        let mut promised: Vec<CallId> = promised.map(|(id, _)| *id).collect();
        promised.sort();
        let nth = self.below(promised.len());
        promised.get(nth).copied()
    }

    fn some_talking(&mut self) -> Option<CallId> {
        let mut talking: Vec<CallId> = self.acd.in_stage(|stage| matches!(stage, Stage::Talking(_)));
        talking.sort();
        let nth = self.below(talking.len());
        talking.get(nth).copied()
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        if self.narrate {
            println!("{:>14.9} {step:?}", self.now.instant.0 as f64 / 1e9);
        }
        let waiting = self.acd.left_waiting();
        self.apply(&step).map_err(|fault| format!("at {step:?}: {fault}"))?;
        self.compare(&waiting).map_err(|fault| format!("after {step:?}: {fault}"))
    }

    /// To both; their answers must agree.
    fn apply(&mut self, step: &Step) -> Result<(), String> {
        let now = self.now;
        let (acd, reference) = (&mut self.acd, &mut self.reference);
        match step {
            Step::Enqueue(contact, queue, demand, waited) => {
                let since = now.instant - *waited;
                let got = acd.enqueue(*contact, queue, demand, since, now).map_err(|error| match error {
                    EnqueueError::NoSuchQueue { .. } => "no such queue",
                    EnqueueError::Full { .. } => "full",
                    EnqueueError::AlreadyWaiting { .. } => "already",
                });
                same("enqueue", got, reference.enqueue(*contact, queue, demand, since, (false, false), now))?;
            }
            Step::Promise(contact, queue, demand, waited, cold) => {
                let since = now.instant - *waited;
                let got = match cold {
                    true => acd.enqueue_cold_callback(*contact, queue, demand, since, now),
                    false => acd.enqueue_callback(*contact, queue, demand, since, now),
                };
                let expected = reference.enqueue(*contact, queue, demand, since, (true, *cold), now);
                same("promise", got.is_ok(), expected.is_ok())?;
            }
            Step::Reached(contact) => {
                same("reached", acd.reached(*contact, now), reference.reached(*contact, now))?;
            }
            Step::Leave(contact) => {
                acd.leave(*contact, now);
                reference.leave(*contact, false, now);
            }
            Step::Overflow(contact) => {
                acd.overflow(*contact, now);
                reference.leave(*contact, true, now);
            }
            Step::Ringing(contact, agent) => {
                acd.agent_ringing(*contact, agent, now);
                reference.agent_ringing(*contact, agent, now);
            }
            Step::Answered(contact, agent) => {
                let got = acd.agent_answered(*contact, agent, now);
                same("answered", got, reference.agent_answered(*contact, agent, now))?;
            }
            Step::Failed(contact, agent, why) => {
                acd.agent_failed(*contact, agent, *why, now);
                reference.agent_failed(*contact, agent, *why, now);
            }
            Step::TalkEnded(contact) => {
                acd.talk_ended(*contact, now);
                reference.talk_ended(*contact, now);
            }
            Step::GoneAtOnce(contact) => {
                acd.gone_at_once(*contact, now);
                reference.gone_at_once(*contact, now);
            }
            Step::Hold(contact, on) => {
                acd.hold(*contact, *on, now);
                reference.hold(*contact, *on, now);
            }
            Step::Reachable(agent, reachable) => {
                acd.set_reachable(agent, *reachable, now);
                reference.set_reachable(agent, *reachable, now);
            }
            Step::SetState(agent, wanted) => {
                let got = acd.set_state(agent, wanted.clone(), now).is_ok();
                same("set_state", got, reference.set_state(agent, wanted.clone(), now))?;
            }
            Step::Seize(agent, contact) => {
                same("seize", acd.seize(agent, *contact, now).is_ok(), reference.seize(agent, *contact, now))?;
            }
            Step::Configure(queues, agents, hours) => {
                acd.reconfigure(queues, agents, hours.clone(), now);
                reference.reconfigure(queues, agents, hours.clone(), now);
            }
            Step::SetHours(hours) => {
                acd.set_hours(hours.clone(), now);
                reference.set_hours(hours.clone(), now);
            }
            Step::Wait(time) => self.wait(now.instant + *time),
            Step::WaitForTimeout => {
                let until = acd.poll_timeout().unwrap_or(now.instant);
                self.wait(until);
            }
            Step::Restore => {
                let text = serde_json::to_string(&*acd).map_err(|error| error.to_string())?;
                *acd = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    fn wait(&mut self, until: Instant) {
        let passed = jiff::SignedDuration::try_from(until.since(self.now.instant)).unwrap();
        self.now = Now { instant: until.max(self.now.instant), wall: self.now.wall + passed };
        self.acd.handle_timeout(self.now);
        self.reference.handle_timeout(self.now);
    }

    /// `waiting` waited before.
    fn compare(&mut self, waiting: &[Contact]) -> Result<(), String> {
        let mut events = Vec::new();
        while let Some(event) = self.acd.poll_event() {
            match event {
                AcdEvent::AgentChanged(id) => {
                    self.told_agents.extend(self.acd.agent_view(&id).map(|view| (id, view)));
                }
                AcdEvent::Entered(change) => {
                    self.entered.insert(change.agent.clone(), *change);
                }
                AcdEvent::QueueChanged(id) => {
                    self.told_queues.extend(self.acd.queue_view(&id).map(|view| (id, view)));
                }
                event => events.push(event),
            }
        }
        if self.narrate {
            events.iter().for_each(|event| println!("{:>14} {event:?}", ""));
        }
        let offers = events.iter().filter_map(|event| match event {
            AcdEvent::Offer { contact, agent, .. } => Some((*contact, agent.clone())),
            _ => None,
        });
        self.acd.check_nobody_is_passed(waiting, &offers.collect::<Vec<_>>(), self.now.instant)?;
        same("events", events, std::mem::take(&mut self.reference.events))?;
        let agents: Vec<AgentView> = self.acd.agents().filter_map(|id| self.acd.agent_view(id)).collect();
        let queues: Vec<QueueView> = self.acd.queues().filter_map(|id| self.acd.queue_view(id)).collect();
        for contact in (1..self.next_contact).map(CallId) {
            same("position", self.acd.position(contact), self.reference.position(contact, self.now))?;
        }
        let wakes = self.acd.poll_timeout();
        if let Some(due) = self.reference.next()
            && wakes.is_none_or(|wakes| wakes > due)
        {
            return Err(format!("something is due at {due:?}, but the distributor asks to be called at {wakes:?}"));
        }
        for view in &agents {
            same("the published agent", self.told_agents.get(&view.id), Some(view))?;
        }
        for view in &agents {
            let told = self.entered.get(&view.id).map(|change| (change.state, change.call_id, change.reason.clone()));
            let told = told.unwrap_or((AgentState::LoggedOut, None, None));
            same("what is written of the agent", told, (view.state, view.call_id, view.reason.clone()))?;
        }
        for view in &queues {
            same("the published queue", self.told_queues.get(&view.id), Some(view))?;
        }
        same("agents", agents, self.reference.agent_views())?;
        same("queues", queues, self.reference.queue_views())?;
        self.acd.check(self.now.instant)
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: T, expected: T) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("{what}:\n     got {got:?}\nexpected {expected:?}")) }
}

/// Some of three skills, each at a level; how many are had or asked for is drawn from `counts`.
fn skills(rng: &mut ChaCha12Rng, counts: &[usize]) -> Skills {
    let mut pick = |bound: usize| rng.next_u32() as usize % bound;
    let count = counts[pick(counts.len())];
    (0..count).map(|_| (["billing", "french", "vip"][pick(3)].into(), 1 + pick(5) as u8)).collect()
}

/// Steps at which less is asked for, from none to three.
fn widening(rng: &mut ChaCha12Rng) -> Vec<Widening> {
    let mut pick = |of: &[u64]| of[rng.next_u32() as usize % of.len()];
    let steps = [(pick(&[0, 2, 5]), 4), (pick(&[6, 8, 30]), 2), (pick(&[40, 60, 61]), 0)];
    let (first, last) = [(0, 0), (0, 0), (0, 3), (1, 3), (1, 2), (2, 3)][pick(&[0, 1, 2, 3, 4, 5]) as usize];
    let steps = &steps[first..last];
    steps.iter().map(|(after, level)| Widening { after: Duration::from_secs(*after), level: *level }).collect()
}

fn demand(rng: &mut ChaCha12Rng) -> Demand {
    Demand {
        skills: skills(rng, &[0, 0, 0, 1, 1, 2, 3]),
        widen: rng.next_u32().is_multiple_of(3).then(|| widening(rng)),
        priority: [0, 0, 0, 0, 1, 1, 2, 7, -1][rng.next_u32() as usize % 9],
        prefer_skills: skills(rng, &[0, 0, 0, 1, 2, 3]),
        prefer_agent: rng.next_u32().is_multiple_of(4).then(|| PreferredAgent {
            agent: ["1", "2", "3", "4", "5", "nobody"][rng.next_u32() as usize % 6].into(),
            wait: Duration::from_secs([0, 3, 10, 30][rng.next_u32() as usize % 4]),
        }),
        counted: Duration::ZERO,
    }
}

/// Two calendars that schedules name, open or closed; of one nothing may be known.
fn hours(rng: &mut ChaCha12Rng, now: Now) -> BTreeMap<String, Hours> {
    let mut hours = BTreeMap::new();
    for name in ["mornings", "evenings"] {
        let drawn = rng.next_u32();
        let changes_at = now.wall + jiff::SignedDuration::from_secs(i64::from(drawn % 5_000));
        if !drawn.is_multiple_of(7) {
            hours.insert(name.to_owned(), Hours { open: drawn.is_multiple_of(2), changes_at: Some(changes_at) });
        }
    }
    hours
}

/// Up to three queues and seven agents, drawn anew.
fn configuration(rng: &mut ChaCha12Rng) -> (Vec<settings::Queue>, Vec<settings::Agent>) {
    let mut pick = |of: &[u64]| of[rng.next_u32() as usize % of.len()];
    let mut queues = Vec::new();
    for id in ["a", "b", "c"] {
        if pick(&[0, 1, 1, 1, 1]) == 1 {
            queues.push(settings::Queue {
                ring_timeout: Duration::from_secs(pick(&[3, 5, 10])),
                wrap_up: Duration::from_secs(pick(&[0, 2, 8])),
                max_no_answer: pick(&[0, 1, 2, 2, 3]) as u32,
                retry_delay: Duration::from_secs(pick(&[0, 2, 5, 20])),
                announce_position: Duration::from_secs(pick(&[0, 4, 15])),
                answer_within: Duration::from_secs(pick(&[1, 10, 20, 60])),
                priority_step: [None, None, Some(0), Some(1), Some(30)][pick(&[0, 1, 2, 3, 4]) as usize]
                    .map(Duration::from_secs),
                ring_at_once: pick(&[1, 1, 2, 3]) as usize,
                max_waiting: [None, None, Some(3)][pick(&[0, 1, 2]) as usize],
                ..queue(id)
            });
        }
    }
    let mut agents = Vec::new();
    for id in ["1", "2", "3", "4", "5", "6", "7"] {
        if pick(&[0, 1, 1, 1, 1, 1]) == 1 {
            let all = [&["a"][..], &["a"], &["b"], &["a", "b"], &["b", "a"], &["c", "a"], &["a", "b", "c"], &[]];
            let wanted = all[pick(&[0, 1, 2, 3, 4, 5, 6, 7]) as usize];
            let known: Vec<&str> =
                wanted.iter().copied().filter(|id| queues.iter().any(|q| q.id.as_str() == *id)).collect();
            agents.push(agent(id, &known));
        }
    }
    for agent in &mut agents {
        agent.skills = skills(rng, &[0, 1, 2, 3, 5]);
        agent.call_preference = settings::CallPreference::ALL[rng.next_u32() as usize % 2];
        for queue in &agent.queues {
            let calendar = ["", "", "mornings", "evenings"][rng.next_u32() as usize % 4];
            if !calendar.is_empty() {
                agent.schedules.insert(queue.clone(), calendar.to_owned());
            }
        }
    }
    for queue in &mut queues {
        queue.widen = widening(rng);
        let mut pick = |of: &[u64]| of[rng.next_u32() as usize % of.len()];
        queue.occupancy_band = [(60, 80), (10, 30), (0, 1)][pick(&[0, 1, 2]) as usize];
        queue.callback.idle = Duration::from_secs(pick(&[0, 1, 3, 10]));
        queue.callback.hold_back = Duration::from_secs(pick(&[0, 5, 40, 300]));
        queue.choice = settings::Choice::ALL[rng.next_u32() as usize % 4];
    }
    (queues, agents)
}

impl Acd {
    fn in_stage(&self, wanted: impl Fn(&Stage) -> bool) -> Vec<CallId> {
        self.contacts.iter().filter(|(_, contact)| wanted(&contact.stage)).map(|(id, _)| *id).collect()
    }

    pub fn offered_agents(&self, contact: CallId) -> Vec<AgentId> {
        let agents = self.contacts.get(&contact).map(|contact| contact.offered_to()).unwrap_or_default();
        agents.iter().map(|index| self.agents[index].id.clone()).collect()
    }

    /// What must hold after every step, whatever the reference says.
    fn check(&self, now: Instant) -> Result<(), String> {
        let mut with: BTreeMap<CallId, BTreeSet<AgentIndex>> = BTreeMap::new();
        for (index, agent) in &self.agents {
            if let Some(contact) = agent.duty.contact().filter(|_| !matches!(agent.duty, Duty::WrapUp { .. })) {
                with.entry(contact).or_default().insert(*index);
            }
        }
        for (id, contact) in &self.contacts {
            let agents: BTreeSet<AgentIndex> = match &contact.stage {
                Stage::Waiting => BTreeSet::new(),
                Stage::Offered(agents) => agents.iter().copied().collect(),
                Stage::Talking(agent) => BTreeSet::from([*agent]),
            };
            let say = with.get(id).cloned().unwrap_or_default();
            if say != agents || (contact.stage != Stage::Waiting && agents.is_empty()) {
                return Err(format!("{id} is with agents {agents:?}, but the agents say {say:?}"));
            }
        }
        for contact in with.keys() {
            if !self.contacts.contains_key(contact) {
                return Err(format!("an agent is with {contact}, which is not here"));
            }
        }
        for timer in self.timers.keys() {
            let stage = |id| self.contacts.get(id).map(|contact: &Contact| &contact.stage);
            let due = match timer {
                Timer::WrapUp(index) => self.agents.get(index).is_some_and(|a| matches!(a.duty, Duty::WrapUp { .. })),
                Timer::Rest(index) => self.agents.get(index).is_some_and(|agent| agent.resting),
                Timer::Ring(id) => matches!(stage(id), Some(Stage::Offered(_))),
                Timer::Preferred(id) => stage(id) == Some(&Stage::Waiting) && self.contacts[id].held_for.is_some(),
                Timer::HeldBack(id) => self.contacts.get(id).is_some_and(|contact| contact.cold),
                Timer::Cold(index) => self.queues.get(index).is_some_and(|queue| !queue.held_back.is_empty()),
                Timer::Retry(id) | Timer::Widen(id) | Timer::Announce(id) => {
                    matches!(stage(id), Some(Stage::Waiting | Stage::Offered(_)))
                }
            };
            if !due {
                return Err(format!("{timer:?} is set for nothing"));
            }
        }
        self.check_queues(now)
    }

    fn check_queues(&self, now: Instant) -> Result<(), String> {
        for (index, queue) in &self.queues {
            let name = &queue.settings.id;
            let here = |talking: bool| {
                self.contacts.values().filter(move |contact| {
                    contact.queue == Some(*index) && matches!(contact.stage, Stage::Talking(_)) == talking
                })
            };
            let cold = here(false).filter(|contact| contact.cold).count();
            if queue.line.iter().count() + cold != here(false).count()
                || queue.contacts != here(false).count() + here(true).count()
            {
                return Err(format!("queue {name} miscounts its contacts"));
            }
            let positions: BTreeSet<usize> = here(false).filter_map(|c| self.position(c.place.contact)).collect();
            if !positions.iter().copied().eq(1..=queue.line.len()) {
                return Err(format!("queue {name}: positions {positions:?}"));
            }
            let figures = queue.figures;
            let callbacks = here(false).filter(|contact| contact.medium == Medium::Callback).count();
            if queue.callbacks != callbacks {
                return Err(format!("queue {name} miscounts its call-backs"));
            }
            let left = figures.abandoned + figures.overflowed;
            if figures.offered != figures.handled + left + queue.callers() as u64 {
                return Err(format!("queue {name}: {figures:?} with {} waiting", queue.line.len()));
            }
            let held_back = here(false).filter(|contact| contact.cold && contact.stage == Stage::Waiting);
            if queue.held_back != held_back.map(|contact| contact.place).collect() {
                return Err(format!("queue {name} holds back {:?}", queue.held_back));
            }
            let waits = |contact: &&Contact| contact.stage == Stage::Waiting && !contact.cold;
            for contact in here(false).filter(waits) {
                let free = |agent: &&super::agent::Agent| {
                    agent.duty == Duty::Available && !agent.resting && agent.queues.contains(index)
                };
                let able = |agent: &&super::agent::Agent| meet(&agent.has, &contact.asked);
                for agent in self.agents.values().filter(free).filter(able) {
                    let index = self.agent_index[&agent.id];
                    if contact.held_for.is_some_and(|preferred| preferred != index) {
                        continue;
                    }
                    if contact.barred.get(&index).is_none_or(|until| *until <= now) {
                        return Err(format!("agent {} is free while {} waits", agent.id, contact.place.contact));
                    }
                }
            }
        }
        Ok(())
    }
}

#[test]
fn the_distributor_decides_as_the_reference_does() {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let one = number("RELAIS_SEED");
    let seeds = one.map_or(0..number("RELAIS_RUNS").unwrap_or(HISTORIES), |seed| seed..seed + 1);
    for seed in seeds {
        let mut history = History::new(seed);
        history.narrate = one.is_some();
        history.run().unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
    }
}

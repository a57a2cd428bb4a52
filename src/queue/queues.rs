//! Queues, and the configuration of queues and agents.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use rand_core::RngCore;
use serde::{Deserialize, Serialize};

use super::agent::{Agent, AgentIndex, Counted};
use super::busy::Busy;
use super::contact::{Contact, Medium, Place, Stage, Waited};
use super::flow::Flow;
use super::idle::{IdleAgents, Rank};
use super::line::Line;
use super::schedules::Membership;
use super::skills::Unoffered;
use super::{Acd, Cause, Hours, Timer};
use crate::ids::{AgentId, CallId, QueueId};
use crate::settings::{self, Choice};
use crate::time::Now;

/// Counted up in the order in which the configuration names queues; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct QueueIndex(pub(super) u32);

/// Since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Figures {
    /// Contacts that came in. A contact that was queued again counts again.
    pub(super) offered: u64,
    /// Answered by an agent.
    pub(super) handled: u64,
    /// Answered within the queue's target.
    pub(super) in_time: u64,
    /// Hung up before an agent answered.
    pub(super) abandoned: u64,
    /// Left before an agent answered, for something else: by a key, after the longest wait.
    pub(super) overflowed: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Queue {
    pub(super) settings: settings::Queue,
    /// The configuration no longer knows this queue; those who wait are still served by the agents it had.
    pub(super) draining: bool,
    /// Everyone who waits, also those who are being offered; but what is held back.
    pub(super) line: Line,
    /// Of those, the call-backs.
    pub(super) callbacks: usize,
    /// And the callers on the line, the one who has waited longest first.
    pub(super) voices: BTreeSet<Waited>,
    /// Those who wait and are not being offered.
    pub(super) unoffered: Unoffered,
    /// Cold work that waits until agents have time for it; it does not stand in line.
    pub(super) held_back: BTreeSet<Place>,
    /// Agents who can be offered a contact, the first one first.
    pub(super) idle: IdleAgents,
    /// Who was offered a contact of this queue last.
    pub(super) served_last: Option<AgentIndex>,
    /// Contacts of this queue in any stage.
    pub(super) contacts: usize,
    pub(super) agents_available: u64,
    pub(super) agents_logged_in: u64,
    /// Logged in, and outside the hours in which they are members.
    pub(super) agents_off_schedule: u64,
    pub(super) busy: Busy,
    pub(super) figures: Figures,
    pub(super) flow: Flow,
}

/// What a step of priority is worth where the settings say nothing, in targets of the queue: one a minute where the
/// target is 20 s. As all queues then age by their own target, of equal priorities the larger ratio is ahead.
const TARGETS_A_STEP: u32 = 3;

/// Settings may say zero; without any delay a phone that cannot be reached would be tried for ever at one instant.
const LEAST_RETRY_DELAY: Duration = Duration::from_secs(1);

impl Queue {
    fn new(settings: settings::Queue) -> Queue {
        Queue {
            settings,
            draining: false,
            line: Line::default(),
            callbacks: 0,
            voices: BTreeSet::new(),
            unoffered: Unoffered::default(),
            held_back: BTreeSet::new(),
            idle: IdleAgents::default(),
            served_last: None,
            contacts: 0,
            agents_available: 0,
            agents_logged_in: 0,
            agents_off_schedule: 0,
            busy: Busy::default(),
            figures: Figures::default(),
            flow: Flow::default(),
        }
    }

    /// An agent adds something else to the counts from now on. Whether any of those has changed that are shown.
    pub(super) fn recount(&mut self, before: Counted, after: Counted, now: Now) -> bool {
        let (was_busy, is_busy) = ((before.handling, before.working), (after.handling, after.working));
        if was_busy != is_busy {
            self.busy.part(was_busy, now.instant);
            self.busy.join(is_busy, now.instant);
        }
        self.agents_available = self.agents_available + after.available - before.available;
        self.agents_logged_in = self.agents_logged_in + after.logged_in - before.logged_in;
        (before.available, before.logged_in) != (after.available, after.logged_in)
    }

    /// Callers who wait on the line.
    pub(super) fn callers(&self) -> usize {
        self.voices.len()
    }

    /// Somebody waits on the line from now on.
    pub(super) fn voice_comes(&mut self, place: &Place) {
        self.voices.insert(place.waited());
        self.figures.offered += 1;
    }

    /// What one step of priority is worth; `None` where priorities do not age.
    pub(super) fn priority_step(&self) -> Option<Duration> {
        let step = self.settings.priority_step.unwrap_or(self.settings.answer_within * TARGETS_A_STEP);
        (!step.is_zero()).then_some(step)
    }

    /// Where the search for an agent begins: in a round, behind the last one.
    pub(super) fn round_begins(&self) -> Rank {
        let behind = self.served_last.filter(|_| self.settings.choice == Choice::RoundRobin);
        behind.map_or_else(Rank::default, Rank::behind)
    }

    /// The worth of a step has changed: everybody stands anew.
    fn reorder(&mut self, own: QueueIndex, contacts: &mut HashMap<CallId, Contact>) {
        let step = self.priority_step();
        for place in std::mem::take(&mut self.line).iter() {
            let Some(contact) = contacts.get_mut(&place.contact) else { continue };
            if contact.stage == Stage::Waiting {
                self.close(contact);
            }
            contact.place = place.with_step(step);
            self.line.insert(contact.place);
            if contact.stage == Stage::Waiting {
                self.open(contact);
            }
        }
        for contact in contacts.values_mut().filter(|contact| contact.cold && contact.queue == Some(own)) {
            let held_back = self.held_back.remove(&contact.place);
            contact.place = contact.place.with_step(step);
            if held_back {
                self.held_back.insert(contact.place);
            }
        }
    }

    pub(super) fn wrap_up(&self) -> Duration {
        self.settings.wrap_up
    }

    pub(super) fn retry_delay(&self) -> Duration {
        self.settings.retry_delay.max(LEAST_RETRY_DELAY)
    }

    /// How often the position is told.
    pub(super) fn announce_every(&self) -> Option<Duration> {
        let interval = self.settings.announce_position;
        (!interval.is_zero()).then_some(interval)
    }
}

impl Acd {
    /// Takes in changed settings, with what the calendars say that they name.
    pub fn reconfigure(
        &mut self,
        queues: &[settings::Queue],
        agents: &[settings::Agent],
        hours: BTreeMap<String, Hours>,
        now: Now,
    ) {
        self.hours = hours;
        self.configure(queues, agents, now);
    }

    /// Takes in changed settings. Who waits keeps waiting and agents keep their state. A queue that is gone takes
    /// nobody new and is served by the agents it had until it is empty; an agent who is gone ends the present talk and
    /// its wrap-up.
    pub fn configure(&mut self, queues: &[settings::Queue], agents: &[settings::Agent], now: Now) {
        self.configure_queues(queues, now);
        self.number_skills(agents);
        let kept: HashSet<&AgentId> = agents.iter().map(|agent| &agent.id).collect();
        let gone: Vec<AgentIndex> =
            self.agents.iter().filter(|(_, agent)| !kept.contains(&agent.id)).map(|(index, _)| *index).collect();
        for agent in agents {
            self.configure_agent(agent, now);
        }
        for index in gone {
            self.dismiss(index, now);
        }
        self.give_up_vain_waits();
        let drained: Vec<QueueIndex> = self.queues.keys().copied().collect();
        drained.into_iter().for_each(|queue| self.close_if_drained(queue));
        self.offer_all(now);
    }

    fn configure_queues(&mut self, queues: &[settings::Queue], now: Now) {
        let kept: HashSet<&QueueId> = queues.iter().map(|queue| &queue.id).collect();
        for queue in self.queues.values_mut() {
            queue.draining = !kept.contains(&queue.settings.id);
        }
        for settings in queues {
            match self.queue_index.get(&settings.id) {
                Some(index) => self.reconfigure_queue(*index, settings, now),
                None => {
                    let index = QueueIndex(self.next_queue);
                    self.next_queue += 1;
                    self.queue_index.insert(settings.id.clone(), index);
                    self.queues.insert(index, Queue::new(settings.clone()));
                    self.changed_queues.insert(index);
                }
            }
        }
    }

    fn reconfigure_queue(&mut self, index: QueueIndex, settings: &settings::Queue, now: Now) {
        let Some(queue) = self.queues.get_mut(&index) else { return };
        let (step, choice) = (queue.priority_step(), queue.settings.choice);
        queue.settings = settings.clone();
        self.changed_queues.insert(index);
        if queue.priority_step() != step {
            queue.reorder(index, &mut self.contacts);
        }
        if queue.settings.choice != choice {
            queue.idle = IdleAgents::default();
            for agent in self.agents.values().filter(|agent| agent.queues.contains(&index)) {
                if let Some(idle) = agent.listed {
                    queue.idle.insert(Rank::new(queue.settings.choice, idle, agent.work), &agent.has);
                }
            }
        }
        if let Some(interval) = queue.announce_every() {
            let contacts = &self.contacts;
            let hears =
                |place: &&Place| contacts.get(&place.contact).is_some_and(|contact| contact.medium == Medium::Voice);
            for place in queue.line.iter().filter(hears) {
                let timer = Timer::Announce(place.contact);
                if self.timers.get(&timer).is_none() {
                    self.timers.set(timer, now.instant + interval);
                }
            }
        }
    }

    fn configure_agent(&mut self, settings: &settings::Agent, now: Now) {
        let index = match self.agent_index.get(&settings.id) {
            Some(index) => *index,
            None => self.new_agent(settings, now),
        };
        let mut memberships: Vec<Membership> = Vec::new();
        for id in &settings.queues {
            let Some(queue) = self.queue_index.get(id).copied() else { continue };
            if memberships.iter().all(|known| known.queue != queue) {
                memberships.push(Membership { queue, schedule: settings.schedules.get(id).cloned() });
            }
        }
        let Some(agent) = self.agents.get(&index) else { return };
        let before = (agent.queues.clone(), agent.skills.clone());
        for kept in &agent.memberships {
            let is_new = memberships.iter().all(|known| known.queue != kept.queue);
            if is_new && self.queues.get(&kept.queue).is_some_and(|queue| queue.draining) {
                memberships.push(kept.clone());
            }
        }
        let (queues, off_schedule) = self.by_schedule(&memberships);
        let has = self.skill_numbers.of(&settings.skills);
        self.regroup(index, now, |agent| {
            agent.name.clone_from(&settings.name);
            agent.memberships = memberships;
            agent.queues = queues;
            agent.off_schedule = off_schedule;
            agent.preference = settings.call_preference;
            agent.skills.clone_from(&settings.skills);
            agent.has = has;
            agent.leaving = false;
        });
        self.note_membership(index, &before, Cause::Configured, now);
    }

    /// Skills that agents have for the first time get a number; somebody may wait for one already.
    fn number_skills(&mut self, agents: &[settings::Agent]) {
        if !self.skill_numbers.learn(agents.iter().flat_map(|agent| agent.skills.keys())) {
            return;
        }
        for contact in self.contacts.values_mut() {
            let queue = contact.queue.and_then(|index| self.queues.get_mut(&index));
            let mut queue = queue.filter(|_| contact.stage == Stage::Waiting);
            if let Some(queue) = &mut queue {
                queue.close(contact);
            }
            contact.number(&self.skill_numbers);
            if let Some(queue) = queue {
                queue.open(contact);
            }
        }
    }

    fn new_agent(&mut self, settings: &settings::Agent, now: Now) -> AgentIndex {
        let index = AgentIndex(self.next_agent);
        self.next_agent += 1;
        let agent = Agent::new(settings, self.rng.next_u64(), now);
        self.agent_index.insert(settings.id.clone(), index);
        self.agents.insert(index, agent);
        index
    }

    /// The configuration no longer knows the agent.
    fn dismiss(&mut self, index: AgentIndex, now: Now) {
        self.withdraw(index, now);
        let schedules = self.agents.get(&index).map(|agent| self.by_schedule(&agent.memberships));
        self.regroup(index, now, |agent| {
            (agent.queues, agent.off_schedule) = schedules.unwrap_or_default();
            agent.leaving = true;
        });
        if !self.agents.get(&index).is_some_and(Agent::is_with_contact) {
            self.remove_agent(index, now);
        }
    }

    pub(super) fn remove_agent(&mut self, index: AgentIndex, now: Now) {
        self.leave_queues(index, now);
        self.measure_later(now.instant);
        self.timers.clear(&Timer::Rest(index));
        self.timers.clear(&Timer::WrapUp(index));
        self.changed_agents.remove(&index);
        if let Some(agent) = self.agents.remove(&index) {
            self.note_dismissed(&agent, now);
            self.agent_index.remove(&agent.id);
        }
    }

    /// A deleted queue that nobody is in any more is forgotten.
    pub(super) fn close_if_drained(&mut self, index: QueueIndex) {
        if !self.queues.get(&index).is_some_and(|queue| queue.draining && queue.contacts == 0) {
            return;
        }
        if let Some(queue) = self.queues.remove(&index) {
            self.queue_index.remove(&queue.settings.id);
        }
        self.changed_queues.remove(&index);
        for (agent_index, agent) in &mut self.agents {
            let before = agent.memberships.len();
            agent.memberships.retain(|member| member.queue != index);
            if agent.memberships.len() != before {
                agent.queues.retain(|queue| *queue != index);
                agent.off_schedule.retain(|queue| *queue != index);
                self.changed_agents.insert(*agent_index);
            }
        }
    }
}

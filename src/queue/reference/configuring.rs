//! How the model takes in settings and the hours of calendars.

use std::collections::BTreeMap;
use std::time::Duration;

use rand_core::RngCore;

use super::{Agent, Contact, Queue, Reference};
use crate::ids::{AgentId, CallId, QueueId};
use crate::queue::{Hours, Skills};
use crate::settings;
use crate::time::Now;
use crate::views::AgentState;

impl Reference {
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

    pub fn configure(&mut self, queues: &[settings::Queue], agents: &[settings::Agent], now: Now) {
        for known in &mut self.queues {
            known.deleted = !queues.iter().any(|queue| queue.id == known.settings.id);
        }
        for queue in queues {
            match self.queues.iter_mut().find(|known| known.settings.id == queue.id) {
                Some(known) => known.settings = queue.clone(),
                None => {
                    self.queues_ever += 1;
                    self.queues.push(Queue {
                        settings: queue.clone(),
                        deleted: false,
                        number: self.queues_ever,
                        cold_at: None,
                        share: None,
                        served_last: None,
                        figures: (0, 0, 0, 0),
                    });
                }
            }
            for contact in &mut self.contacts {
                let waits = contact.queue.as_ref() == Some(&queue.id) && !contact.talking && !contact.callback;
                if waits && contact.announce_at.is_none() && queue.announce_position > Duration::ZERO {
                    contact.announce_at = Some(now.instant + queue.announce_position);
                }
            }
        }
        let deleted: Vec<QueueId> =
            self.queues.iter().filter(|queue| queue.deleted).map(|queue| queue.settings.id.clone()).collect();
        let gone: Vec<AgentId> = self
            .agents
            .iter()
            .filter(|known| !agents.iter().any(|agent| agent.id == known.id))
            .map(|known| known.id.clone())
            .collect();
        for settings in agents {
            if !self.agents.iter().any(|agent| agent.id == settings.id) {
                self.hire(settings, now);
            }
            let known = self.agent(&settings.id);
            let keeps = known.members.iter().filter(|(queue, _)| deleted.contains(queue)).cloned();
            let wanted = settings.queues.iter().map(|queue| (queue.clone(), settings.schedules.get(queue).cloned()));
            known.members = wanted.chain(keeps).collect();
            known.skills = settings.skills.clone();
            known.prefers = settings.call_preference;
            known.deleted = false;
        }
        self.by_schedule();
        for id in gone {
            self.withdraw(&id, now);
            let agent = self.agent(&id);
            agent.deleted = true;
            if !matches!(agent.state, AgentState::Talking | AgentState::Holding | AgentState::WrapUp) {
                self.agents.retain(|agent| agent.id != id);
            }
        }
        self.wait_in_vain(now);
        self.forget_drained();
        self.all_look(now);
    }

    /// Calendars open and close.
    pub fn set_hours(&mut self, hours: BTreeMap<String, Hours>, now: Now) {
        self.hours = hours;
        if self.by_schedule() {
            self.wait_in_vain(now);
            self.all_look(now);
        }
    }

    /// Whether somebody's queues are others now.
    fn by_schedule(&mut self) -> bool {
        let mut moved = false;
        for agent in &mut self.agents {
            let in_hours = |calendar: &String| self.hours.get(calendar).is_none_or(|hours| hours.open);
            let now = agent.members.iter().filter(|(_, calendar)| calendar.as_ref().is_none_or(in_hours));
            let now: Vec<QueueId> = now.map(|(queue, _)| queue.clone()).collect();
            moved |= now != agent.queues;
            agent.queues = now;
        }
        moved
    }

    /// Agents who are logged in and not members now.
    pub(super) fn off_schedule(&self, queue: &QueueId) -> u64 {
        let off = |agent: &&Agent| {
            agent.members.iter().any(|(member, _)| member == queue)
                && !agent.queues.contains(queue)
                && agent.state != AgentState::LoggedOut
                && !agent.deleted
        };
        self.agents.iter().filter(off).count() as u64
    }

    /// Everybody who waits, but for what is held back.
    fn all_look(&mut self, now: Now) {
        let waits =
            |contact: &&Contact| contact.queue.is_some() && contact.agents.is_empty() && contact.cold_until.is_none();
        let waiting = self.contacts.iter().filter(waits).collect();
        let waiting: Vec<CallId> = self.in_order(waiting, now).iter().map(|contact| contact.id).collect();
        for contact in waiting {
            if self.contact(contact).is_some_and(|contact| contact.agents.is_empty()) {
                self.contact_looks(contact, now);
            }
        }
    }

    fn hire(&mut self, settings: &settings::Agent, now: Now) {
        self.agents_ever += 1;
        let tie = self.rng.next_u64();
        self.agents.push(Agent {
            id: settings.id.clone(),
            name: settings.name.clone(),
            members: Vec::new(),
            queues: Vec::new(),
            prefers: settings.call_preference,
            skills: Skills::new(),
            number: self.agents_ever,
            tie,
            reachable: false,
            state: AgentState::LoggedOut,
            reason: None,
            since: now.wall,
            contact: None,
            out: false,
            resume: (AgentState::Available, None),
            idle_since: now.instant,
            logged_in: now.instant,
            unanswered: 0,
            rests_until: None,
            wanted: None,
            wrap_up: None,
            deleted: false,
            handled: 0,
            spells: Vec::new(),
        });
    }

    pub(super) fn forget_drained(&mut self) {
        let contacts = &self.contacts;
        let used = |queue: &Queue| contacts.iter().any(|contact| contact.queue.as_ref() == Some(&queue.settings.id));
        self.queues.retain(|queue| !queue.deleted || used(queue));
        let names: Vec<QueueId> = self.queues.iter().map(|queue| queue.settings.id.clone()).collect();
        for agent in &mut self.agents {
            agent.queues.retain(|queue| names.contains(queue));
            agent.members.retain(|(queue, _)| names.contains(queue));
        }
    }
}

//! How the model chooses: everything that could be chosen is sorted by everything that counts.

use std::cmp::{Ordering, Reverse};
use std::time::Duration;

use super::{Agent, Contact, Queue, Reference};
use crate::demand::Widening;
use crate::ids::{AgentId, CallId, Skill};
use crate::settings::{self, CallPreference, Choice};
use crate::time::{Instant, Now};
use crate::trace::{Candidate, Rule, rounded};
use crate::views::{AgentState, OccupancyBand};

/// In nanoseconds.
const HALF_HOUR: u64 = 1_800_000_000_000;

impl Agent {
    fn schedule_of(&self, contact: &Contact) -> Option<String> {
        self.members.iter().find(|(queue, _)| Some(queue) == contact.queue.as_ref())?.1.clone()
    }

    /// All that was handled: a nanosecond of the n-th half hour of the clock counts 2^n.
    fn work(&self) -> u128 {
        let mut work = 0;
        for (from, to) in self.spells.iter().filter_map(|(from, to)| Some((from.0, to.as_ref()?.0))) {
            for n in from / HALF_HOUR..=to / HALF_HOUR {
                let (begin, end) = ((n * HALF_HOUR).max(from), ((n + 1) * HALF_HOUR).min(to));
                work += u128::from(end.saturating_sub(begin)) << n;
            }
        }
        work
    }

    /// Of the time, weighted alike: all half hours before weigh as much as a whole one of now.
    fn share(&self, now: Instant) -> f64 {
        let n = now.0 / HALF_HOUR;
        let time = (HALF_HOUR + now.0 - n * HALF_HOUR) as f64;
        self.work() as f64 / (1u128 << n) as f64 / time
    }
}

/// A contact that looks at the agents of its queue.
struct Looks<'a> {
    contact: &'a Contact,
    queue: &'a Queue,
}

impl Looks<'_> {
    fn choice(&self) -> Choice {
        self.queue.settings.choice
    }

    /// What the queue's choice compares besides skills and idle time; the lower is chosen.
    fn measure(&self, agent: &Agent) -> (u128, bool, usize) {
        match self.choice() {
            Choice::LeastOccupied => (agent.work(), false, 0),
            Choice::RoundRobin => (0, self.queue.served_last.is_some_and(|last| agent.number <= last), agent.number),
            Choice::LongestIdle | Choice::BestSkill => (0, false, 0),
        }
    }

    fn fit(&self, agent: &Agent) -> u32 {
        let level = |(skill, least): (&Skill, &u8)| {
            u32::from(*agent.skills.get(skill).filter(|level| *level >= least).unwrap_or(&0))
        };
        let preferred = self.contact.demand.prefer_skills.iter().map(level);
        match self.choice() {
            Choice::BestSkill => self.contact.asked.iter().map(level).chain(preferred).sum(),
            _ => preferred.filter(|level| *level > 0).count() as u32,
        }
    }

    fn rule(&self, first: &Agent, next: &Agent) -> Rule {
        match self.choice() {
            Choice::BestSkill if self.fit(next) < self.fit(first) => Rule::BestSkill,
            _ if self.fit(next) < self.fit(first) => Rule::PreferredSkills,
            Choice::RoundRobin => Rule::RoundRobin,
            Choice::LeastOccupied if self.measure(next) > self.measure(first) => Rule::LeastOccupied,
            _ if next.idle_since > first.idle_since => Rule::LongestIdle,
            _ if next.logged_in > first.logged_in => Rule::FirstLoggedIn,
            _ => Rule::Lot,
        }
    }

    fn candidate(&self, agent: &Agent, now: Instant) -> Candidate {
        let by_level = self.choice() == Choice::BestSkill && !self.contact.asked.is_empty();
        let by_fit = by_level || !self.contact.demand.prefer_skills.is_empty();
        Candidate::Agent {
            agent: agent.id.clone(),
            idle_ms: now.since(agent.idle_since).as_millis() as u64,
            occupancy: (self.choice() == Choice::LeastOccupied).then(|| rounded(agent.share(now))),
            fit: by_fit.then(|| self.fit(agent)),
            schedule: agent.schedule_of(self.contact),
        }
    }
}

impl Reference {
    fn may_meet(&self, agent: &Agent, contact: &Contact, now: Now) -> bool {
        agent.state == AgentState::Available
            && agent.rests_until.is_none()
            && contact.agents.is_empty()
            && contact.cold_until.is_none_or(|_| self.is_long_idle(agent, contact, now))
            && contact.waits_for.as_ref().is_none_or(|(preferred, _)| *preferred == agent.id)
            && contact.queue.as_ref().is_some_and(|queue| agent.queues.contains(queue))
            && contact.asked.iter().all(|(skill, least)| agent.skills.get(skill).unwrap_or(&0) >= least)
            && contact.barred.get(&agent.number).is_none_or(|until| *until <= now.instant)
    }

    /// Long enough for cold work.
    fn is_long_idle(&self, agent: &Agent, contact: &Contact, now: Now) -> bool {
        let idle = self.settings_of(contact).callback.idle.as_nanos();
        u128::from(agent.idle_since.0) + idle <= u128::from(now.instant.0)
    }

    /// Less is asked for when a step of the rule is due.
    pub(super) fn widen(&mut self, id: CallId, now: Now) {
        let contact = self.contact(id).expect("a contact");
        let skills = contact.demand.skills.clone();
        let due = |step: &&Widening| now.instant >= contact.since + step.after;
        contact.asked = match contact.widen.iter().filter(due).max_by_key(|step| step.after) {
            None => skills,
            Some(step) => {
                let lowered = skills.into_iter().map(|(skill, least)| (skill, least.min(step.level)));
                lowered.filter(|(_, least)| *least > 0).collect()
            }
        };
        let to_come = contact.widen.iter().map(|step| contact.since + step.after).filter(|at| *at > now.instant);
        contact.widens_at = to_come.min().filter(|_| !contact.demand.skills.is_empty());
    }

    /// The agent is at work in the contact's queue, and good enough.
    pub(super) fn can_wait_for(&self, contact: &Contact, agent: &AgentId) -> bool {
        let Some(agent) = self.agents.iter().find(|known| known.id == *agent && !known.deleted) else { return false };
        let away = [AgentState::LoggedOut, AgentState::Paused, AgentState::NotResponding];
        !away.contains(&agent.state)
            && contact.queue.as_ref().is_some_and(|queue| agent.queues.contains(queue))
            && contact.asked.iter().all(|(skill, least)| agent.skills.get(skill).unwrap_or(&0) >= least)
    }

    /// Nobody waits for one any more who is not there; gives those who did, in order.
    pub(super) fn wait_in_vain(&mut self, now: Now) -> Vec<CallId> {
        let in_vain = |contact: &&Contact| match &contact.waits_for {
            Some((agent, _)) => !self.can_wait_for(contact, agent),
            None => false,
        };
        let in_vain = self.in_order(self.contacts.iter().filter(in_vain).collect(), now);
        let in_vain: Vec<CallId> = in_vain.iter().map(|contact| contact.id).collect();
        in_vain.iter().for_each(|id| self.contact(*id).expect("a contact").waits_for = None);
        in_vain
    }

    pub(super) fn offer_in_vain(&mut self, now: Now) {
        for id in self.wait_in_vain(now) {
            self.contact_looks(id, now);
        }
    }

    pub(super) fn contact_looks(&mut self, id: CallId, now: Now) {
        let Some(contact) = self.contacts.iter().find(|contact| contact.id == id) else { return };
        if !contact.agents.is_empty() || contact.queue.is_none() {
            return;
        }
        if contact.cold_until.is_some() && self.queue_of(contact).band() == Some(OccupancyBand::Above) {
            return;
        }
        let preferred = contact.waits_for.as_ref().map(|(agent, _)| agent.clone());
        if let Some(preferred) = &preferred {
            let there = |agent: &Agent| agent.id == *preferred && self.may_meet(agent, contact, now);
            if !self.agents.iter().any(there) {
                return;
            }
        }
        // The runners-up are those whom it could have without its preference.
        let anybody = Contact { waits_for: None, ..contact.clone() };
        let looks = Looks { contact, queue: self.queue_of(contact) };
        let mut agents: Vec<&Agent> = self.agents.iter().filter(|agent| self.may_meet(agent, &anybody, now)).collect();
        agents.sort_by_key(|agent| {
            let idle = (agent.idle_since, agent.logged_in, agent.tie, agent.number);
            (Some(&agent.id) != preferred.as_ref(), Reverse(looks.fit(agent)), looks.measure(agent), idle)
        });
        let at_once = match preferred.is_some() || contact.callback {
            true => 1,
            false => looks.queue.settings.ring_at_once,
        };
        let mut offers = Vec::new();
        for (n, agent) in agents.iter().enumerate().take(at_once) {
            let rule = match agents.get(n + 1) {
                _ if preferred.is_some() => Rule::PreferredAgent,
                None => Rule::OnlyOne,
                Some(next) => looks.rule(agent, next),
            };
            let candidates = agents[n..].iter().map(|agent| looks.candidate(agent, now.instant)).collect();
            offers.push((agent.id.clone(), rule, candidates));
        }
        for (agent, rule, candidates) in offers {
            self.offer(id, &agent, rule, candidates, now);
        }
    }

    pub(super) fn agent_looks(&mut self, id: &AgentId, now: Now) {
        let Some(agent) = self.agents.iter().find(|agent| agent.id == *id) else { return };
        let mut contacts: Vec<&Contact> =
            self.contacts.iter().filter(|contact| self.may_meet(agent, contact, now)).collect();
        contacts.retain(|contact| contact.cold_until.is_none());
        let preference =
            |contact: &Contact| agent.queues.iter().position(|queue| Some(queue) == contact.queue.as_ref());
        let whole = |contact: &Contact| {
            let (priority, of) = self.aged_priority(contact, now);
            priority.div_euclid(of)
        };
        let ways = |a: &Contact, b: &Contact| {
            let by_queue =
                [(Rule::Priority, whole(b).cmp(&whole(a))), (Rule::QueuePreference, preference(a).cmp(&preference(b)))];
            let first = by_queue.into_iter().filter(|_| agent.prefers == CallPreference::QueueOrder);
            first.chain(self.ways(a, b, now)).collect::<Vec<_>>()
        };
        contacts.sort_by(|a, b| {
            let by_wait = ways(a, b).iter().fold(Ordering::Equal, |order, (_, way)| order.then(*way));
            by_wait.then(preference(a).cmp(&preference(b))).then(a.arrival.cmp(&b.arrival))
        });
        let Some(first) = contacts.first() else { return };
        let rule = contacts.get(1).map_or(Rule::OnlyOne, |next| {
            let decides = ways(first, next).into_iter().find(|(_, way)| way.is_lt());
            let by_target = |contact| self.settings_of(contact).priority_step.is_none();
            match decides {
                Some((Rule::Priority, _)) if first.demand.priority == next.demand.priority => {
                    match first.queue == next.queue {
                        true => Rule::LongestWait,
                        false if by_target(first) && by_target(next) => Rule::ServiceLevel,
                        false => Rule::Ageing,
                    }
                }
                Some((rule, _)) => rule,
                None if preference(first) < preference(next) => Rule::QueuePreference,
                None => Rule::FirstCome,
            }
        });
        let candidate = |contact: &&Contact| {
            let (priority, of) = self.aged_priority(contact, now);
            let waited = now.instant.since(contact.since);
            Candidate::Contact {
                call_id: contact.id,
                queue: contact.queue.clone().expect("a queue"),
                priority: rounded(priority as f64 / of as f64),
                ratio: rounded(waited.as_secs_f64() / self.target(contact).as_secs_f64()),
                waited_ms: waited.as_millis() as u64,
            }
        };
        let contact = first.id;
        let candidates = contacts.iter().map(candidate).collect();
        self.offer(contact, id, rule, candidates, now);
    }

    fn queue_of(&self, contact: &Contact) -> &Queue {
        let queue = self.queues.iter().find(|queue| Some(&queue.settings.id) == contact.queue.as_ref());
        queue.expect("a queue")
    }

    fn settings_of(&self, contact: &Contact) -> &settings::Queue {
        &self.queue_of(contact).settings
    }

    fn target(&self, contact: &Contact) -> Duration {
        self.settings_of(contact).answer_within
    }

    /// As a fraction of whole numbers.
    fn aged_priority(&self, contact: &Contact, now: Now) -> (i128, i128) {
        let settings = self.settings_of(contact);
        let step = settings.priority_step.unwrap_or(settings.answer_within * 3).as_nanos() as i128;
        let waited = now.instant.since(contact.since).as_nanos() as i128;
        let priority = i128::from(contact.demand.priority);
        if step == 0 { (priority, 1) } else { (priority * step + waited, step) }
    }

    /// What is compared of two who wait, in the order in which it counts; `Less` where the first one goes first.
    fn ways(&self, a: &Contact, b: &Contact, now: Now) -> [(Rule, Ordering); 3] {
        let (priority_a, of_a) = self.aged_priority(a, now);
        let (priority_b, of_b) = self.aged_priority(b, now);
        let waited = |contact: &Contact| now.instant.since(contact.since).as_nanos();
        let (ratio_a, ratio_b) = (waited(a) * self.target(b).as_nanos(), waited(b) * self.target(a).as_nanos());
        [
            (Rule::Priority, (priority_b * of_a).cmp(&(priority_a * of_b))),
            (Rule::ServiceLevel, ratio_b.cmp(&ratio_a)),
            (Rule::LongestWait, waited(b).cmp(&waited(a))),
        ]
    }

    /// Of those who wait, the first one first.
    pub(super) fn in_order<'a>(&self, mut contacts: Vec<&'a Contact>, now: Now) -> Vec<&'a Contact> {
        contacts.sort_by(|a, b| {
            let by_wait = self.ways(a, b, now).iter().fold(Ordering::Equal, |order, (_, way)| order.then(*way));
            by_wait.then(a.arrival.cmp(&b.arrival))
        });
        contacts
    }
}

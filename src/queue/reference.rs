//! A slow, obvious model of the distributor: flat lists, and every decision looks at everything. It must decide as the
//! real one does; `histories` runs both beside each other.

mod busy;
mod choosing;
mod configuring;

use std::collections::BTreeMap;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;

use super::{AcdEvent, Hours, NoAnswer, Skills, Wanted};
use crate::demand::{Demand, Widening};
use crate::ids::{AgentId, CallId, QueueId};
use crate::settings;
use crate::time::{Instant, Now, Wall};
use crate::trace::{Candidate, Decision, Rule};
use crate::views::{AgentState, AgentView, QueueView};

pub struct Agent {
    id: AgentId,
    name: String,
    /// All, with the calendars that some of them go by.
    members: Vec<(QueueId, Option<String>)>,
    /// Those of now.
    queues: Vec<QueueId>,
    prefers: settings::CallPreference,
    skills: Skills,
    number: usize,
    tie: u64,
    reachable: bool,
    state: AgentState,
    reason: Option<String>,
    since: Wall,
    contact: Option<CallId>,
    /// Logged out by the API.
    out: bool,
    /// What a phone that comes back makes of a logged-out agent.
    resume: (AgentState, Option<String>),
    idle_since: Instant,
    logged_in: Instant,
    unanswered: u32,
    rests_until: Option<Instant>,
    wanted: Option<Wanted>,
    wrap_up: Option<(Instant, Instant)>,
    deleted: bool,
    handled: u64,
    /// Talks with their wrap-ups, from when to when.
    spells: Vec<(Instant, Option<Instant>)>,
}

#[derive(Clone)]
pub struct Contact {
    id: CallId,
    queue: Option<QueueId>,
    demand: Demand,
    /// By the rule that held when it came.
    widen: Vec<Widening>,
    asked: Skills,
    widens_at: Option<Instant>,
    /// The one agent whom it waits for, and until when.
    waits_for: Option<(AgentId, Instant)>,
    since: Instant,
    since_wall: Wall,
    arrival: usize,
    /// Those who are rung at once, or the one who talks.
    agents: Vec<AgentId>,
    talking: bool,
    /// A call-back whose customer has not picked up; and one whose customer has.
    callback: bool,
    called_back: bool,
    /// Held back until agents have time, at most until then.
    cold_until: Option<Instant>,
    rings_until: Option<Instant>,
    announce_at: Option<Instant>,
    /// By `Agent::number`: one who was deleted and comes back is somebody new.
    barred: BTreeMap<usize, Instant>,
}

pub struct Queue {
    settings: settings::Queue,
    deleted: bool,
    number: usize,
    /// When what is held back is looked at next.
    cold_at: Option<Instant>,
    /// The occupancy at the last whole minute.
    share: Option<f64>,
    /// By `Agent::number`.
    served_last: Option<usize>,
    /// Offered, handled, abandoned, overflowed.
    figures: (u64, u64, u64, u64),
}

pub struct Reference {
    rng: ChaCha12Rng,
    pub agents: Vec<Agent>,
    pub contacts: Vec<Contact>,
    pub queues: Vec<Queue>,
    arrivals: usize,
    agents_ever: usize,
    queues_ever: usize,
    hours: BTreeMap<String, Hours>,
    log: busy::Log,
    pub events: Vec<AcdEvent>,
}

const NOT_REFUSED: [NoAnswer; 2] = [NoAnswer::Busy, NoAnswer::Unreachable];

impl Reference {
    pub fn new(queues: &[settings::Queue], agents: &[settings::Agent], seed: [u8; 32], now: Now) -> Reference {
        let mut model = Reference {
            rng: ChaCha12Rng::from_seed(seed),
            agents: Vec::new(),
            contacts: Vec::new(),
            queues: Vec::new(),
            arrivals: 0,
            agents_ever: 0,
            queues_ever: 0,
            hours: BTreeMap::new(),
            log: busy::Log::new(now.instant),
            events: Vec::new(),
        };
        model.configure(queues, agents, now);
        model
    }

    fn agent(&mut self, id: &AgentId) -> &mut Agent {
        self.agents.iter_mut().find(|agent| agent.id == *id).expect("an agent")
    }

    fn contact(&mut self, id: CallId) -> Option<&mut Contact> {
        self.contacts.iter_mut().find(|contact| contact.id == id)
    }

    fn queue(&mut self, id: &QueueId) -> &mut Queue {
        self.queues.iter_mut().find(|queue| queue.settings.id == *id).expect("a queue")
    }

    fn state(&mut self, agent: &AgentId, state: AgentState, now: Now) {
        let agent = self.agent(agent);
        agent.state = state;
        agent.since = now.wall;
        agent.reason = None;
        let works = matches!(state, AgentState::Talking | AgentState::Holding | AgentState::WrapUp);
        match agent.spells.last_mut().filter(|(_, to)| to.is_none()) {
            Some((_, to)) if !works => *to = Some(now.instant),
            None if works => agent.spells.push((now.instant, None)),
            _ => {}
        }
        if !matches!(state, AgentState::Reserved | AgentState::Ringing | AgentState::Talking | AgentState::Holding) {
            agent.contact = agent.contact.filter(|_| state == AgentState::WrapUp);
        }
    }

    /// To one of those who are rung at once.
    fn offer(&mut self, id: CallId, agent: &AgentId, rule: Rule, candidates: Vec<Candidate>, now: Now) {
        let queue = self.contact(id).and_then(|contact| contact.queue.clone()).expect("a queue");
        let off_schedule = self.off_schedule(&queue);
        let number = self.agent(agent).number;
        let ring = self.queue(&queue).settings.ring_timeout;
        self.queue(&queue).served_last = Some(number);
        let contact = self.contact(id).expect("a contact");
        contact.agents.push(agent.clone());
        contact.waits_for = None;
        contact.rings_until = (!contact.callback).then_some(now.instant + ring);
        let reason = Decision::new(now.wall, queue.clone(), agent.clone(), rule, candidates).expect("a candidate");
        let reason = Decision { off_schedule, ..reason };
        self.keep_looking(&queue, now);
        self.events.push(AcdEvent::Offer { contact: id, agent: agent.clone(), reason: Box::new(reason) });
        self.state(agent, AgentState::Reserved, now);
        self.agent(agent).contact = Some(id);
    }

    /// This agent is not rung for it any more. Whether the contact is still there; a direct call is not.
    fn offer_no_longer(&mut self, id: CallId, agent: &AgentId, now: Now) -> bool {
        let contact = self.contact(id).expect("a contact");
        contact.agents.retain(|other| other != agent);
        if contact.agents.is_empty() {
            contact.rings_until = None;
        }
        let queue = contact.queue.clone();
        match &queue {
            Some(queue) => self.keep_looking(queue, now),
            None => self.contacts.retain(|contact| contact.id != id),
        }
        queue.is_some()
    }

    fn take_back(&mut self, id: CallId, agents: Vec<AgentId>, now: Now) {
        for agent in &agents {
            self.events.push(AcdEvent::Withdraw { contact: id, agent: agent.clone() });
        }
        for agent in &agents {
            self.state(agent, AgentState::Available, now);
            self.agent_looks(agent, now);
        }
    }

    pub fn enqueue(
        &mut self,
        id: CallId,
        queue: &QueueId,
        demand: &Demand,
        since: Instant,
        (callback, cold): (bool, bool),
        now: Now,
    ) -> Result<(), &'static str> {
        if self.contact(id).is_some() {
            return Err("already");
        }
        let waiting = self.callers(queue);
        let Some(known) = self.queues.iter_mut().find(|known| known.settings.id == *queue && !known.deleted) else {
            return Err("no such queue");
        };
        self.arrivals += 1;
        if !callback && known.settings.max_waiting.is_some_and(|most| waiting >= most) {
            return Err("full");
        }
        known.figures.0 += u64::from(!callback);
        let widen = demand.widen.clone().unwrap_or_else(|| known.settings.widen.clone());
        let announce = if callback { Duration::ZERO } else { known.settings.announce_position };
        let hold_back = known.settings.callback.hold_back;
        let cold_until = (cold && !hold_back.is_zero()).then_some(now.instant + hold_back);
        let since = since.min(now.instant);
        self.contacts.push(Contact {
            id,
            queue: Some(queue.clone()),
            demand: demand.clone(),
            widen,
            asked: Skills::new(),
            widens_at: None,
            waits_for: None,
            since,
            since_wall: now.wall - jiff::SignedDuration::try_from(now.instant.since(since)).expect("a short wait"),
            arrival: self.arrivals,
            agents: Vec::new(),
            talking: false,
            callback,
            called_back: false,
            cold_until,
            rings_until: None,
            announce_at: (announce > Duration::ZERO).then_some(now.instant + announce),
            barred: BTreeMap::new(),
        });
        self.widen(id, now);
        let contact = self.contacts.iter().find(|contact| contact.id == id).expect("a contact");
        let preferred = demand
            .prefer_agent
            .as_ref()
            .filter(|_| cold_until.is_none())
            .filter(|preferred| self.can_wait_for(contact, &preferred.agent));
        let waits_for = preferred.map(|preferred| (preferred.agent.clone(), now.instant + preferred.wait));
        self.contact(id).expect("a contact").waits_for = waits_for;
        self.keep_looking(queue, now);
        self.contact_looks(id, now);
        if announce > Duration::ZERO && self.contact(id).is_some_and(|contact| contact.agents.is_empty()) {
            let position = self.position(id, now).expect("a position");
            self.events.push(AcdEvent::Announce { contact: id, position });
        }
        Ok(())
    }

    /// The customer of a call-back is on the line.
    pub fn reached(&mut self, id: CallId, now: Now) -> Option<AgentId> {
        let contact = self.contact(id).filter(|contact| contact.callback)?;
        contact.callback = false;
        contact.cold_until = None;
        contact.called_back = true;
        let (agent, queue) = (contact.agents.first().cloned(), contact.queue.clone().expect("a queue"));
        self.keep_looking(&queue, now);
        self.queue(&queue).figures.0 += 1;
        let settings = self.queue(&queue).settings.clone();
        let announce = settings.announce_position;
        let contact = self.contact(id).expect("a contact");
        contact.announce_at = (announce > Duration::ZERO).then_some(now.instant + announce);
        if agent.is_some() {
            contact.rings_until = Some(now.instant + settings.ring_timeout);
        } else {
            self.contact_looks(id, now);
        }
        let offered = self.contact(id).is_some_and(|contact| !contact.agents.is_empty());
        if !offered && announce > Duration::ZERO {
            let position = self.position(id, now).expect("a position");
            self.events.push(AcdEvent::Announce { contact: id, position });
        }
        agent
    }

    /// Callers who wait on the line in a queue.
    fn callers(&self, queue: &QueueId) -> usize {
        self.waiting(queue).iter().filter(|contact| !contact.callback).count()
    }

    /// Those who wait in a queue.
    fn waiting(&self, queue: &QueueId) -> Vec<&Contact> {
        let here = |contact: &&Contact| contact.queue.as_ref() == Some(queue) && !contact.talking;
        self.contacts.iter().filter(here).collect()
    }

    pub fn position(&self, id: CallId, now: Now) -> Option<usize> {
        let queue = self.contacts.iter().find(|contact| contact.id == id)?.queue.clone()?;
        let mut waiting = self.waiting(&queue);
        waiting.retain(|contact| contact.cold_until.is_none());
        let waiting = self.in_order(waiting, now);
        waiting.iter().position(|contact| contact.id == id).map(|before| before + 1)
    }

    pub fn leave(&mut self, id: CallId, elsewhere: bool, now: Now) {
        let Some(at) = self.contacts.iter().position(|contact| contact.id == id) else { return };
        if self.contacts[at].talking {
            return self.talk_ended(id, now);
        }
        let contact = self.contacts.remove(at);
        if let Some(queue) = &contact.queue {
            let figures = &mut self.queue(queue).figures;
            let left = if elsewhere || contact.called_back { &mut figures.3 } else { &mut figures.2 };
            *left += u64::from(!contact.callback);
            self.keep_looking(queue, now);
        }
        self.forget_drained();
        self.take_back(id, contact.agents, now);
    }

    /// Whether this agent's phone rings: nobody's does while a customer is rung.
    fn is_rung(&self, id: CallId, agent: &AgentId) -> bool {
        let rings = |contact: &Contact| contact.id == id && !contact.talking && !contact.callback;
        self.contacts.iter().any(|contact| rings(contact) && contact.agents.contains(agent))
    }

    pub fn agent_ringing(&mut self, id: CallId, agent: &AgentId, now: Now) {
        if self.is_rung(id, agent) && self.agent(agent).state == AgentState::Reserved {
            self.state(agent, AgentState::Ringing, now);
        }
    }

    pub fn agent_answered(&mut self, id: CallId, agent: &AgentId, now: Now) -> bool {
        if !self.is_rung(id, agent) {
            return false;
        }
        let contact = self.contact(id).expect("a contact");
        contact.talking = true;
        let mut others = std::mem::replace(&mut contact.agents, vec![agent.clone()]);
        others.retain(|other| other != agent);
        contact.rings_until = None;
        contact.announce_at = None;
        contact.widens_at = None;
        contact.waits_for = None;
        contact.barred.clear();
        if let Some(queue) = contact.queue.clone() {
            self.queue(&queue).figures.1 += 1;
        }
        self.state(agent, AgentState::Talking, now);
        let known = self.agent(agent);
        known.handled += 1;
        self.take_back(id, others, now);
        true
    }

    pub fn agent_failed(&mut self, id: CallId, agent: &AgentId, why: NoAnswer, now: Now) {
        if self.is_rung(id, agent) {
            self.failed(id, agent, why, now);
        }
    }

    fn failed(&mut self, id: CallId, agent: &AgentId, why: NoAnswer, now: Now) {
        self.state(agent, AgentState::Available, now);
        if self.offer_no_longer(id, agent, now) {
            let queue = self.contact(id).and_then(|contact| contact.queue.clone()).expect("a queue");
            let queue = self.queue(&queue).settings.clone();
            let until = now.instant + queue.retry_delay.max(Duration::from_secs(1));
            let number = self.agent(agent).number;
            self.contact(id).expect("a contact").barred.insert(number, until);
            let refused = !NOT_REFUSED.contains(&why);
            let known = self.agent(agent);
            known.unanswered += u32::from(refused);
            if refused && queue.max_no_answer > 0 && known.unanswered >= queue.max_no_answer {
                known.state = AgentState::NotResponding;
                self.offer_in_vain(now);
            } else if !refused || known.unanswered >= 2 {
                known.rests_until = Some(until);
            }
            self.contact_looks(id, now);
        }
        self.agent_looks(agent, now);
    }

    pub fn talk_ended(&mut self, id: CallId, now: Now) {
        self.part(id, false, now);
    }

    pub fn gone_at_once(&mut self, id: CallId, now: Now) {
        self.part(id, true, now);
    }

    fn part(&mut self, id: CallId, at_once: bool, now: Now) {
        let Some(at) = self.contacts.iter().position(|contact| contact.id == id && contact.talking) else { return };
        let contact = self.contacts.remove(at);
        let agent = contact.agents.first().expect("an agent").clone();
        let known = self.agent(&agent);
        known.unanswered = if at_once { known.unanswered + 1 } else { 0 };
        match contact.queue {
            Some(queue) => {
                let settings = self.queue(&queue).settings.clone();
                let rest = settings.retry_delay.max(Duration::from_secs(1));
                let wrap_up = if at_once { settings.wrap_up.max(rest) } else { settings.wrap_up };
                self.state(&agent, AgentState::WrapUp, now);
                let known = self.agent(&agent);
                known.wrap_up = Some((now.instant, now.instant + wrap_up));
                let refuses = at_once && settings.max_no_answer > 0 && known.unanswered >= settings.max_no_answer;
                let wishes = known.wanted.as_ref().is_some_and(|wanted| *wanted != Wanted::Available);
                if refuses && !wishes && !known.deleted {
                    known.wrap_up = None;
                    self.events.push(AcdEvent::WrappedUp { contact: id, acw: Duration::ZERO });
                    self.work_as(&agent, AgentState::NotResponding, None, now);
                } else if wrap_up.is_zero() {
                    self.wrapped_up(&agent, now);
                }
            }
            None => self.free(&agent, now),
        }
        self.forget_drained();
    }

    fn wrapped_up(&mut self, id: &AgentId, now: Now) {
        let agent = self.agent(id);
        let (since, _) = agent.wrap_up.take().expect("a wrap-up");
        let contact = agent.contact.expect("a contact");
        self.events.push(AcdEvent::WrappedUp { contact, acw: now.instant.since(since) });
        self.free(id, now);
    }

    fn free(&mut self, id: &AgentId, now: Now) {
        if self.agent(id).deleted {
            self.agents.retain(|agent| agent.id != *id);
            return;
        }
        match self.agent(id).wanted.take() {
            Some(Wanted::LoggedOut) => self.log_out(id, now),
            Some(Wanted::Paused(reason)) => self.work_as(id, AgentState::Paused, Some(reason), now),
            Some(Wanted::Available) | None => self.work_as(id, AgentState::Available, None, now),
        }
    }

    fn log_out(&mut self, id: &AgentId, now: Now) {
        self.state(id, AgentState::LoggedOut, now);
        let agent = self.agent(id);
        agent.out = true;
        agent.rests_until = None;
        self.offer_in_vain(now);
    }

    /// Available, paused or not responding; or logged out until there is a phone.
    fn work_as(&mut self, id: &AgentId, state: AgentState, reason: Option<String>, now: Now) {
        let reachable = self.agent(id).reachable;
        self.state(id, if reachable { state } else { AgentState::LoggedOut }, now);
        let agent = self.agent(id);
        agent.out = false;
        agent.rests_until = None;
        agent.resume = (state, reason.clone());
        if reachable {
            agent.reason = reason;
            if state == AgentState::Available {
                agent.idle_since = now.instant;
                return self.agent_looks(id, now);
            }
        }
        self.offer_in_vain(now);
    }

    pub fn hold(&mut self, id: CallId, on: bool, now: Now) {
        let Some(contact) = self.contacts.iter().find(|contact| contact.id == id && contact.talking) else { return };
        let agent = contact.agents.first().expect("an agent").clone();
        let state = if on { AgentState::Holding } else { AgentState::Talking };
        if self.agent(&agent).state != state {
            self.state(&agent, state, now);
        }
    }

    pub fn seize(&mut self, agent: &AgentId, id: CallId, now: Now) -> bool {
        let Some(known) = self.agents.iter().find(|known| known.id == *agent) else { return false };
        if known.state != AgentState::Available || self.contacts.iter().any(|contact| contact.id == id) {
            return false;
        }
        self.arrivals += 1;
        self.contacts.push(Contact {
            id,
            queue: None,
            demand: Demand::default(),
            widen: Vec::new(),
            asked: Skills::new(),
            widens_at: None,
            waits_for: None,
            since: now.instant,
            since_wall: now.wall,
            arrival: self.arrivals,
            agents: vec![agent.clone()],
            talking: false,
            callback: false,
            called_back: false,
            cold_until: None,
            rings_until: None,
            announce_at: None,
            barred: BTreeMap::new(),
        });
        self.state(agent, AgentState::Reserved, now);
        self.agent(agent).contact = Some(id);
        true
    }

    /// Takes an offer back; gives the contact that must look for another agent.
    fn withdraw(&mut self, id: &AgentId, now: Now) -> Option<CallId> {
        let agent = self.agent(id);
        if !matches!(agent.state, AgentState::Reserved | AgentState::Ringing) {
            return None;
        }
        let contact = agent.contact.expect("a contact");
        self.events.push(AcdEvent::Withdraw { contact, agent: id.clone() });
        self.offer_no_longer(contact, id, now).then_some(contact)
    }

    pub fn set_reachable(&mut self, id: &AgentId, reachable: bool, now: Now) {
        let Some(agent) = self.agents.iter_mut().find(|agent| agent.id == *id) else { return };
        if agent.reachable == reachable {
            return;
        }
        agent.reachable = reachable;
        let (state, reason) = match agent.state {
            AgentState::LoggedOut if reachable && !agent.out => {
                agent.logged_in = now.instant;
                agent.resume.clone()
            }
            AgentState::LoggedOut | AgentState::Talking | AgentState::Holding | AgentState::WrapUp => return,
            AgentState::Paused => (AgentState::Paused, agent.reason.clone()),
            AgentState::NotResponding => (AgentState::NotResponding, None),
            AgentState::Available | AgentState::Reserved | AgentState::Ringing => (AgentState::Available, None),
        };
        let contact = self.withdraw(id, now);
        self.work_as(id, state, reason, now);
        if let Some(contact) = contact {
            self.contact_looks(contact, now);
        }
    }

    /// False where the request is refused.
    pub fn set_state(&mut self, id: &AgentId, wanted: Wanted, now: Now) -> bool {
        let Some(agent) = self.agents.iter_mut().find(|agent| agent.id == *id) else { return false };
        let talks = matches!(agent.state, AgentState::Talking | AgentState::Holding);
        if !agent.reachable && wanted != Wanted::LoggedOut && !talks && agent.state != AgentState::WrapUp {
            return false;
        }
        if talks || agent.state == AgentState::WrapUp {
            agent.wanted = Some(wanted);
            if !talks {
                self.wrapped_up(id, now);
            }
            return true;
        }
        let offered = matches!(agent.state, AgentState::Reserved | AgentState::Ringing);
        let nothing_new = match &wanted {
            Wanted::Available => offered || agent.state == AgentState::Available,
            Wanted::Paused(reason) => agent.state == AgentState::Paused && agent.reason.as_ref() == Some(reason),
            Wanted::LoggedOut => agent.state == AgentState::LoggedOut && agent.out,
        };
        if nothing_new {
            return true;
        }
        if agent.state == AgentState::LoggedOut && wanted != Wanted::LoggedOut {
            agent.logged_in = now.instant;
        }
        let contact = self.withdraw(id, now);
        match wanted {
            Wanted::Available => {
                self.agent(id).unanswered = 0;
                self.work_as(id, AgentState::Available, None, now);
            }
            Wanted::Paused(reason) => self.work_as(id, AgentState::Paused, Some(reason), now),
            Wanted::LoggedOut => self.log_out(id, now),
        }
        if let Some(contact) = contact {
            self.contact_looks(contact, now);
        }
        true
    }

    /// Everything with a deadline, as (time, kind, whose); the kinds in the order in which equals are handled.
    fn deadlines(&self) -> Vec<(Instant, u8, u128)> {
        let mut all = Vec::new();
        for agent in &self.agents {
            let number = agent.number as u128;
            all.extend(agent.wrap_up.map(|(_, until)| (until, 0, number)));
            all.extend(agent.rests_until.map(|until| (until, 1, number)));
        }
        for contact in &self.contacts {
            all.extend(contact.rings_until.map(|at| (at, 2, contact.id.0)));
            all.extend(contact.barred.values().min().map(|at| (*at, 3, contact.id.0)));
            all.extend(contact.waits_for.as_ref().map(|(_, until)| (*until, 4, contact.id.0)));
            all.extend(contact.widens_at.map(|at| (at, 5, contact.id.0)));
            all.extend(contact.cold_until.map(|at| (at, 6, contact.id.0)));
            all.extend(contact.announce_at.map(|at| (at, 7, contact.id.0)));
        }
        all.extend(self.queues.iter().filter_map(|queue| Some((queue.cold_at?, 8, queue.number as u128))));
        all
    }

    pub fn next(&self) -> Option<Instant> {
        self.deadlines().iter().map(|(at, _, _)| *at).min()
    }

    pub fn handle_timeout(&mut self, now: Now) {
        self.measure(now.instant);
        while let Some((_, kind, whose)) = self.deadlines().into_iter().min().filter(|(at, _, _)| *at <= now.instant) {
            let number = whose as usize;
            let agent =
                self.agents.iter().find(|agent| kind < 2 && agent.number == number).map(|agent| agent.id.clone());
            match (kind, agent) {
                (0, Some(agent)) => self.wrapped_up(&agent, now),
                (1, Some(agent)) => {
                    self.agent(&agent).rests_until = None;
                    self.agent_looks(&agent, now);
                }
                (2, _) => {
                    for agent in self.contact(CallId(whose)).expect("a contact").agents.clone() {
                        self.events.push(AcdEvent::Withdraw { contact: CallId(whose), agent: agent.clone() });
                        self.failed(CallId(whose), &agent, NoAnswer::Timeout, now);
                    }
                }
                (3, _) => {
                    let contact = self.contact(CallId(whose)).expect("a contact");
                    contact.barred.retain(|_, until| *until > now.instant);
                    if contact.agents.is_empty() {
                        self.contact_looks(CallId(whose), now);
                    }
                }
                (4, _) => {
                    self.contact(CallId(whose)).expect("a contact").waits_for = None;
                    self.contact_looks(CallId(whose), now);
                }
                (5, _) => {
                    self.widen(CallId(whose), now);
                    if self.contact(CallId(whose)).is_some_and(|contact| contact.agents.is_empty()) {
                        self.contact_looks(CallId(whose), now);
                    }
                }
                (6, _) => self.hold_back_no_longer(CallId(whose), now),
                (8, _) => self.look_at_cold(number, now),
                _ => {
                    let position = self.position(CallId(whose), now).expect("a position");
                    let queue = self.contact(CallId(whose)).and_then(|contact| contact.queue.clone()).expect("a queue");
                    let interval = self.queue(&queue).settings.announce_position;
                    let contact = self.contact(CallId(whose)).expect("a contact");
                    contact.announce_at = (interval > Duration::ZERO).then_some(now.instant + interval);
                    self.events.push(AcdEvent::Announce { contact: CallId(whose), position });
                }
            }
        }
    }

    pub fn agent_views(&self) -> Vec<AgentView> {
        let view = |agent: &Agent| AgentView {
            id: agent.id.clone(),
            name: agent.name.clone(),
            state: agent.state,
            reason: agent.reason.clone(),
            since: agent.since,
            queues: agent.queues.clone(),
            skills: agent.skills.clone(),
            schedules: self.schedules(agent),
            call_id: agent.contact,
            reachable: agent.reachable,
            handled: agent.handled,
        };
        self.agents.iter().map(view).collect()
    }

    pub fn queue_views(&self) -> Vec<QueueView> {
        let view = |queue: &Queue| {
            let id = queue.settings.id.clone();
            let mut waiting = self.waiting(&id);
            waiting.sort_by_key(|contact| (contact.since, contact.arrival));
            let members = || self.agents.iter().filter(|agent| agent.queues.contains(&id) && !agent.deleted);
            let available = members().filter(|agent| agent.state == AgentState::Available).count();
            let logged_in = members().filter(|agent| agent.state != AgentState::LoggedOut).count();
            QueueView {
                waiting: self.callers(&id) as u64,
                callbacks_held_back: self.held_back(&id).len() as u64,
                callbacks: (waiting.len() - self.callers(&id)) as u64,
                longest_waiting_since: waiting.iter().find(|contact| !contact.callback).map(|c| c.since_wall),
                agents_available: available as u64,
                agents_logged_in: logged_in as u64,
                agents_off_schedule: self.off_schedule(&id),
                occupancy: queue.share,
                occupancy_band: queue.band(),
                offered: queue.figures.0,
                handled: queue.figures.1,
                abandoned: queue.figures.2,
                overflowed: queue.figures.3,
                id,
            }
        };
        self.queues.iter().map(view).collect()
    }
}

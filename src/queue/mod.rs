//! The automatic call distributor (ACD): which agent gets which contact, when, and why.
//!
//! A contact that comes is offered to the available agent of its queue whom the queue's rule puts first (`choice`). An
//! agent who comes free takes, of all their queues, the contact with the highest aged priority, then the largest ratio
//! of the time waited to its queue's target, then the longest wait; or goes by the order of their queues (`order`). Idle time counts across queues; it runs
//! from log-in, end of wrap-up or end of pause, and an offer that failed does not interrupt it. Equal idle times: who
//! logged in first, then a number drawn from the seed. Every offer comes with its reason.
//!
//! A contact may ask for skills, each at a least level; only agents of its queue who have them all are chosen. By a rule
//! of the plan or the queue less is asked for as it waits: lower levels, in the end nothing.
//!
//! A queue may have several agents rung at once: the first to answer talks, the others' offers are taken back, and only
//! when all have failed is the contact offered to others.
//!
//! An offer that fails goes to the next agent within the same call, and the contact keeps its place:
//!
//! | `NoAnswer` | counts as unanswered | same contact again | other contacts |
//! |---|---|---|---|
//! | `Timeout`, `Declined`, `HungUpWhileRinging` | yes | after `retry_delay` | at once |
//! | `Busy`, `Unreachable` | no: it is the phone, not the person | after `retry_delay` | after `retry_delay` |
//!
//! An agent whose phone answers and hangs up at once is wrapping up for `retry_delay` at least, and the contact, which the
//! engine queues again, goes to another. It counts as unanswered.
//!
//! `max_no_answer` unanswered contacts in a row make the agent `not_responding` until they ask to be available (zero:
//! never). From the second in a row on they rest for `retry_delay`, so that a phone which refuses by itself is not
//! offered the whole queue within a second. A contact that was talked with starts the count anew.
//!
//! An agent may be a member of a queue in the hours of a calendar only (`schedules`). Call-backs that nobody waits for on
//! the line are cold work: they are held back until agents have time (`cold`).
//!
//! Every decision looks at the head of ordered sets; none walks over all agents or all contacts.

mod agent;
mod busy;
mod callbacks;
mod choice;
mod cold;
mod contact;
mod contacts;
mod error;
mod flow;
mod handing;
mod idle;
mod line;
mod matching;
mod occupancy;
mod order;
mod patience;
mod queues;
mod schedules;
mod shifts;
mod skills;
mod staff;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

pub use callbacks::{CallbackError, Callbacks, TakenBack};
pub use contact::Medium;
pub use error::{AgentError, EnqueueError};
pub use schedules::Hours;
pub use skills::Skills;

pub use crate::shift::{Cause, NoAnswer, Wanted};

use crate::ids::{AgentId, CallId, QueueId};
use crate::settings;
use crate::shift::AgentChange;
use crate::time::{Deadlines, Instant, Now};
use crate::trace::Decision;
use agent::{Agent, AgentIndex};
use contact::Contact;
use queues::{Queue, QueueIndex};
use skills::SkillNumbers;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AcdEvent {
    /// Ring this agent for this contact; the agent is `reserved`. Where the queue rings several at once, one follows for
    /// each.
    Offer {
        contact: CallId,
        agent: AgentId,
        reason: Box<Decision>,
    },
    /// Stop ringing: time-out, the caller left, another agent answered, the agent logged out or paused. A contact that was seized by a direct
    /// call is then no longer known here; one of a queue waits on at its place.
    Withdraw {
        contact: CallId,
        agent: AgentId,
    },
    /// Time to tell the position; 1 is the head.
    Announce {
        contact: CallId,
        position: usize,
    },
    /// The agent's work after this contact of a queue is over; it took `acw`. A contact that was queued again and
    /// answered twice is wrapped up twice.
    WrappedUp {
        contact: CallId,
        acw: Duration,
    },
    /// An agent has gone into another state: to be written down.
    Entered(Box<AgentChange>),
    /// Publish the view; changes between two polls come as one.
    AgentChanged(AgentId),
    QueueChanged(QueueId),
}

/// Deadlines that are due at the same instant are handled in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Timer {
    WrapUp(AgentIndex),
    Rest(AgentIndex),
    Ring(CallId),
    Retry(CallId),
    Preferred(CallId),
    Widen(CallId),
    /// It has been held back for long enough.
    HeldBack(CallId),
    Announce(CallId),
    /// Whether agents of a queue have time for cold work.
    Cold(QueueIndex),
}

/// What is alive, for leak checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AcdCounts {
    /// Contacts that wait, are offered, or talk.
    pub contacts: usize,
    pub timers: usize,
    /// Agents who are reserved, ringing, talking, holding or wrapping up.
    pub busy_agents: usize,
}

/// How much there is to do in a queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    pub waiting: u64,
    /// Of the caller who has waited longest on the line; zero where nobody does.
    pub longest_wait: Duration,
    pub agents_available: u64,
    pub agents_logged_in: u64,
    /// How long who comes now will probably wait; `None` where the queue's recent flow does not tell.
    pub estimate: Option<(Duration, Duration)>,
    /// The share of answered contacts that were answered within the queue's target, from 0 to 1; `None` where there were
    /// none.
    pub service_level: Option<f64>,
}

#[derive(Serialize, Deserialize)]
pub struct Acd {
    rng: ChaCha12Rng,
    agents: BTreeMap<AgentIndex, Agent>,
    agent_index: HashMap<AgentId, AgentIndex>,
    queues: BTreeMap<QueueIndex, Queue>,
    queue_index: HashMap<QueueId, QueueIndex>,
    contacts: HashMap<CallId, Contact>,
    skill_numbers: SkillNumbers,
    /// What the calendars say that schedules name.
    hours: BTreeMap<String, Hours>,
    /// When occupancies are measured next; `None` while they stand still.
    measure_at: Option<Instant>,
    /// When an agent last went into another state.
    staff_changed: Instant,
    timers: Deadlines<Timer>,
    next_agent: u32,
    next_queue: u32,
    next_arrival: u64,
    events: VecDeque<AcdEvent>,
    changed_agents: BTreeSet<AgentIndex>,
    changed_queues: BTreeSet<QueueIndex>,
}

impl Acd {
    /// Agents start logged out; `set_reachable` logs them in. `seed` breaks ties.
    pub fn new(queues: &[settings::Queue], agents: &[settings::Agent], seed: [u8; 32], now: Now) -> Acd {
        let mut acd = Acd {
            rng: ChaCha12Rng::from_seed(seed),
            agents: BTreeMap::new(),
            agent_index: HashMap::new(),
            queues: BTreeMap::new(),
            queue_index: HashMap::new(),
            contacts: HashMap::new(),
            skill_numbers: SkillNumbers::default(),
            hours: BTreeMap::new(),
            measure_at: None,
            staff_changed: now.instant,
            timers: Deadlines::default(),
            next_agent: 0,
            next_queue: 0,
            next_arrival: 0,
            events: VecDeque::new(),
            changed_agents: BTreeSet::new(),
            changed_queues: BTreeSet::new(),
        };
        acd.configure(queues, agents, now);
        acd
    }

    /// When to call `handle_timeout` at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next().into_iter().chain(self.measure_at).min()
    }

    pub fn handle_timeout(&mut self, now: Now) {
        self.measure(now);
        while let Some(timer) = self.timers.expire(now.instant) {
            match timer {
                Timer::WrapUp(agent) => self.end_wrap_up(agent, now),
                Timer::Rest(agent) => self.end_rest(agent, now),
                Timer::Ring(contact) => self.ring_timed_out(contact, now),
                Timer::Retry(contact) => self.retry(contact, now),
                Timer::Preferred(contact) => self.prefer_no_longer(contact, now),
                Timer::Widen(contact) => self.widen(contact, now),
                Timer::HeldBack(contact) => self.hold_back_no_longer(contact, now),
                Timer::Announce(contact) => self.announce(contact, now),
                Timer::Cold(queue) => self.offer_cold(queue, now),
            }
        }
    }

    /// What is to be done, in order; then what changed. Call until `None`.
    pub fn poll_event(&mut self) -> Option<AcdEvent> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        while let Some(index) = self.changed_agents.pop_first() {
            if let Some(agent) = self.agents.get(&index) {
                return Some(AcdEvent::AgentChanged(agent.id.clone()));
            }
        }
        while let Some(index) = self.changed_queues.pop_first() {
            if let Some(queue) = self.queues.get(&index) {
                return Some(AcdEvent::QueueChanged(queue.settings.id.clone()));
            }
        }
        None
    }
}

#[cfg(test)]
mod histories;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

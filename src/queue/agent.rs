//! An agent: state, reachability, idleness.

use serde::{Deserialize, Serialize};

use super::occupancy::Work;
use super::queues::QueueIndex;
use super::schedules::Membership;
use super::skills::{Numbered, Skills};
use super::{Cause, Wanted};
use crate::ids::{AgentId, CallId, QueueId};
use crate::settings;
pub(super) use crate::shift::Resume;
use crate::time::{Instant, Now, Wall};
use crate::views::AgentState;

/// Counted up in the order in which the configuration names agents; never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct AgentIndex(pub(super) u32);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Duty {
    /// By the API, until the API is asked otherwise: no registration undoes it.
    LoggedOut,
    /// For want of a phone; when one registers the agent is this again.
    WithoutPhone(Resume),
    Available,
    Reserved(CallId),
    Ringing(CallId),
    Talking(CallId),
    Holding(CallId),
    WrapUp {
        contact: CallId,
        since: Instant,
    },
    Paused(String),
    NotResponding,
}

impl From<Resume> for Duty {
    fn from(resume: Resume) -> Duty {
        match resume {
            Resume::Available => Duty::Available,
            Resume::Paused(reason) => Duty::Paused(reason),
            Resume::NotResponding => Duty::NotResponding,
        }
    }
}

impl Duty {
    pub(super) fn state(&self) -> AgentState {
        match self {
            Duty::LoggedOut | Duty::WithoutPhone(_) => AgentState::LoggedOut,
            Duty::Available => AgentState::Available,
            Duty::Reserved(_) => AgentState::Reserved,
            Duty::Ringing(_) => AgentState::Ringing,
            Duty::Talking(_) => AgentState::Talking,
            Duty::Holding(_) => AgentState::Holding,
            Duty::WrapUp { .. } => AgentState::WrapUp,
            Duty::Paused(_) => AgentState::Paused,
            Duty::NotResponding => AgentState::NotResponding,
        }
    }

    /// The contact the agent is rung for, talks to, or wraps up.
    pub(super) fn contact(&self) -> Option<CallId> {
        match self {
            Duty::Reserved(contact) | Duty::Ringing(contact) | Duty::Talking(contact) | Duty::Holding(contact) => {
                Some(*contact)
            }
            Duty::WrapUp { contact, .. } => Some(*contact),
            _ => None,
        }
    }

    /// The contact that is being offered.
    pub(super) fn offered(&self) -> Option<CallId> {
        match self {
            Duty::Reserved(contact) | Duty::Ringing(contact) => Some(*contact),
            _ => None,
        }
    }

    pub(super) fn is_logged_in(&self) -> bool {
        !matches!(self, Duty::LoggedOut | Duty::WithoutPhone(_))
    }
}

/// The order of idle agents: the first is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Idle {
    pub(super) since: Instant,
    pub(super) logged_in: Instant,
    pub(super) tie: u64,
    pub(super) agent: AgentIndex,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Agent {
    pub(super) id: AgentId,
    pub(super) name: String,
    /// The queues they are to serve, in order of preference.
    pub(super) memberships: Vec<Membership>,
    /// Of those, the ones of which they are a member now, in the same order; and the others.
    pub(super) queues: Vec<QueueIndex>,
    pub(super) off_schedule: Vec<QueueIndex>,
    pub(super) preference: settings::CallPreference,
    pub(super) skills: Skills,
    /// The same by number.
    pub(super) has: Numbered,
    pub(super) reachable: bool,
    pub(super) duty: Duty,
    pub(super) since: Wall,
    pub(super) cause: Cause,
    /// The state is new and has not been told.
    pub(super) entered: bool,
    /// The queue of the contact that the agent has; also while it is wrapped up.
    pub(super) serves: Option<QueueId>,
    pub(super) idle_since: Instant,
    pub(super) logged_in: Instant,
    /// Drawn from the seed; the last word between equals.
    pub(super) tie: u64,
    /// Offers in a row that were not answered.
    pub(super) unanswered: u32,
    /// Not offered anything until the timer says so.
    pub(super) resting: bool,
    /// Looks for a contact at this moment; listed as idle only when there is none.
    pub(super) looking: bool,
    /// Asked for during a talk; takes effect after it.
    pub(super) wanted: Option<Wanted>,
    /// The configuration no longer knows this agent; a talk and its wrap-up are still ended.
    pub(super) leaving: bool,
    /// The entry in the idle sets of the agent's queues.
    pub(super) listed: Option<Idle>,
    pub(super) handled: u64,
    /// What they have handled, up to the present talk.
    pub(super) work: Work,
    /// Since when they have been with a contact.
    working_since: Option<Instant>,
}

impl Agent {
    /// Logged out for want of a phone; without queues and skills, until they are configured.
    pub(super) fn new(settings: &settings::Agent, tie: u64, now: Now) -> Agent {
        Agent {
            id: settings.id.clone(),
            name: settings.name.clone(),
            memberships: Vec::new(),
            queues: Vec::new(),
            off_schedule: Vec::new(),
            preference: settings.call_preference,
            skills: Skills::new(),
            has: Numbered::new(),
            reachable: false,
            duty: Duty::WithoutPhone(Resume::Available),
            since: now.wall,
            cause: Cause::Configured,
            entered: false,
            serves: None,
            idle_since: now.instant,
            logged_in: now.instant,
            tie,
            unanswered: 0,
            resting: false,
            looking: false,
            wanted: None,
            leaving: false,
            listed: None,
            handled: 0,
            work: Work::default(),
            working_since: None,
        }
    }

    /// May be offered a contact now.
    pub(super) fn is_free(&self) -> bool {
        self.duty == Duty::Available && !self.resting && !self.leaving
    }

    /// May be chosen by a contact that comes.
    pub(super) fn idle(&self, agent: AgentIndex) -> Option<Idle> {
        let idle = Idle { since: self.idle_since, logged_in: self.logged_in, tie: self.tie, agent };
        (self.is_free() && !self.looking).then_some(idle)
    }

    pub(super) fn enter(&mut self, duty: Duty, cause: Cause, now: Now) {
        self.duty = duty;
        self.cause = cause;
        self.since = now.wall;
        self.entered = true;
        self.looking = false;
        if self.is_with_contact() {
            self.working_since.get_or_insert(now.instant);
        } else if let Some(since) = self.working_since.take() {
            self.work.add(since, now.instant);
        }
    }

    /// Will sooner or later be free for the next contact.
    pub(super) fn is_at_work(&self) -> bool {
        !self.leaving && (self.duty == Duty::Available || self.duty.contact().is_some())
    }

    /// Talks or wraps up; a phone that is gone changes nothing about that.
    pub(super) fn is_with_contact(&self) -> bool {
        matches!(self.duty, Duty::Talking(_) | Duty::Holding(_) | Duty::WrapUp { .. })
    }

    /// What this agent adds to the counts of a queue they serve.
    pub(super) fn counted(&self) -> Counted {
        if self.leaving {
            return Counted::default();
        }
        let handling = self.is_with_contact();
        let works = handling || matches!(self.duty, Duty::Available | Duty::Reserved(_) | Duty::Ringing(_));
        Counted {
            available: u64::from(self.duty == Duty::Available),
            logged_in: u64::from(self.duty.is_logged_in()),
            handling: u64::from(handling),
            working: u64::from(works),
        }
    }
}

/// Agents of a queue, or what one of them adds to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) available: u64,
    pub(super) logged_in: u64,
    /// Those who handle a contact, of this queue or another.
    pub(super) handling: u64,
    /// Those who do, or could.
    pub(super) working: u64,
}

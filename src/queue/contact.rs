//! What waits in a queue, whatever its medium.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::agent::AgentIndex;
use super::queues::QueueIndex;
use super::skills::{Numbered, SkillNumbers};
use crate::demand::{Demand, Widening, widened};
use crate::ids::CallId;
use crate::time::{Instant, Now, Wall};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Medium {
    Voice,
    /// Somebody who is to be rung when their turn comes.
    Callback,
}

pub(super) type Waited = (Instant, u64, CallId);

/// The order of those who wait in one queue; see `order`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Place {
    /// Of a priority that does not age, the opposite; else 0.
    class: i32,
    /// When an ordinary caller would have come to stand here, in nanoseconds; before the clock began where it is negative.
    stands_since: i64,
    pub(super) since: Instant,
    pub(super) arrival: u64,
    pub(super) priority: i32,
    pub(super) contact: CallId,
}

impl Place {
    /// `step` is the wait that one step of priority is worth; `None` where priorities do not age.
    pub(super) fn new(contact: CallId, priority: i32, step: Option<Duration>, since: Instant, arrival: u64) -> Place {
        let nanos = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        let ahead = step.map_or(0, |step| nanos(step).saturating_mul(i64::from(priority)));
        let came = i64::try_from(since.0).unwrap_or(i64::MAX);
        let class = if step.is_some() { 0 } else { priority.saturating_neg() };
        Place { class, stands_since: came.saturating_sub(ahead), since, arrival, priority, contact }
    }

    /// The order of those who wait by their wait alone.
    pub(super) fn waited(&self) -> Waited {
        (self.since, self.arrival, self.contact)
    }

    /// The same one in a queue with another step.
    pub(super) fn with_step(self, step: Option<Duration>) -> Place {
        Place::new(self.contact, self.priority, step, self.since, self.arrival)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    Waiting,
    /// To these agents at once, of whom the first to answer talks; there is one at least.
    Offered(SmallVec<[AgentIndex; 4]>),
    Talking(AgentIndex),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Contact {
    pub(super) medium: Medium,
    /// Cold work that is held back until agents have time for it.
    pub(super) cold: bool,
    /// Was a call-back until the customer picked up.
    pub(super) called_back: bool,
    /// `None` for a call that goes straight to one agent.
    pub(super) queue: Option<QueueIndex>,
    /// The queue by whose rule it is wrapped up, of one that was handed over.
    pub(super) after: Option<QueueIndex>,
    pub(super) demand: Demand,
    /// What an agent must be good at by now.
    pub(super) asked: Numbered,
    /// What the agent had better be good at besides.
    pub(super) preferred: Numbered,
    /// The one agent whom it waits for.
    pub(super) held_for: Option<AgentIndex>,
    /// The last step of widening that was taken.
    widened: Option<Widening>,
    /// The steps that are to come, the next one last.
    pub(super) to_come: Vec<Widening>,
    pub(super) place: Place,
    /// `place.since` on the wall clock.
    pub(super) since: Wall,
    pub(super) stage: Stage,
    /// Agents who are not offered this contact again before then.
    pub(super) barred: BTreeMap<AgentIndex, Instant>,
}

impl Contact {
    /// One that waits at `place`.
    pub(super) fn new(queue: Option<QueueIndex>, medium: Medium, demand: Demand, place: Place, now: Now) -> Contact {
        let waited = jiff::SignedDuration::try_from(now.instant.since(place.since)).unwrap_or_default();
        let since = now.wall.checked_sub(waited).unwrap_or(now.wall);
        let barred = BTreeMap::new();
        Contact {
            medium,
            cold: false,
            called_back: false,
            queue,
            after: None,
            demand,
            asked: Numbered::new(),
            preferred: Numbered::new(),
            held_for: None,
            widened: None,
            to_come: Vec::new(),
            place,
            since,
            stage: Stage::Waiting,
            barred,
        }
    }

    /// Takes the numbers of what it asks for by now, and prefers.
    pub(super) fn number(&mut self, numbers: &SkillNumbers) {
        self.preferred = numbers.of(&self.demand.prefer_skills);
        self.asked = match self.widened {
            Some(step) => numbers.of(&widened(&self.demand.skills, step.level)),
            None => numbers.of(&self.demand.skills),
        };
    }

    /// The rule by which less is asked for; who asks for nothing needs none.
    pub(super) fn widens_by(&mut self, rule: &[Widening]) {
        if !self.demand.skills.is_empty() {
            self.to_come = rule.iter().rev().copied().collect();
        }
    }

    /// Takes the steps that are due. Gives the time of the next one.
    pub(super) fn widen(&mut self, now: Instant, numbers: &SkillNumbers) -> Option<Instant> {
        while let Some(step) = self.to_come.last().copied() {
            let at = self.place.since + step.after;
            if at > now {
                return Some(at);
            }
            self.to_come.pop();
            self.widened = Some(step);
            self.number(numbers);
        }
        None
    }

    /// How long it has waited in queues: without what counts besides for its place.
    pub(super) fn waited(&self, now: Instant) -> Duration {
        now.since(self.place.since).saturating_sub(self.demand.counted)
    }

    /// The agents who are reserved for it.
    pub(super) fn offered_to(&self) -> &[AgentIndex] {
        match &self.stage {
            Stage::Offered(agents) => agents,
            Stage::Waiting | Stage::Talking(_) => &[],
        }
    }

    pub(super) fn is_barred(&self, agent: AgentIndex, now: Instant) -> bool {
        self.barred.get(&agent).is_some_and(|until| *until > now)
    }
}

//! What waits in a queue, whatever its medium.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::agent::AgentIndex;
use super::queues::QueueIndex;
use super::skills::Skills;
use crate::ids::CallId;
use crate::time::{Instant, Now, Wall};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Medium {
    Voice,
}

/// The order of those who wait: the longest waiting first, then who came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) since: Instant,
    pub(super) arrival: u64,
    pub(super) contact: CallId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    Waiting,
    Offered(AgentIndex),
    Talking(AgentIndex),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Contact {
    pub(super) medium: Medium,
    /// `None` for a call that goes straight to one agent.
    pub(super) queue: Option<QueueIndex>,
    /// What an agent must be good at.
    pub(super) skills: Skills,
    pub(super) place: Place,
    /// `place.since` on the wall clock.
    pub(super) since: Wall,
    pub(super) stage: Stage,
    /// Agents who are not offered this contact again before then.
    pub(super) barred: BTreeMap<AgentIndex, Instant>,
}

impl Contact {
    /// A voice call that waits at `place`.
    pub(super) fn new(queue: Option<QueueIndex>, skills: Skills, place: Place, now: Now) -> Contact {
        let waited = jiff::SignedDuration::try_from(now.instant.since(place.since)).unwrap_or_default();
        let since = now.wall.checked_sub(waited).unwrap_or(now.wall);
        let barred = BTreeMap::new();
        Contact { medium: Medium::Voice, queue, skills, place, since, stage: Stage::Waiting, barred }
    }

    pub(super) fn is_barred(&self, agent: AgentIndex, now: Instant) -> bool {
        self.barred.get(&agent).is_some_and(|until| *until > now)
    }
}

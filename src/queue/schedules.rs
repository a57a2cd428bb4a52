//! Agents who are members of a queue in their hours only.
//!
//! Outside them an agent is not of the queue: its contacts are not offered to them and wait for nobody else's sake, and
//! they do not count as its staff. What was offered before goes on, and so does a talk with its wrap-up. When calendars
//! open and close is the engine's to know; here a name stands for one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::agent::{Agent, AgentIndex};
use super::queues::QueueIndex;
use super::{Acd, Cause};
use crate::time::{Now, Wall};
use crate::views::ScheduleView;

/// What a calendar says that agents' schedules go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    pub open: bool,
    /// When that changes next; `None` where it does not, as far as can be seen.
    pub changes_at: Option<Wall>,
}

/// A queue that an agent serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Membership {
    pub(super) queue: QueueIndex,
    /// In the hours of this calendar; always where none is named.
    pub(super) schedule: Option<String>,
}

impl Agent {
    /// By which calendar they are a member of the queue.
    pub(super) fn schedule_of(&self, queue: QueueIndex) -> Option<&String> {
        self.memberships.iter().find(|member| member.queue == queue)?.schedule.as_ref()
    }
}

impl Acd {
    /// Calendars have opened or closed. One that is not named here is open.
    pub fn set_hours(&mut self, hours: BTreeMap<String, Hours>, now: Now) {
        if hours == self.hours {
            return;
        }
        self.hours = hours;
        let scheduled = |agent: &Agent| agent.memberships.iter().any(|member| member.schedule.is_some());
        let scheduled = self.agents.iter().filter(|(_, agent)| scheduled(agent)).map(|(index, _)| *index);
        let scheduled: Vec<AgentIndex> = scheduled.collect();
        let mut moved = false;
        for index in scheduled {
            moved |= self.keep_schedule(index, now);
            self.changed_agents.insert(index);
        }
        if moved {
            self.give_up_vain_waits();
            self.offer_all(now);
        }
    }

    /// What `set_hours` was told last.
    pub fn hours(&self) -> &BTreeMap<String, Hours> {
        &self.hours
    }

    /// Whether the agent's queues are others now.
    fn keep_schedule(&mut self, index: AgentIndex, now: Now) -> bool {
        let Some(agent) = self.agents.get(&index) else { return false };
        let (queues, off) = self.by_schedule(&agent.memberships);
        if queues == agent.queues {
            return false;
        }
        let before = (agent.queues.clone(), agent.skills.clone());
        self.regroup(index, now, |agent| {
            agent.queues = queues;
            agent.off_schedule = off;
        });
        self.note_membership(index, &before, Cause::Scheduled, now);
        true
    }

    /// The queues of which these make a member now, and the others.
    pub(super) fn by_schedule(&self, memberships: &[Membership]) -> (Vec<QueueIndex>, Vec<QueueIndex>) {
        let (now, later): (Vec<&Membership>, Vec<&Membership>) = memberships.iter().partition(|member| {
            let hours = member.schedule.as_ref().and_then(|schedule| self.hours.get(schedule));
            hours.is_none_or(|hours| hours.open)
        });
        let queues = |members: Vec<&Membership>| members.iter().map(|member| member.queue).collect();
        (queues(now), queues(later))
    }

    /// The schedules of an agent, as they stand.
    pub(super) fn schedule_views(&self, agent: &Agent) -> Vec<ScheduleView> {
        let views = agent.memberships.iter().filter_map(|member| {
            let schedule = member.schedule.clone()?;
            let hours = self.hours.get(&schedule);
            Some(ScheduleView {
                queue: self.queues.get(&member.queue)?.settings.id.clone(),
                member: hours.is_none_or(|hours| hours.open),
                changes_at: hours.and_then(|hours| hours.changes_at),
                schedule,
            })
        });
        views.collect()
    }
}

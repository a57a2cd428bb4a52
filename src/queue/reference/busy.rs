//! How the model knows how busy a queue's agents were, and does cold work: it writes down every stretch of time and adds
//! up those that count.

use std::time::Duration;

use super::{Agent, Contact, Queue, Reference};
use crate::ids::{CallId, QueueId};
use crate::time::{Instant, Now};
use crate::trace::rounded;
use crate::views::{AgentState, OccupancyBand, ScheduleView};

/// In nanoseconds.
const MINUTE: u64 = 60_000_000_000;

/// From when to when so many agents of a queue handled something, and so many did or could; by `Queue::number`.
struct Stretch {
    from: u64,
    to: u64,
    queue: usize,
    handling: u64,
    working: u64,
}

pub(super) struct Log {
    until: Instant,
    stretches: Vec<Stretch>,
}

impl Log {
    pub(super) fn new(now: Instant) -> Log {
        Log { until: now, stretches: Vec::new() }
    }
}

impl Queue {
    pub(super) fn band(&self) -> Option<OccupancyBand> {
        let share = self.share?;
        let (low, high) = self.settings.occupancy_band;
        if share * 100.0 >= f64::from(high) {
            return Some(OccupancyBand::Above);
        }
        Some(if share * 100.0 < f64::from(low) { OccupancyBand::Below } else { OccupancyBand::Within })
    }
}

impl Reference {
    pub(super) fn measure(&mut self, now: Instant) {
        let (from, to) = (self.log.until.0, now.0);
        let handles = [AgentState::Talking, AgentState::Holding, AgentState::WrapUp];
        let could = [AgentState::Available, AgentState::Reserved, AgentState::Ringing];
        for queue in &self.queues {
            let of_queue = |agent: &&Agent| agent.queues.contains(&queue.settings.id) && !agent.deleted;
            let count = |states: &[AgentState]| {
                self.agents.iter().filter(of_queue).filter(|agent| states.contains(&agent.state)).count() as u64
            };
            let (handling, working) = (count(&handles), count(&handles) + count(&could));
            self.log.stretches.push(Stretch { from, to, queue: queue.number, handling, working });
        }
        self.log.until = now;
        let end = to / MINUTE * MINUTE;
        if end <= from {
            return;
        }
        let begin = end.saturating_sub(15 * MINUTE);
        self.log.stretches.retain(|stretch| stretch.to > begin);
        for queue in &mut self.queues {
            let (mut handled, mut worked) = (0, 0);
            for stretch in self.log.stretches.iter().filter(|stretch| stretch.queue == queue.number) {
                let time = stretch.to.min(end).saturating_sub(stretch.from.max(begin));
                handled += time * stretch.handling;
                worked += time * stretch.working;
            }
            queue.share = (worked >= 5 * MINUTE).then(|| rounded(handled as f64 / worked as f64));
        }
    }

    /// Cold work that no agent is reserved for.
    pub(super) fn held_back(&self, queue: &QueueId) -> Vec<&Contact> {
        let held = |contact: &&Contact| contact.queue.as_ref() == Some(queue) && contact.agents.is_empty();
        self.contacts.iter().filter(held).filter(|contact| contact.cold_until.is_some()).collect()
    }

    pub(super) fn keep_looking(&mut self, queue: &QueueId, now: Now) {
        let none = self.held_back(queue).is_empty();
        let queue = self.queue(queue);
        queue.cold_at = if none { None } else { queue.cold_at.or(Some(now.instant + Duration::from_secs(1))) };
    }

    pub(super) fn look_at_cold(&mut self, number: usize, now: Now) {
        let queue = self.queues.iter_mut().find(|queue| queue.number == number).expect("a queue");
        queue.cold_at = None;
        let queue = queue.settings.id.clone();
        let waiting: Vec<CallId> =
            self.in_order(self.held_back(&queue), now).iter().map(|contact| contact.id).collect();
        for contact in waiting {
            self.contact_looks(contact, now);
        }
        self.keep_looking(&queue, now);
    }

    pub(super) fn hold_back_no_longer(&mut self, id: CallId, now: Now) {
        let contact = self.contact(id).expect("a contact");
        contact.cold_until = None;
        let queue = contact.queue.clone().expect("a queue");
        self.keep_looking(&queue, now);
        if self.contact(id).is_some_and(|contact| contact.agents.is_empty()) {
            self.contact_looks(id, now);
        }
    }

    pub(super) fn schedules(&self, agent: &Agent) -> Vec<ScheduleView> {
        let scheduled = agent.members.iter().filter_map(|(queue, calendar)| Some((queue, calendar.as_ref()?)));
        let view = |(queue, calendar): (&QueueId, &String)| {
            let hours = self.hours.get(calendar);
            ScheduleView {
                queue: queue.clone(),
                schedule: calendar.clone(),
                member: hours.is_none_or(|hours| hours.open),
                changes_at: hours.and_then(|hours| hours.changes_at),
            }
        };
        scheduled.map(view).collect()
    }
}

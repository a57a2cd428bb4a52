//! Cold work: what nobody waits for on the line. It is done when agents have little else to do.
//!
//! It goes to agents who have been idle for the queue's `idle`, and only while the occupancy of the queue's agents (`busy`)
//! is below the top of its band, or is not known yet. Until then it is held back: callers do not stand behind it, and who
//! comes free takes callers first. It is looked at every second.
//!
//! No promise starves for that: after `hold_back` in line a contact is no longer cold. It stands where its place is and is
//! served like any caller, however busy the agents are.

use std::time::Duration;

use super::contact::{Contact, Stage};
use super::queues::{Queue, QueueIndex};
use super::{Acd, Timer};
use crate::ids::CallId;
use crate::time::{Instant, Now};
use crate::views::OccupancyBand;

/// So often what is held back looks for an agent.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Queue {
    /// Whether agents are to be given cold work at all.
    pub(super) fn has_time_for_cold_work(&self) -> bool {
        self.occupancy_band() != Some(OccupancyBand::Above)
    }

    /// An agent who has been idle since then has been so for long enough.
    pub(super) fn idle_since(&self, now: Instant) -> Instant {
        Instant(now.0.saturating_sub(u64::try_from(self.settings.callback.idle.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// It waits and is not being offered, from now on.
    pub(super) fn open(&mut self, contact: &Contact) {
        if contact.cold {
            self.held_back.insert(contact.place);
        } else {
            self.unoffered.insert(contact.place, &contact.asked, contact.held_for);
        }
    }

    /// No more.
    pub(super) fn close(&mut self, contact: &Contact) {
        if contact.cold {
            self.held_back.remove(&contact.place);
        } else {
            self.unoffered.remove(&contact.place, &contact.asked, contact.held_for);
        }
    }
}

impl Acd {
    /// As long as something is held back in the queue, it is looked at.
    pub(super) fn keep_looking(&mut self, index: QueueIndex, now: Now) {
        let timer = Timer::Cold(index);
        if self.queues.get(&index).is_none_or(|queue| queue.held_back.is_empty()) {
            self.timers.clear(&timer);
        } else if self.timers.get(&timer).is_none() {
            self.timers.set(timer, now.instant + LOOK_EVERY);
        }
    }

    /// What is held back in a queue looks for agents.
    pub(super) fn offer_cold(&mut self, index: QueueIndex, now: Now) {
        let Some(queue) = self.queues.get(&index) else { return };
        let waiting: Vec<CallId> = queue.held_back.iter().map(|place| place.contact).collect();
        for contact in waiting {
            if !self.queues.get(&index).is_some_and(|queue| queue.can_have_cold_work(now.instant)) {
                break;
            }
            self.offer_contact(contact, now);
        }
        self.keep_looking(index, now);
    }

    /// It has been held back for long enough.
    pub(super) fn hold_back_no_longer(&mut self, id: CallId, now: Now) {
        self.admit(id, now);
        self.offer_contact(id, now);
        if self.contacts.get(&id).is_some_and(|contact| contact.stage == Stage::Waiting) {
            self.note_waiting(id, now);
        }
    }

    /// From now on it stands in line like any caller.
    pub(super) fn admit(&mut self, id: CallId, now: Now) {
        self.timers.clear(&Timer::HeldBack(id));
        let Some(contact) = self.contacts.get_mut(&id).filter(|contact| contact.cold) else { return };
        let Some((index, queue)) = contact.queue.and_then(|index| Some((index, self.queues.get_mut(&index)?))) else {
            return;
        };
        queue.close(contact);
        contact.cold = false;
        if contact.stage == Stage::Waiting {
            queue.open(contact);
        }
        queue.line.insert(contact.place);
        self.changed_queues.insert(index);
        self.keep_looking(index, now);
    }

    /// Somebody waits for an agent of the queue.
    pub(super) fn note_waiting(&mut self, id: CallId, now: Now) {
        let queue = self.contacts.get(&id).and_then(|contact| contact.queue);
        if let Some(queue) = queue.and_then(|index| self.queues.get_mut(&index)) {
            queue.flow.begin(now.instant);
        }
    }
}

impl Queue {
    fn can_have_cold_work(&self, now: Instant) -> bool {
        let since = self.idle_since(now);
        self.has_time_for_cold_work() && self.idle.all().iter().flatten().any(|rank| rank.idle.since <= since)
    }
}

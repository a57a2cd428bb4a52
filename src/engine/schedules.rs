//! The hours in which agents are members of their queues: when the calendars that their schedules name open and close,
//! the distributor is told.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Engine, Timer};
use crate::dialplan::Plans;
use crate::queue::Hours;
use crate::settings::Settings;
use crate::time::Now;

/// The wall clock may be set while we wait for a change; so often it is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

impl Engine {
    pub(super) fn keep_schedules(&mut self, now: Now) {
        let hours = hours(&self.settings, &self.plans, self.acd.hours(), now);
        self.acd.set_hours(hours, now);
        self.wake_for_schedules(now);
    }

    /// At the next change.
    pub(super) fn wake_for_schedules(&mut self, now: Now) {
        if self.acd.hours().is_empty() {
            return self.timers.clear(&Timer::Schedules);
        }
        let changes = self.acd.hours().values().filter_map(|hours| hours.changes_at);
        let until = changes.min().map(|at| at.duration_since(now.wall).max(jiff::SignedDuration::ZERO).unsigned_abs());
        self.timers.set(Timer::Schedules, now.instant + until.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN));
    }
}

/// What the calendars say that agents' schedules name. `known` is not worked out again where it still holds.
pub(super) fn hours(
    settings: &Settings,
    plans: &Plans,
    known: &BTreeMap<String, Hours>,
    now: Now,
) -> BTreeMap<String, Hours> {
    let mut hours = BTreeMap::new();
    for name in settings.agents.iter().flat_map(|agent| agent.schedules.values()) {
        if hours.contains_key(name) {
            continue;
        }
        // The configuration was checked: there is such a calendar.
        let Some(calendar) = plans.names().calendars.get(name) else { continue };
        let open = calendar.is_open(now.wall);
        let holds = |known: &&Hours| known.open == open && known.changes_at.is_none_or(|at| at > now.wall);
        let told = known.get(name).filter(holds).copied();
        let told = told.unwrap_or_else(|| Hours { open, changes_at: calendar.changes_after(now.wall) });
        hours.insert(name.clone(), told);
    }
    hours
}

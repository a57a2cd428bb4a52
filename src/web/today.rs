//! The figures of today, live: what has ended since midnight where the centre is, and what agents have done until now.
//! The engine's thread only notes facts; who reads adds them up.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::metrics::TODAY_MISSED;
use crate::record::CallRecord;
use crate::report::{By, Interval, Query, ReportError, Sums, Tally, Terms, figures_of};
use crate::shift::AgentChange;
use crate::time::Wall;

/// Facts that wait to be added up; what goes beyond is missing in the figures of the day. They are looked at every few seconds.
const MOST_FACTS: usize = 100_000;

enum Fact {
    Ended(Box<CallRecord>),
    Agents(Vec<AgentChange>),
}

/// Figures by queue and by agent.
pub struct Today {
    zone: TimeZone,
    facts: Mutex<Vec<Fact>>,
    day: Mutex<Option<Day>>,
}

struct Day {
    until: Wall,
    queues: Tally,
    agents: Tally,
}

impl Today {
    pub fn new(zone: TimeZone) -> Today {
        Today { zone, facts: Mutex::default(), day: Mutex::default() }
    }

    pub fn ended(&self, record: &CallRecord) {
        self.note(Fact::Ended(Box::new(record.clone())));
    }

    pub fn agents(&self, changes: &[AgentChange]) {
        self.note(Fact::Agents(changes.to_vec()));
    }

    fn note(&self, fact: Fact) {
        let mut facts = lock(&self.facts);
        if facts.len() < MOST_FACTS {
            facts.push(fact);
        } else {
            missed(1);
        }
    }

    /// What to read of the store for the hours before the process began, by queue and by agent.
    pub fn earlier(&self, started: Wall) -> Result<[Query; 2], ReportError> {
        let (from, until) = self.bounds(started)?;
        Ok([By::Queue, By::Agent].map(|by| query(by, from, until, &self.zone)))
    }

    /// Adds what happened before the process began.
    pub fn take_in(&self, queues: &Tally, agents: &Tally, now: Wall) -> Result<(), ReportError> {
        let mut day = lock(&self.day);
        let day = self.bring_up(&mut day, now)?;
        // Read before midnight, it is no longer of today.
        if queues.query().from == day.queues.query().from {
            day.queues.join(queues)?;
            day.agents.join(agents)?;
        }
        Ok(())
    }

    /// Adds up what was noted since the last time.
    pub fn settle(&self, now: Wall) {
        if let Err(error) = self.bring_up(&mut lock(&self.day), now).map(|_| ()) {
            tracing::error!("the figures of the day cannot be added up: {error}");
        }
    }

    /// By queue.
    pub fn queues(&self, now: Wall) -> BTreeMap<String, Sums> {
        self.totals(now, |day| &day.queues)
    }

    /// By agent.
    pub fn by_agent(&self, now: Wall) -> BTreeMap<String, Sums> {
        self.totals(now, |day| &day.agents)
    }

    fn totals(&self, now: Wall, of: impl Fn(&Day) -> &Tally) -> BTreeMap<String, Sums> {
        let mut day = lock(&self.day);
        let totals = match self.bring_up(&mut day, now) {
            Ok(day) => of(day).totals(),
            Err(error) => {
                tracing::error!("the figures of the day cannot be added up: {error}");
                return BTreeMap::new();
            }
        };
        let named = totals.into_iter().filter_map(|(key, sums)| Some((key?, sums)));
        // The wrap-up of a call is not in its record yet.
        named.map(|(key, sums)| (key, Sums { acw_ms: sums.wrap_up_ms, ..sums })).collect()
    }

    fn bounds(&self, at: Wall) -> Result<(Wall, Wall), ReportError> {
        let midnight = at.to_zoned_datetime(self.zone.clone()).start_of_day()?;
        Ok((midnight.timestamp(), midnight.tomorrow()?.start_of_day()?.timestamp()))
    }

    fn bring_up<'a>(&self, day: &'a mut Option<Day>, now: Wall) -> Result<&'a mut Day, ReportError> {
        let facts = std::mem::take(&mut *lock(&self.facts));
        let mut current = match day.take() {
            Some(day) => day,
            None => self.begin(now)?,
        };
        let untaken: Vec<ReportError> = facts.into_iter().filter_map(|fact| current.add(fact).err()).collect();
        if let Some(error) = untaken.first() {
            tracing::error!("missing in the figures of the day: {} calls or changes of agents: {error}", untaken.len());
            missed(untaken.len());
        }
        if now >= current.until {
            let (from, until) = self.bounds(now)?;
            let queues = current.queues.next(query(By::Queue, from, until, &self.zone))?;
            let agents = current.agents.next(query(By::Agent, from, until, &self.zone))?;
            current = Day { until, queues, agents };
        }
        let day = day.insert(current);
        day.queues.settle(now)?;
        day.agents.settle(now)?;
        Ok(day)
    }

    fn begin(&self, now: Wall) -> Result<Day, ReportError> {
        let (from, until) = self.bounds(now)?;
        let tally = |by| Tally::new(query(by, from, until, &self.zone));
        Ok(Day { until, queues: tally(By::Queue)?, agents: tally(By::Agent)? })
    }
}

impl Day {
    /// What cannot be added leaves the rest of the day as it is.
    fn add(&mut self, fact: Fact) -> Result<(), ReportError> {
        match fact {
            // One that came in yesterday is of no line of today.
            Fact::Ended(record) => self.queues.call(&record).and(self.agents.call(&record)),
            Fact::Agents(changes) => changes
                .into_iter()
                .map(|change| self.queues.agent(change.clone()).and(self.agents.agent(change)))
                .fold(Ok(()), Result::and),
        }
    }
}

fn missed(facts: usize) {
    metrics::counter!(TODAY_MISSED).increment(facts as u64);
}

fn query(by: By, from: Wall, until: Wall, zone: &TimeZone) -> Query {
    let terms = Terms::default();
    Query { from, until, interval: Interval::Day, by, only: None, terms, zone: zone.clone() }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Of an agent, what does not take a call to tell.
const OF_AGENTS: &[&str] = &[
    "handled",
    "aht_ms",
    "aht_talk_ms",
    "aht_hold_ms",
    "aht_acw_ms",
    "occupancy",
    "staffed_ms",
    "paused_ms",
    "offers",
    "unanswered",
    "non_response",
];

pub fn of_queue(sums: Option<&Sums>) -> Map<String, Value> {
    figures_of(sums.unwrap_or(&Sums::default()))
}

pub fn of_agent(sums: Option<&Sums>) -> Map<String, Value> {
    let mut figures = of_queue(sums);
    figures.retain(|name, _| OF_AGENTS.contains(&name.as_str()));
    figures
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::ids::CallId;
    use crate::record::{Outcome, QueueVisit, VisitEnd};
    use crate::report::MOST_CELLS;

    fn waited_in(queue: &str, at: Wall) -> CallRecord {
        let visit = QueueVisit {
            queue: queue.into(),
            waiting_since: at,
            counted_ms: 0,
            wait_ms: Some(1_000),
            end: Some(VisitEnd::Answered),
            agent: None,
            target_ms: 20_000,
            skills: Default::default(),
            estimate_ms: None,
        };
        let outcome = Some(Outcome::Handled);
        CallRecord { outcome, visits: vec![visit], ..CallRecord::new(CallId(1), "33155501", "610", at) }
    }

    #[test]
    fn one_record_too_many_costs_the_day_no_other() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let at: Wall = "2026-03-02T09:00:00Z".parse().unwrap();
        let today = Today::new(TimeZone::UTC);
        metrics::with_local_recorder(&recorder, || {
            today.ended(&waited_in("sales", at));
            (1..=MOST_CELLS).for_each(|n| today.ended(&waited_in(&format!("queue-{n}"), at)));
            today.settle(at);
            today.ended(&waited_in("sales", at));
            today.ended(&waited_in("another", at));
            let queues = today.queues(at);
            assert_eq!((queues.len(), queues["sales"].handled), (MOST_CELLS, 2));
        });
        let page = recorder.handle().render();
        assert!(page.lines().any(|line| line == format!("{TODAY_MISSED} 2")), "{page}");
    }
}

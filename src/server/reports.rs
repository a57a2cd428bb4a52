//! Reports out of the store.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use jiff::tz::TimeZone;

use crate::report::{Query, Report, ReportError, Tally};
use crate::store::{StoreError, read_agent_changes, read_records_between};
use crate::time::Wall;
use crate::web::reports::{LONGEST, ReportFailure};
use crate::web::{Archives, Today};

/// The records of a data folder.
#[derive(Clone)]
pub struct Reports {
    pub data: PathBuf,
    /// As it was at the start.
    pub zone: TimeZone,
}

impl Archives for Reports {
    fn report(&self, query: Query) -> Result<Report, ReportFailure> {
        let give_up = Instant::now() + LONGEST;
        let mut tally = Tally::new(query)?;
        let now = Wall::now();
        let cut = |slow: bool| if slow { Err(ReportFailure::TooSlow) } else { Ok(()) };
        self.read(std::slice::from_mut(&mut tally), now, || cut(Instant::now() >= give_up))?;
        Ok(tally.finish(now)?)
    }

    fn time_zone(&self) -> TimeZone {
        self.zone.clone()
    }
}

impl From<StoreError> for ReportFailure {
    fn from(error: StoreError) -> ReportFailure {
        ReportFailure::Store(error.to_string())
    }
}

impl Reports {
    /// Gives each tally what ended, and what agents did, before `now`; `go_on` is asked between two records.
    fn read(
        &self,
        tallies: &mut [Tally],
        now: Wall,
        go_on: impl Fn() -> Result<(), ReportFailure>,
    ) -> Result<(), ReportFailure> {
        let Some(Query { from, until, .. }) = tallies.first().map(Tally::query).cloned() else { return Ok(()) };
        let until = until.min(now);
        let mut failed: Option<ReportFailure> = None;
        let mut take = |done: Result<(), ReportFailure>| match done {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        };
        let each = |tallies: &mut [Tally], add: &dyn Fn(&mut Tally) -> Result<(), ReportError>| {
            go_on().and_then(|()| Ok(tallies.iter_mut().try_for_each(add)?))
        };
        let unreadable = read_records_between(&self.data, from, until, |record| {
            let over = record.ended_at.is_some_and(|at| at < now);
            take(if over { each(tallies, &|tally| tally.call(&record)) } else { Ok(()) })
        })?;
        if unreadable > 0 {
            tracing::warn!(unreadable, "records that are not understood are missing in a report");
        }
        read_agent_changes(&self.data, from, until, |change| {
            take(each(tallies, &|tally| tally.agent(change.clone())))
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// What has happened today before the process began is added while it runs.
    pub fn seed(&self, today: &Arc<Today>, started: Wall) -> std::io::Result<()> {
        let (reports, today) = (self.clone(), today.clone());
        let work = move || {
            if let Err(error) = reports.earlier(&today, started, Wall::now) {
                tracing::error!("the figures of the day begin at the start: {error}");
            }
        };
        std::thread::Builder::new().name("figures".to_owned()).spawn(work).map(drop)
    }

    /// `now` is asked when all is read.
    fn earlier(&self, today: &Today, started: Wall, now: impl Fn() -> Wall) -> Result<(), ReportFailure> {
        let mut tallies = Vec::new();
        for query in today.earlier(started)? {
            tallies.push(Tally::new(query)?);
        }
        self.read(&mut tallies, started, || Ok(()))?;
        if let [queues, agents] = tallies.as_slice() {
            today.take_in(queues, agents, now())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::CallId;
    use crate::record::{CallRecord, Outcome, Party};
    use crate::report::{By, Interval, Terms};
    use crate::shift::{AgentChange, Cause, Membership};
    use crate::store::{Entry, Store};
    use crate::views::AgentState;

    fn record(n: u128, started_at: Wall) -> CallRecord {
        CallRecord {
            answered_at: Some(started_at),
            ended_at: Some(started_at),
            outcome: Some(Outcome::Handled),
            ended_by: Some(Party::Caller),
            queue: Some("sales".into()),
            agent: Some("201".into()),
            wait_ms: Some(4_000),
            talk_ms: Some(60_000),
            hold_ms: Some(0),
            ..CallRecord::new(CallId::new(started_at.as_millisecond(), n), "33155501", "610", started_at)
        }
    }

    fn change(at: Wall, state: AgentState, cause: Cause) -> AgentChange {
        let member_of = Membership { queues: vec!["sales".into()], skills: Default::default() };
        AgentChange {
            agent: "201".into(),
            at,
            state,
            cause,
            reason: None,
            call_id: (state == AgentState::Talking).then_some(CallId(1)),
            queue: (state == AgentState::Talking).then(|| "sales".into()),
            member_of: (cause == Cause::PhoneRegistered).then_some(member_of),
            resume: None,
            wanted: None,
        }
    }

    fn reports(data: &tempfile::TempDir) -> Reports {
        Reports { data: data.path().to_owned(), zone: TimeZone::get("Europe/Paris").unwrap() }
    }

    fn minutes(minutes: i64) -> jiff::SignedDuration {
        jiff::SignedDuration::from_mins(minutes)
    }

    /// A morning in the store: three calls, one of them with its wrap-up, and an agent who talked for ten minutes.
    fn morning(begin: Wall) -> (tempfile::TempDir, Store) {
        let data = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(data.path()).unwrap();
        let calls: Vec<CallRecord> = (0..3).map(|n| record(n, begin + minutes(10 * n as i64))).collect();
        store.append(Entry::Agents(vec![change(begin, AgentState::Available, Cause::PhoneRegistered)]));
        store.append(Entry::Agents(vec![change(begin + minutes(10), AgentState::Talking, Cause::Answered)]));
        store.append(Entry::Agents(vec![change(begin + minutes(20), AgentState::LoggedOut, Cause::PhoneLost)]));
        store.append(Entry::Completed { call_id: calls[0].call_id, acw_ms: 15_000 });
        calls.into_iter().for_each(|record| store.append(Entry::Ended(Box::new(record))));
        (data, store)
    }

    #[test]
    fn a_report_is_made_of_what_the_store_holds_moved_or_not() {
        let begin: Wall = "2026-03-02T08:00:00Z".parse().unwrap();
        let (data, store) = morning(begin);
        let query = Query {
            from: begin,
            until: begin + minutes(60),
            interval: Interval::Quarter,
            by: By::Queue,
            only: None,
            terms: Terms::default(),
            zone: TimeZone::UTC,
        };
        let spooled = reports(&data).report(query.clone()).unwrap();
        store.close();
        let moved = reports(&data).report(query).unwrap();
        assert_eq!(spooled, moved);
        let total = &moved.totals[0].sums;
        assert_eq!((total.handled, total.answered_in_time, total.acw_ms), (3, 3, 15_000));
        assert_eq!((total.available_ms, total.talking_ms), (600_000, 600_000));
        let talking: Vec<u64> = moved.lines.iter().map(|line| line.sums.talking_ms).collect();
        assert_eq!(talking, [300_000, 300_000]);
        let handled: Vec<u64> = moved.lines.iter().map(|line| line.sums.handled).collect();
        assert_eq!(handled, [2, 1]);
    }

    #[test]
    fn the_figures_of_the_day_go_on_after_a_restart() {
        let started: Wall = "2026-03-02T15:00:00Z".parse().unwrap();
        let today = Today::new(TimeZone::UTC);
        let midnight = today.earlier(started).unwrap()[0].from;
        let (data, mut store) = morning(midnight);
        // A call of the new process is noted live, and is in the store as well.
        let live = CallRecord { ended_at: Some(started + minutes(1)), ..record(9, midnight) };
        store.append(Entry::Ended(Box::new(live.clone())));
        today.ended(&live);
        let read = started + minutes(2);
        assert_eq!(today.queues(read)["sales"].handled, 1);
        reports(&data).earlier(&today, started, || read).unwrap();
        let sums = &today.queues(read)["sales"];
        assert_eq!((sums.handled, sums.talking_ms), (4, 600_000));
    }
}

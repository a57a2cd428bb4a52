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
            if let Err(error) = reports.earlier(&today, started) {
                tracing::error!("the figures of the day begin at the start: {error}");
            }
        };
        std::thread::Builder::new().name("figures".to_owned()).spawn(work).map(drop)
    }

    fn earlier(&self, today: &Today, started: Wall) -> Result<(), ReportFailure> {
        let mut tallies = Vec::new();
        for query in today.earlier(started)? {
            tallies.push(Tally::new(query)?);
        }
        self.read(&mut tallies, started, || Ok(()))?;
        if let [queues, agents] = tallies.as_slice() {
            today.take_in(queues, agents, Wall::now())?;
        }
        Ok(())
    }
}

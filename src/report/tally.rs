//! Adding up.

use std::collections::{BTreeMap, HashMap};

use super::calls::contributions;
use super::grid::Grid;
use super::lines::{Line, Report};
use super::sums::Sums;
use super::times::{Spell, event};
use super::{Query, ReportError};
use crate::ids::AgentId;
use crate::record::CallRecord;
use crate::shift::{AgentChange, Cause};
use crate::time::Wall;
use crate::views::AgentState;

/// Lines of a report, some 30 MB. A year by day of 100 queues has 36,500.
pub const MOST_CELLS: usize = 50_000;

/// A report that is being made. It is given records in any order, and changes of agents in the order in which they were.
#[derive(Clone, Debug)]
pub struct Tally {
    query: Query,
    grid: Grid,
    cells: BTreeMap<(usize, Option<String>), Sums>,
    agents: HashMap<AgentId, Spell>,
}

impl Tally {
    pub fn new(query: Query) -> Result<Tally, ReportError> {
        let grid = Grid::new(query.from, query.until, query.interval, &query.zone)?;
        Ok(Tally { query, grid, cells: BTreeMap::new(), agents: HashMap::new() })
    }

    pub fn query(&self) -> &Query {
        &self.query
    }

    /// A call that has ended. One that came in at another time adds nothing.
    pub fn call(&mut self, record: &CallRecord) -> Result<(), ReportError> {
        let Some(interval) = self.grid.at(record.started_at) else { return Ok(()) };
        for (key, sums) in contributions(record, self.query.by, &self.query.terms) {
            self.add(interval, key, &sums)?;
        }
        Ok(())
    }

    /// What an agent went into; also before the report begins, for what they are doing then.
    pub fn agent(&mut self, change: AgentChange) -> Result<(), ReportError> {
        let (at, cause, by) = (change.at, change.cause, self.query.by);
        let before = self.agents.remove(&change.agent);
        let mut keys = Vec::new();
        if let Some(before) = &before {
            self.spend(before, at)?;
            // An offer that failed was of the state before.
            keys = before.lines(by);
        }
        let now = Spell::after(before, change);
        if cause == Cause::Offered {
            keys = now.lines(by);
        }
        if let Some((sums, interval)) = event(cause).zip(self.grid.at(at)) {
            keys.into_iter().try_for_each(|key| self.add(interval, key, &sums))?;
        }
        self.agents.insert(now.last.agent.clone(), now);
        Ok(())
    }

    /// What agents are doing has gone on until `now`.
    pub fn settle(&mut self, now: Wall) -> Result<(), ReportError> {
        let mut agents = std::mem::take(&mut self.agents);
        let spent = agents.values_mut().try_for_each(|spell| {
            self.spend(spell, now)?;
            spell.since = spell.since.max(now);
            Ok(())
        });
        self.agents = agents;
        spent
    }

    fn spend(&mut self, spell: &Spell, until: Wall) -> Result<(), ReportError> {
        if spell.last.state == AgentState::LoggedOut {
            return Ok(());
        }
        let pieces: Vec<(usize, u64)> = self.grid.pieces(spell.since, until).collect();
        for key in spell.lines(self.query.by) {
            for (interval, ms) in &pieces {
                self.add(*interval, key.clone(), &spell.time(*ms))?;
            }
        }
        Ok(())
    }

    fn add(&mut self, interval: usize, key: Option<String>, sums: &Sums) -> Result<(), ReportError> {
        if self.query.only.is_some() && key != self.query.only {
            return Ok(());
        }
        let full = self.cells.len() >= MOST_CELLS;
        match self.cells.entry((interval, key)) {
            std::collections::btree_map::Entry::Vacant(_) if full => {
                Err(ReportError::TooManyLines { by: self.query.by })
            }
            entry => {
                entry.or_default().add(sums);
                Ok(())
            }
        }
    }

    /// Adds what another tally of the same query has counted.
    pub fn join(&mut self, other: &Tally) -> Result<(), ReportError> {
        other.cells.iter().try_for_each(|((interval, key), sums)| self.add(*interval, key.clone(), sums))
    }

    /// The same agents at work, and nothing counted yet: the next day.
    pub fn next(self, query: Query) -> Result<Tally, ReportError> {
        Ok(Tally { agents: self.agents, ..Tally::new(query)? })
    }

    /// The sums of the whole time by line.
    pub fn totals(&self) -> BTreeMap<Option<String>, Sums> {
        let mut totals: BTreeMap<Option<String>, Sums> = BTreeMap::new();
        for ((_, key), sums) in &self.cells {
            totals.entry(key.clone()).or_default().add(sums);
        }
        totals
    }

    /// Agents are taken to have gone on until `now`. An interval in which nothing happened has no line.
    pub fn finish(mut self, now: Wall) -> Result<Report, ReportError> {
        self.settle(now)?;
        let (from, until) = self.grid.span();
        let totals = self.totals().into_iter().map(|(key, sums)| Line { from, until, key, sums }).collect();
        let lines = self.cells.into_iter().filter_map(|((interval, key), sums)| {
            let (from, until) = self.grid.bounds(interval)?;
            Some(Line { from, until, key, sums })
        });
        Ok(Report { lines: lines.collect(), totals, query: self.query })
    }
}

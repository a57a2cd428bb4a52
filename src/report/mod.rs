//! The figures of the centre, by interval: per queue, agent, skill and dialled number. `FIGURES` names each one, in English
//! and French, with its formula.
//!
//! A call counts in the interval in which it came in, once it has ended. The time of agents is split over the intervals
//! in which it was spent. Everything is a sum, so that intervals add up to the day.

mod calls;
mod figures;
mod grid;
mod lines;
mod sums;
mod tally;
mod times;

#[cfg(test)]
mod tests;

pub use figures::{FIGURES, Figure, Unit, Value, page};
pub use grid::{Interval, MOST_INTERVALS};
pub use lines::{Heading, Line, Report, figures as figures_of};
pub use sums::Sums;
pub use tally::{MOST_CELLS, Tally};

use jiff::tz::TimeZone;

use crate::time::Wall;

/// What the lines of a report are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// One line for the whole centre.
    All,
    Queue,
    Agent,
    Skill,
    /// The number that was dialled.
    Number,
}

impl By {
    pub const ALL: [By; 5] = [By::All, By::Queue, By::Agent, By::Skill, By::Number];

    pub fn name(self) -> &'static str {
        match self {
            By::All => "all",
            By::Queue => "queue",
            By::Agent => "agent",
            By::Skill => "skill",
            By::Number => "number",
        }
    }
}

/// How waits are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The target of the service level; each queue's own, as it was at the time of the call, when `None`.
    pub within_ms: Option<u64>,
    /// Who gives up sooner than this is counted apart.
    pub short_ms: u64,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms { within_ms: None, short_ms: 5_000 }
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub from: Wall,
    /// The first moment that is no longer part of it.
    pub until: Wall,
    pub interval: Interval,
    pub by: By,
    /// One line only: this queue, agent, skill or number.
    pub only: Option<String>,
    pub terms: Terms,
    /// Where the centre's days begin.
    pub zone: TimeZone,
}

#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("'from' is {from} and 'to' is {until}; 'to' must be later")]
    Backwards { from: Wall, until: Wall },
    #[error(
        "there are more than {MOST_INTERVALS} intervals of {} minutes from 'from' to 'to'; ask for fewer days, or for \
         interval=day",
        interval.name()
    )]
    TooManyIntervals { interval: Interval },
    #[error(
        "the report would have more than {MOST_CELLS} lines; ask for fewer days, for a longer interval, or for one \
         {} by '{}='", by.name(), by.name()
    )]
    TooManyLines { by: By },
    #[error("the time is out of reach: {0}; ask for a time in this century")]
    Time(#[from] jiff::Error),
}

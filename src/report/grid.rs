//! The intervals of a report.

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::ReportError;
use crate::time::Wall;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    Quarter,
    Half,
    Hour,
    Day,
}

impl Interval {
    pub const ALL: [Interval; 4] = [Interval::Quarter, Interval::Half, Interval::Hour, Interval::Day];

    /// In minutes, or `day`.
    pub fn name(self) -> &'static str {
        match self {
            Interval::Quarter => "15",
            Interval::Half => "30",
            Interval::Hour => "60",
            Interval::Day => "day",
        }
    }

    /// `None`: as long as the day, which is not always 24 hours.
    fn length(self) -> Option<SignedDuration> {
        match self {
            Interval::Quarter => Some(SignedDuration::from_mins(15)),
            Interval::Half => Some(SignedDuration::from_mins(30)),
            Interval::Hour => Some(SignedDuration::from_hours(1)),
            Interval::Day => None,
        }
    }
}

/// A year by quarters of an hour has 35,136 intervals.
pub const MOST_INTERVALS: usize = 40_000;

/// Intervals that follow each other without a gap. Each day begins anew at midnight where the centre is: on a day on
/// which the clocks change there are more or fewer, and where the change is no multiple of the interval the last one of
/// the day is shorter. The first and the last are cut to what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    starts: Vec<Wall>,
    until: Wall,
}

impl Grid {
    pub(super) fn new(from: Wall, until: Wall, interval: Interval, zone: &TimeZone) -> Result<Grid, ReportError> {
        if until <= from {
            return Err(ReportError::Backwards { from, until });
        }
        let mut starts = Vec::new();
        let mut date = from.to_zoned_datetime(zone.clone()).date();
        let midnight = |date: jiff::civil::Date| date.to_zoned_datetime(zone.clone()).map(|zoned| zoned.timestamp());
        let mut start = midnight(date)?;
        while start < until {
            date = date.tomorrow()?;
            let day_end = midnight(date)?;
            while start < day_end.min(until) {
                let next = interval.length().map_or(day_end, |length| (start + length).min(day_end));
                if next > from {
                    if starts.len() >= MOST_INTERVALS {
                        return Err(ReportError::TooManyIntervals { interval });
                    }
                    starts.push(start.max(from));
                }
                start = next;
            }
        }
        Ok(Grid { starts, until })
    }

    /// The interval in which a moment lies.
    pub(super) fn at(&self, at: Wall) -> Option<usize> {
        let after = self.starts.partition_point(|start| *start <= at);
        after.checked_sub(1).filter(|_| at < self.until)
    }

    pub(super) fn bounds(&self, interval: usize) -> Option<(Wall, Wall)> {
        let start = *self.starts.get(interval)?;
        Some((start, self.starts.get(interval + 1).copied().unwrap_or(self.until)))
    }

    /// The whole of it.
    pub(super) fn span(&self) -> (Wall, Wall) {
        (self.starts.first().copied().unwrap_or(self.until), self.until)
    }

    /// The pieces of a stretch of time, by interval, in milliseconds.
    pub(super) fn pieces(&self, from: Wall, until: Wall) -> impl Iterator<Item = (usize, u64)> {
        let (first, last) = self.span();
        let (from, until) = (from.max(first), until.min(last));
        let begin = self.at(from).unwrap_or(self.starts.len());
        (begin..self.starts.len()).map_while(move |interval| {
            let (start, end) = self.bounds(interval)?;
            let ms = end.min(until).as_millisecond() - start.max(from).as_millisecond();
            u64::try_from(ms).ok().filter(|ms| *ms > 0).map(|ms| (interval, ms))
        })
    }
}

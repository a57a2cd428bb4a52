//! Whether a calendar is open at a moment, why, and when it opens next.

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::{Calendar, Hours};
use crate::time::Wall;

/// Nobody is told of an opening that is further away.
const HORIZON_DAYS: i64 = 400;

/// What a calendar says of a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening<'c> {
    pub open: bool,
    pub reason: Reason<'c>,
    /// When it opens next, where it is closed.
    pub opens: Option<Wall>,
}

/// What decides about a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason<'c> {
    /// The weekly hours.
    Hours,
    /// A holiday, by its name.
    Holiday(&'c str),
    Exception,
}

impl Calendar {
    /// By the local clock: at a change to summer time the hour that does not exist is nobody's, and the hour that
    /// comes twice is open both times. A calendar whose zone is unknown is closed.
    pub fn opening(&self, at: Wall) -> Opening<'_> {
        let Ok(zone) = TimeZone::get(&self.time_zone) else {
            return Opening { open: false, reason: Reason::Hours, opens: None };
        };
        let (open, reason) = self.state(zone.to_datetime(at));
        let opens = if open { None } else { self.next_opening(at, &zone) };
        Opening { open, reason, opens }
    }

    pub fn is_open(&self, at: Wall) -> bool {
        TimeZone::get(&self.time_zone).is_ok_and(|zone| self.state(zone.to_datetime(at)).0)
    }

    /// When it next opens or closes after a moment; `None` where it does not within 400 days.
    pub fn changes_after(&self, now: Wall) -> Option<Wall> {
        let zone = TimeZone::get(&self.time_zone).ok()?;
        let open = |at: Wall| self.state(zone.to_datetime(at)).0;
        let (is_open, end) = (open(now), now.checked_add(SignedDuration::from_hours(24 * HORIZON_DAYS)).ok()?);
        let changes = |at: &Wall| *at > now && *at <= end && open(*at) != is_open;
        let jump = zone.following(now).map(|change| change.timestamp()).take_while(|at| *at <= end).find(changes);
        let mut date = zone.to_datetime(now).date();
        for _ in 0..=HORIZON_DAYS {
            let first = self.turns(date).flat_map(|minute| moments(date, minute, &zone)).filter(changes).min();
            if let Some(first) = first {
                return Some(jump.map_or(first, |jump| jump.min(first)));
            }
            date = date.tomorrow().ok()?;
        }
        jump
    }

    /// The minutes of a day at which it may open or close: where hours begin and end, those of the night before included,
    /// and midnight.
    fn turns(&self, date: Date) -> impl Iterator<Item = u16> {
        let today = self.day(date).0.iter();
        let today = today.flat_map(|hours| [Some(hours.from), (!hours.is_overnight()).then_some(hours.to)]);
        let yesterday = date.yesterday().map(|date| self.day(date).0).unwrap_or_default();
        let night = yesterday.iter().filter(|hours| hours.is_overnight()).map(|hours| hours.to);
        // The end of the day is the next one's midnight.
        today.flatten().chain(night).chain([0]).filter(|minute| *minute < Hours::DAY)
    }

    /// Whether there is a day on which it opens at all.
    pub fn ever_opens(&self) -> bool {
        self.weekly.iter().any(|hours| !hours.is_empty())
            || self.exceptions.values().any(|hours| !hours.is_empty())
            || self.holidays.iter().any(|holiday| !holiday.hours.is_empty())
    }

    /// The hours of a day and what gave them: exceptions come before holidays, and these before the week.
    fn day(&self, date: Date) -> (&[Hours], Reason<'_>) {
        if let Some(hours) = self.exceptions.get(&date) {
            return (hours, Reason::Exception);
        }
        if let Some(holiday) = self.holidays.iter().find(|holiday| holiday.day.is_on(date)) {
            return (&holiday.hours, Reason::Holiday(&holiday.name));
        }
        let day = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0);
        (self.weekly.get(day).map(Vec::as_slice).unwrap_or_default(), Reason::Hours)
    }

    fn state(&self, local: DateTime) -> (bool, Reason<'_>) {
        let minute = u16::try_from(local.hour()).unwrap_or(0) * 60 + u16::try_from(local.minute()).unwrap_or(0);
        let (today, reason) = self.day(local.date());
        let open_today = today.iter().any(|hours| match hours.is_overnight() {
            true => minute >= hours.from,
            false => (hours.from..hours.to).contains(&minute),
        });
        if open_today {
            return (true, reason);
        }
        if let Ok(yesterday) = local.date().yesterday() {
            let (hours, of_yesterday) = self.day(yesterday);
            if hours.iter().any(|hours| hours.is_overnight() && minute < hours.to) {
                return (true, of_yesterday);
            }
        }
        (false, reason)
    }

    /// A closed calendar opens where a range of hours begins, or where the clock jumps into one.
    fn next_opening(&self, now: Wall, zone: &TimeZone) -> Option<Wall> {
        if !self.ever_opens() {
            return None;
        }
        let end = now.checked_add(SignedDuration::from_hours(24 * HORIZON_DAYS)).ok()?;
        let open = |at: &Wall| *at > now && *at <= end && self.state(zone.to_datetime(*at)).0;
        let jump = zone.following(now).map(|change| change.timestamp()).take_while(|at| *at <= end).find(open);
        let mut date = zone.to_datetime(now).date();
        for _ in 0..=HORIZON_DAYS {
            let begins = self.day(date).0.iter().flat_map(|hours| moments(date, hours.from, zone));
            if let Some(first) = begins.filter(open).min() {
                return Some(jump.map_or(first, |jump| jump.min(first)));
            }
            date = date.tomorrow().ok()?;
        }
        jump
    }
}

/// When a local clock shows this minute of a day: once, twice, or never.
fn moments(date: Date, minute: u16, zone: &TimeZone) -> Vec<Timestamp> {
    let (hour, minute) = (i8::try_from(minute / 60).unwrap_or(0), i8::try_from(minute % 60).unwrap_or(0));
    let local = date.at(hour, minute, 0, 0);
    let offsets = match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => vec![offset],
        AmbiguousOffset::Fold { before, after } => vec![before, after],
        AmbiguousOffset::Gap { .. } => Vec::new(),
    };
    offsets.into_iter().filter_map(|offset| offset.to_timestamp(local).ok()).collect()
}

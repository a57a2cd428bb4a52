//! `calendar`: whether the centre is open now.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::Inputs;
use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use crate::time::Wall;

pub const SPEC: Spec = Spec {
    name: "calendar",
    summary: "Tells whether a calendar is open at this moment.",
    inputs: &[Input { name: "calendar", kind: Kind::Calendar, need: Need::Required, doc: "which calendar" }],
    outputs: &[Output { name: "state", kind: OutputKind::Word(&["open", "closed"]), doc: "`open` or `closed`" }],
    ends: Ends::Never,
    free_inputs: false,
};

/// Opening hours of a week in a time zone, and the days that are otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// An IANA name: `Europe/Paris`.
    pub time_zone: String,
    /// Monday first.
    pub weekly: [Vec<Hours>; 7],
    /// Days with hours of their own; none of them is a day off.
    pub exceptions: BTreeMap<Date, Vec<Hours>>,
}

/// From a minute of the day up to another one, which it does not include. An end that is not after the beginning is
/// meant on the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    pub from: u16,
    pub to: u16,
}

impl Hours {
    const DAY: u16 = 24 * 60;

    /// `09:00-18:00`; `24:00` is the end of the day.
    pub fn parse(text: &str) -> Option<Hours> {
        let minute = |time: &str| -> Option<u16> {
            let (hour, minute) = time.trim().split_once(':')?;
            let two_digits = |part: &str| (part.len() <= 2 && part.bytes().all(|b| b.is_ascii_digit())).then_some(());
            two_digits(hour)?;
            two_digits(minute)?;
            let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
            let whole = hour * 60 + minute;
            (minute < 60 && whole <= Self::DAY).then_some(whole)
        };
        let (from, to) = text.split_once('-')?;
        let (from, to) = (minute(from)?, minute(to)?);
        (from < Self::DAY).then_some(Hours { from, to })
    }

    fn is_overnight(self) -> bool {
        self.to <= self.from
    }
}

impl Calendar {
    /// Whether there is such a time zone.
    pub fn knows_zone(name: &str) -> bool {
        TimeZone::get(name).is_ok()
    }

    /// By the local clock: at a change to summer time the hour that does not exist is nobody's, and the hour that
    /// comes twice is open both times. A calendar whose zone is unknown is closed.
    pub fn is_open(&self, at: Wall) -> bool {
        let Ok(zone) = TimeZone::get(&self.time_zone) else { return false };
        let local = zone.to_datetime(at);
        let minute = u16::try_from(local.hour()).unwrap_or(0) * 60 + u16::try_from(local.minute()).unwrap_or(0);
        let today = self.hours(local.date()).iter().any(|hours| match hours.is_overnight() {
            true => minute >= hours.from,
            false => (hours.from..hours.to).contains(&minute),
        });
        let from_yesterday = local
            .date()
            .yesterday()
            .is_ok_and(|yesterday| self.hours(yesterday).iter().any(|hours| hours.is_overnight() && minute < hours.to));
        today || from_yesterday
    }

    fn hours(&self, date: Date) -> &[Hours] {
        let day = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0);
        let weekly = self.weekly.get(day).map(Vec::as_slice).unwrap_or_default();
        self.exceptions.get(&date).map_or(weekly, Vec::as_slice)
    }

    /// The days of `mon`, `mon-fri`, `sat-mon`, counted from Monday.
    pub fn days(text: &str) -> Option<BTreeSet<usize>> {
        const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let day = |name: &str| NAMES.iter().position(|known| known.eq_ignore_ascii_case(name.trim()));
        let (first, last) = match text.split_once('-') {
            Some((first, last)) => (day(first)?, day(last)?),
            None => (day(text)?, day(text)?),
        };
        let count = (last + 7 - first) % 7;
        Some((0..=count).map(|step| (first + step) % 7).collect())
    }
}

pub(super) fn run(inputs: &Inputs, step: &mut Step<'_>) -> Done {
    let calendar = inputs.text("calendar").and_then(|name| step.names.calendars.get(name));
    let open = calendar.is_some_and(|calendar| calendar.is_open(step.wall));
    let state = if open { "open" } else { "closed" };
    Done::Next { result: state.to_owned(), outputs: vec![("state", state.into())] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn support() -> Calendar {
        let mut calendar = Calendar { time_zone: "Europe/Paris".to_owned(), ..Calendar::default() };
        for day in Calendar::days("mon-fri").unwrap() {
            calendar.weekly[day] = vec![Hours::parse("09:00-18:00").unwrap()];
        }
        calendar.exceptions.insert("2026-12-25".parse().unwrap(), Vec::new());
        calendar.exceptions.insert("2026-12-26".parse().unwrap(), vec![Hours::parse("10:00-12:00").unwrap()]);
        calendar
    }

    #[test]
    fn a_week_in_paris() {
        for (at, open) in [
            ("2026-11-25T11:00:00+01:00", true),
            ("2026-11-25T03:00:00+01:00", false),
            ("2026-11-25T09:00:00+01:00", true),
            ("2026-11-25T08:59:59+01:00", false),
            ("2026-11-25T18:00:00+01:00", false),
            ("2026-11-25T16:59:59Z", true),
            ("2026-11-28T11:00:00+01:00", false),
            ("2026-12-25T11:00:00+01:00", false),
            ("2026-12-26T11:00:00+01:00", true),
            // Summer: nine in Paris is seven in Greenwich.
            ("2026-07-01T07:00:00Z", true),
            ("2026-07-01T06:59:00Z", false),
        ] {
            assert_eq!(support().is_open(at.parse().unwrap()), open, "{at}");
        }
    }

    #[test]
    fn a_night_goes_on_into_the_next_day() {
        let mut calendar = Calendar { time_zone: "UTC".to_owned(), ..Calendar::default() };
        calendar.weekly[4] = vec![Hours::parse("22:00-02:00").unwrap()];
        for (at, open) in [
            ("2026-11-27T21:59:00Z", false),
            ("2026-11-27T22:00:00Z", true),
            ("2026-11-28T01:59:00Z", true),
            ("2026-11-28T02:00:00Z", false),
        ] {
            assert_eq!(calendar.is_open(at.parse().unwrap()), open, "{at}");
        }
    }

    #[test]
    fn the_hour_that_comes_twice_is_open_twice() {
        let mut calendar = Calendar { time_zone: "Europe/Paris".to_owned(), ..Calendar::default() };
        calendar.weekly[6] = vec![Hours::parse("02:00-03:00").unwrap()];
        for at in ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"] {
            assert!(calendar.is_open(at.parse().unwrap()), "{at}");
        }
        assert!(!calendar.is_open("2026-10-25T03:30:00+01:00".parse().unwrap()));
    }

    #[test]
    fn no_hours_and_no_zone_are_closed() {
        let noon: Wall = "2026-11-25T12:00:00Z".parse().unwrap();
        assert!(!Calendar { time_zone: "UTC".to_owned(), ..Calendar::default() }.is_open(noon));
        let nowhere = Calendar { time_zone: "Mars/Olympus".to_owned(), ..support() };
        assert!(!nowhere.is_open(noon));
    }

    #[test]
    fn hours_and_days_are_read() {
        assert_eq!(Hours::parse("9:00-18:30"), Some(Hours { from: 540, to: 1_110 }));
        assert_eq!(Hours::parse("00:00-24:00"), Some(Hours { from: 0, to: 1_440 }));
        for bad in [
            "",
            "9-18",
            "09:00",
            "09:60-10:00",
            "25:00-26:00",
            "24:00-01:00",
            "-1:00-2:00",
            "+9:00-18:00",
            "9:000-10:00",
        ] {
            assert_eq!(Hours::parse(bad), None, "{bad}");
        }
        assert_eq!(Calendar::days("sat-mon").unwrap().into_iter().collect::<Vec<_>>(), [0, 5, 6]);
        assert_eq!(Calendar::days("Wed").unwrap().len(), 1);
        for bad in ["", "monday", "mon-", "mon-fri-sat", "x"] {
            assert_eq!(Calendar::days(bad), None, "{bad}");
        }
    }
}

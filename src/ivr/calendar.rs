//! `calendar`: whether the centre is open now, why, and when it opens next.

mod holidays;
mod opening;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::spec::{Ends, Input, Kind, Need, Output, OutputKind, Spec};
use super::step::{Done, Step};
use super::{Inputs, Value};
use crate::time::Wall;

pub use holidays::{COUNTRIES, Holiday, YearlyDay, easter, of_country};
pub use opening::{Opening, Reason};

pub const SPEC: Spec = Spec {
    name: "calendar",
    summary: "Tells whether a calendar is open at this moment, why, and when it opens next.",
    inputs: &[Input { name: "calendar", kind: Kind::Calendar, need: Need::Required, doc: "which calendar" }],
    outputs: &[
        Output { name: "state", kind: OutputKind::Word(&["open", "closed"]), doc: "`open` or `closed`" },
        Output {
            name: "reason",
            kind: OutputKind::Word(&["hours", "holiday", "exception"]),
            doc: "what decides about the day: the weekly `hours`, a `holiday`, or an `exception`",
        },
        Output {
            name: "holiday",
            kind: OutputKind::Text,
            doc: "the name of the holiday, as `easter-monday`; an empty text on other days",
        },
        Output {
            name: "opens",
            kind: OutputKind::Text,
            doc: "when a closed calendar opens next, as `2026-11-30T09:00:00+01:00`, for { say = \"when\" }; an empty \
                  text where it is open, or not open within 400 days",
        },
    ],
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
    /// Days that come every year; of several on one day the first counts.
    pub holidays: Vec<Holiday>,
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

    /// A moment as its zone's clock shows it (RFC 3339).
    fn local(&self, at: Wall) -> String {
        let offset = TimeZone::get(&self.time_zone).map_or(jiff::tz::Offset::UTC, |zone| zone.to_offset(at));
        at.display_with_offset(offset).to_string()
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
    let opening = calendar.map(|calendar| calendar.opening(step.wall));
    let state = if opening.as_ref().is_some_and(|opening| opening.open) { "open" } else { "closed" };
    let (reason, holiday) = match opening.as_ref().map(|opening| opening.reason) {
        Some(Reason::Holiday(name)) => ("holiday", name),
        Some(Reason::Exception) => ("exception", ""),
        Some(Reason::Hours) | None => ("hours", ""),
    };
    let opens =
        opening.as_ref().and_then(|opening| opening.opens).zip(calendar).map(|(at, calendar)| calendar.local(at));
    let result = match reason {
        "hours" => state.to_owned(),
        "holiday" => format!("{state} {holiday}"),
        reason => format!("{state} {reason}"),
    };
    let outputs = vec![
        ("state", state.into()),
        ("reason", reason.into()),
        ("holiday", holiday.into()),
        ("opens", Value::Text(opens.unwrap_or_default())),
    ];
    Done::Next { result, outputs }
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

    /// What a rule sees: state, reason, holiday and when it opens next, in local time.
    fn told(calendar: &Calendar, at: &str) -> String {
        let opening = calendar.opening(at.parse().unwrap());
        let reason = match opening.reason {
            Reason::Hours => "hours",
            Reason::Holiday(name) => name,
            Reason::Exception => "exception",
        };
        let opens = opening.opens.map(|at| calendar.local(at)).unwrap_or_default();
        format!("{} {reason} {opens}", if opening.open { "open" } else { "closed" })
    }

    #[test]
    fn a_closed_calendar_says_why_and_when_it_opens_next() {
        let mut calendar = support();
        calendar.holidays = of_country("fr").unwrap();
        for (at, expected) in [
            ("2026-11-25T11:00:00+01:00", "open hours "),
            ("2026-11-25T08:00:00+01:00", "closed hours 2026-11-25T09:00:00+01:00"),
            ("2026-11-25T18:00:00+01:00", "closed hours 2026-11-26T09:00:00+01:00"),
            ("2026-11-28T11:00:00+01:00", "closed hours 2026-11-30T09:00:00+01:00"),
            // Easter Monday, after the change to summer time; the caller may ring from elsewhere.
            ("2027-03-26T18:30:00Z", "closed hours 2027-03-30T09:00:00+02:00"),
            ("2027-03-29T11:00:00+02:00", "closed easter-monday 2027-03-30T09:00:00+02:00"),
            ("2026-05-14T11:00:00+02:00", "closed ascension 2026-05-15T09:00:00+02:00"),
            ("2026-12-25T11:00:00+01:00", "closed exception 2026-12-26T10:00:00+01:00"),
            ("2026-12-26T11:00:00+01:00", "open exception "),
        ] {
            assert_eq!(told(&calendar, at), expected, "{at}");
        }
    }

    #[test]
    fn a_holiday_can_have_hours_and_an_exception_outdoes_it() {
        let mut calendar = support();
        let eve = YearlyDay::Date { month: 12, day: 24 };
        calendar.holidays =
            vec![Holiday { name: "eve".to_owned(), day: eve, hours: vec![Hours::parse("09:00-12:00").unwrap()] }];
        assert_eq!(told(&calendar, "2026-12-24T11:00:00+01:00"), "open eve ");
        assert_eq!(told(&calendar, "2026-12-24T13:00:00+01:00"), "closed eve 2026-12-26T10:00:00+01:00");
        calendar.exceptions.insert("2026-12-24".parse().unwrap(), vec![Hours::parse("09:00-18:00").unwrap()]);
        assert_eq!(told(&calendar, "2026-12-24T13:00:00+01:00"), "open exception ");
    }

    #[test]
    fn a_night_belongs_to_the_day_it_began_on() {
        let mut calendar = Calendar { time_zone: "Europe/Paris".to_owned(), ..Calendar::default() };
        calendar.weekly[3] = vec![Hours::parse("22:00-06:00").unwrap()];
        calendar.holidays = of_country("fr").unwrap();
        // Friday 1 January 2027 is a holiday; the night of Thursday goes on.
        assert_eq!(told(&calendar, "2027-01-01T05:00:00+01:00"), "open hours ");
        assert_eq!(told(&calendar, "2027-01-01T06:00:00+01:00"), "closed new-year 2027-01-07T22:00:00+01:00");
    }

    #[test]
    fn an_opening_in_the_hour_that_does_not_exist_comes_with_the_jump() {
        let mut calendar = Calendar { time_zone: "Europe/Paris".to_owned(), ..Calendar::default() };
        calendar.weekly[6] = vec![Hours::parse("02:30-05:00").unwrap()];
        assert_eq!(told(&calendar, "2026-03-29T01:00:00+01:00"), "closed hours 2026-03-29T03:00:00+02:00");
        // In autumn the hour comes twice, and so does the opening.
        assert_eq!(told(&calendar, "2026-10-25T02:15:00+02:00"), "closed hours 2026-10-25T02:30:00+02:00");
        assert_eq!(told(&calendar, "2026-10-25T02:15:00+01:00"), "closed hours 2026-10-25T02:30:00+01:00");
        calendar.weekly[6] = vec![Hours::parse("02:10-02:50").unwrap()];
        assert_eq!(told(&calendar, "2026-03-28T23:00:00+01:00"), "closed hours 2026-04-05T02:10:00+02:00");
    }

    /// In Paris; the clocks go back on 25 October 2026 and forward on 29 March 2026.
    #[test]
    fn the_next_change_is_the_next_moment_at_which_it_opens_or_closes() {
        let mut calendar = support();
        calendar.holidays = of_country("fr").unwrap();
        let changes = |calendar: &Calendar, at: &str| {
            let next = calendar.changes_after(at.parse().unwrap());
            next.map(|at| calendar.local(at)).unwrap_or_default()
        };
        for (at, next) in [
            ("2026-11-25T08:00:00+01:00", "2026-11-25T09:00:00+01:00"),
            ("2026-11-25T09:00:00+01:00", "2026-11-25T18:00:00+01:00"),
            ("2026-11-27T18:00:00+01:00", "2026-11-30T09:00:00+01:00"),
            ("2026-12-26T11:00:00+01:00", "2026-12-26T12:00:00+01:00"),
            // Over a change of the clocks the hours are those of the local clock.
            ("2026-03-27T18:00:00+01:00", "2026-03-30T09:00:00+02:00"),
        ] {
            assert_eq!(changes(&calendar, at), next, "{at}");
        }
        // Joined ranges do not close between them, and a night ends on the next day.
        let mut nights = Calendar { time_zone: "Europe/Paris".to_owned(), ..Calendar::default() };
        nights.weekly[5] = vec![Hours::parse("20:00-24:00").unwrap()];
        nights.weekly[6] = vec![Hours::parse("00:00-01:00").unwrap(), Hours::parse("22:00-02:30").unwrap()];
        assert_eq!(changes(&nights, "2026-11-28T20:30:00+01:00"), "2026-11-29T01:00:00+01:00");
        assert_eq!(changes(&nights, "2026-11-29T23:00:00+01:00"), "2026-11-30T02:30:00+01:00");
        // What closes within the hour that does not exist closes with the jump; in the one that comes twice it is open
        // twice.
        let mut early = Calendar { time_zone: "Europe/Paris".to_owned(), ..Calendar::default() };
        early.weekly[6] = vec![Hours::parse("01:00-02:30").unwrap()];
        assert_eq!(changes(&early, "2026-03-29T01:30:00+01:00"), "2026-03-29T03:00:00+02:00");
        assert_eq!(changes(&early, "2026-10-25T01:30:00+02:00"), "2026-10-25T02:30:00+02:00");
        assert_eq!(changes(&early, "2026-10-25T02:30:00+02:00"), "2026-10-25T02:00:00+01:00");
        assert_eq!(changes(&early, "2026-10-25T02:00:00+01:00"), "2026-10-25T02:30:00+01:00");
        let always = Calendar {
            weekly: [const { Vec::new() }; 7].map(|_: Vec<Hours>| vec![Hours::parse("00:00-24:00").unwrap()]),
            ..early.clone()
        };
        assert_eq!(changes(&always, "2026-11-25T08:00:00+01:00"), "", "it is open for ever");
    }

    /// Every minute of the days around both changes of the clocks.
    #[test]
    fn between_two_changes_nothing_changes() {
        let mut calendar = support();
        calendar.weekly[5] = vec![Hours::parse("22:00-02:30").unwrap()];
        calendar.weekly[6] = vec![Hours::parse("02:15-02:45").unwrap(), Hours::parse("03:30-24:00").unwrap()];
        for day in ["2026-03-28T00:00:00Z", "2026-10-24T00:00:00Z", "2026-12-25T00:00:00Z"] {
            let mut at: Wall = day.parse().unwrap();
            let end = at + jiff::SignedDuration::from_hours(72);
            while at < end {
                let next = calendar.changes_after(at).unwrap();
                let open = calendar.is_open(at);
                let mut minute = at;
                while minute < next.min(end) {
                    assert_eq!(calendar.is_open(minute), open, "{minute}, between {at} and {next}");
                    minute += jiff::SignedDuration::from_mins(1);
                }
                assert_ne!(calendar.is_open(next), open, "{next} is no change");
                at = next;
            }
        }
    }

    #[test]
    fn what_never_opens_says_nothing_of_an_opening() {
        let never =
            Calendar { time_zone: "UTC".to_owned(), holidays: of_country("fr").unwrap(), ..Calendar::default() };
        assert_eq!(told(&never, "2026-11-25T12:00:00Z"), "closed hours ");
        let mut long_ago = Calendar { time_zone: "UTC".to_owned(), ..Calendar::default() };
        long_ago.exceptions.insert("2020-01-01".parse().unwrap(), vec![Hours::parse("09:00-12:00").unwrap()]);
        assert_eq!(told(&long_ago, "2026-11-25T12:00:00Z"), "closed hours ");
    }

    #[test]
    fn yearly_days_move_as_they_are_meant_to() {
        let on = |day: YearlyDay, year| day.of_year(year).map(|date| date.to_string());
        let thanksgiving = YearlyDay::Weekday { nth: 4, weekday: 4, month: 11 };
        assert_eq!(on(thanksgiving, 2026).as_deref(), Some("2026-11-26"));
        assert_eq!(on(YearlyDay::Weekday { nth: -1, weekday: 1, month: 5 }, 2026).as_deref(), Some("2026-05-25"));
        assert_eq!(on(YearlyDay::Weekday { nth: 5, weekday: 1, month: 2 }, 2026), None);
        let leap = YearlyDay::Date { month: 2, day: 29 };
        assert_eq!((on(leap, 2026), on(leap, 2028).as_deref()), (None, Some("2028-02-29")));
        assert_eq!(on(YearlyDay::Easter(1), 2026).as_deref(), Some("2026-04-06"));
        assert_eq!(on(YearlyDay::Easter(0), 1500), None, "there was another calendar then");
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

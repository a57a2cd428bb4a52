//! The kinds of values, and what of a plan's value is one.

use jiff::civil::Date;
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use serde::{Deserialize, Serialize};

use super::rule::Field;
use super::table::Table;
use crate::time::Wall;

/// What a value is said as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// How many: a whole number. `of` names what is counted, as `minutes`.
    Number,
    /// Which one: first, second.
    Ordinal,
    /// A place in a queue, as a whole sentence; 1 is the head.
    Position,
    /// One after the other: a customer's number.
    Digits,
    /// A telephone number, in the groups of the language.
    Phone,
    /// A sum, as `"12.50"` or `12`, in a currency.
    Money,
    /// Weekday, day, month and year.
    Date,
    /// Weekday, day and month.
    Day,
    Weekday,
    /// A time of day.
    Time,
    /// A moment to come, as people say it: today at, tomorrow at, on Monday at.
    When,
    /// So long: a number of seconds.
    Duration,
}

impl Kind {
    pub const ALL: [Kind; 12] = [
        Kind::Number,
        Kind::Ordinal,
        Kind::Position,
        Kind::Digits,
        Kind::Phone,
        Kind::Money,
        Kind::Date,
        Kind::Day,
        Kind::Weekday,
        Kind::Time,
        Kind::When,
        Kind::Duration,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Number => "number",
            Kind::Ordinal => "ordinal",
            Kind::Position => "position",
            Kind::Digits => "digits",
            Kind::Phone => "phone",
            Kind::Money => "money",
            Kind::Date => "date",
            Kind::Day => "day",
            Kind::Weekday => "weekday",
            Kind::Time => "time",
            Kind::When => "when",
            Kind::Duration => "duration",
        }
    }

    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What a value of this kind looks like, in words.
    pub fn describe(self) -> &'static str {
        match self {
            Kind::Number | Kind::Ordinal => "a whole number",
            Kind::Position => "a whole number from 1",
            Kind::Digits => "digits, as \"4711\"",
            Kind::Phone => "a telephone number, as \"+33142685300\"",
            Kind::Money => "a sum, as \"12.50\" or 12",
            Kind::Date | Kind::Day | Kind::Weekday => "a date, as \"2026-12-25\"",
            Kind::Time => "a time, as \"18:05\", or a date and time",
            Kind::When => "a date and time, as \"2026-12-25T09:00:00+01:00\"",
            Kind::Duration => "a number of seconds",
        }
    }

    /// The rules that say it, where its value is one number.
    pub(super) fn set(self) -> &'static str {
        match self {
            Kind::Digits | Kind::Phone => "digit",
            kind => kind.name(),
        }
    }
}

/// A plan's value, as far as it can be said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount<'v> {
    Integer(i64),
    Text(&'v str),
}

/// What is to be said: a kind of value and, where the kind has such, the rules for what is counted or the currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub kind: Kind,
    pub set: Option<String>,
}

impl Said {
    /// The prompts that say `value` in the table's language, in order; `None` where it is no value of this kind, or the
    /// table has no rule for it. `now` tells today from tomorrow.
    pub fn prompts(&self, value: Amount<'_>, table: &Table, now: Wall) -> Option<Vec<String>> {
        match self.kind {
            Kind::Number | Kind::Ordinal => table.say(self.set.as_deref().unwrap_or(self.kind.set()), integer(value)?),
            Kind::Position => table.say("position", integer(value).filter(|place| *place >= 1)?),
            Kind::Duration => table.say("duration", integer(value).filter(|seconds| *seconds >= 0)?),
            Kind::Money => {
                let currency = self.set.as_deref()?;
                table.say(currency, minor_units(value, currency)?)
            }
            Kind::Digits => match value {
                Amount::Integer(number) if number >= 0 => table.digits(&number.to_string()),
                Amount::Integer(_) => None,
                Amount::Text(text) => table.digits(text).filter(|digits| !digits.is_empty()),
            },
            Kind::Phone => match value {
                Amount::Integer(number) => table.phone_number(&number.to_string()),
                Amount::Text(text) => table.phone_number(text),
            },
            Kind::Date | Kind::Day | Kind::Weekday => {
                let date = date(text(value)?)?;
                table.format(self.kind.name(), |field| of_date(date, field))
            }
            Kind::Time => table.say("time", minute_of_day(text(value)?)?),
            Kind::When => when(text(value)?, table, now),
        }
    }

    /// Whether a value that is written in a plan is of this kind, whatever the language.
    pub fn fits(&self, value: Amount<'_>) -> bool {
        match (self.kind, value) {
            (Kind::Number | Kind::Ordinal, value) => integer(value).is_some(),
            (Kind::Position, value) => integer(value).is_some_and(|place| place >= 1),
            (Kind::Duration, value) => integer(value).is_some_and(|seconds| seconds >= 0),
            (Kind::Money, value) => self.set.as_deref().is_none_or(|set| minor_units(value, set).is_some()),
            (Kind::Digits | Kind::Phone, Amount::Integer(number)) => number >= 0,
            (Kind::Digits, Amount::Text(text)) => {
                let key = |c: char| c.is_ascii_digit() || matches!(c, '*' | '#' | '+' | ' ');
                !text.trim().is_empty() && text.chars().all(key)
            }
            (Kind::Phone, Amount::Text(text)) => super::Phone::default().groups(text).is_some(),
            (Kind::Date | Kind::Day | Kind::Weekday, value) => text(value).and_then(date).is_some(),
            (Kind::Time, value) => text(value).and_then(minute_of_day).is_some(),
            (Kind::When, value) => text(value).is_some_and(|at| date(at).is_some() && minute_of_day(at).is_some()),
        }
    }
}

fn text(value: Amount<'_>) -> Option<&str> {
    match value {
        Amount::Text(text) => Some(text.trim()),
        Amount::Integer(_) => None,
    }
}

fn integer(value: Amount<'_>) -> Option<i64> {
    match value {
        Amount::Integer(number) => Some(number),
        Amount::Text(text) => text.trim().parse().ok(),
    }
}

/// ISO 4217: how many decimals a currency has, where it is not two.
fn decimals(currency: &str) -> usize {
    match currency {
        "clp" | "isk" | "jpy" | "krw" | "pyg" | "vnd" | "xaf" | "xof" | "xpf" => 0,
        "bhd" | "iqd" | "jod" | "kwd" | "lyd" | "omr" | "tnd" => 3,
        _ => 2,
    }
}

/// A sum in the smallest coin: `"12.5"` euros are 1,250 cents. More decimals than the currency has must be zeros.
fn minor_units(value: Amount<'_>, currency: &str) -> Option<i64> {
    let decimals = decimals(currency);
    let scale = 10_i64.pow(u32::try_from(decimals).ok()?);
    let text = match value {
        Amount::Integer(units) => return units.checked_mul(scale),
        Amount::Text(text) => text.trim(),
    };
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, fraction) = digits.split_once(['.', ',']).unwrap_or((digits, ""));
    let digits_only = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
    if whole.is_empty() || !digits_only(whole) || !digits_only(fraction) {
        return None;
    }
    let (coins, beyond) = fraction.split_at_checked(decimals).unwrap_or((fraction, ""));
    if beyond.bytes().any(|octet| octet != b'0') {
        return None;
    }
    let coins: i64 = if decimals == 0 { 0 } else { format!("{coins:0<decimals$}").parse().ok()? };
    let sum = whole.parse::<i64>().ok()?.checked_mul(scale)?.checked_add(coins)?;
    Some(if negative { -sum } else { sum })
}

/// The date of `2026-12-25`, alone or before a time.
fn date(text: &str) -> Option<Date> {
    let (date, rest) = text.split_at_checked(10)?;
    (rest.is_empty() || rest.starts_with(['T', 't', ' '])).then(|| date.parse().ok())?
}

/// Of `18:05`, alone or behind a date; seconds and an offset may follow.
fn minute_of_day(text: &str) -> Option<i64> {
    let time = match date(text) {
        Some(_) => text.get(11..)?,
        None => text,
    };
    let two = |from: usize| -> Option<i64> {
        let digits = time.get(from..from + 2)?;
        digits.bytes().all(|octet| octet.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let (hour, minute) = (two(0)?, two(3)?);
    let rest = time.get(5..)?;
    let ends = rest.is_empty() || rest.starts_with([':', 'Z', 'z', '+', '-']);
    let fine = ends && time.get(2..3) == Some(":") && hour < 24 && minute < 60;
    fine.then_some(hour * 60 + minute)
}

fn of_date(date: Date, field: Field) -> Option<i64> {
    Some(match field {
        Field::Weekday => date.weekday().to_monday_one_offset().into(),
        Field::Day => date.day().into(),
        Field::Month => date.month().into(),
        Field::Year => date.year().into(),
        Field::Time => return None,
    })
}

/// A moment of the next week by its weekday, a later one by its date. A moment without an offset is not compared with
/// the present.
fn when(text: &str, table: &Table, now: Wall) -> Option<Vec<String>> {
    let day = date(text)?;
    let minutes = minute_of_day(text)?;
    let days = offset(text).and_then(|offset| {
        let today = TimeZone::fixed(offset).to_datetime(now).date();
        today.until(day).ok().map(|span| span.get_days())
    });
    let format = match days {
        Some(0) => "today",
        Some(1) => "tomorrow",
        Some(2..=6) => "this-week",
        _ => "later",
    };
    table.format(format, |field| if field == Field::Time { Some(minutes) } else { of_date(day, field) })
}

fn offset(text: &str) -> Option<Offset> {
    Pieces::parse(text).ok()?.to_numeric_offset()
}

//! `[[calendar]]`: opening hours and holidays.

use jiff::civil::Date;
use toml::Spanned;
use toml::de::DeValue;

use crate::dialplan::reader::{At, Table, type_of, value_of};
use crate::findings::{Findings, suggest};
use crate::ivr::{COUNTRIES, Calendar, Holiday, Hours, Value, YearlyDay, of_country};

/// A year or two of exceptions, many times over.
const MOST_EXCEPTIONS: usize = 10_000;
const MOST_HOLIDAYS: usize = 1_000;

pub(super) struct CalendarDraft {
    pub calendar: Calendar,
    pub id: At<String>,
}

pub(super) fn read(mut table: Table<'_>, findings: &mut Findings<'_>) -> Option<CalendarDraft> {
    let id = table.required_text("id", findings);
    table.what = id.as_ref().map_or("calendar".to_owned(), |id| format!("calendar '{}'", id.value));
    let mut calendar = Calendar::default();
    if let Some(zone) = table.required_text("time_zone", findings) {
        if !Calendar::knows_zone(&zone.value) {
            let hint = "write the name of a zone, as \"Europe/Paris\"".to_owned();
            findings.error(zone.span, format!("{}: there is no time zone '{}'", table.what, zone.value), hint);
        }
        calendar.time_zone = zone.value;
    }
    let what = table.what.clone();
    if let Some(hours) = table.table("hours", findings) {
        for (key, value) in hours.all() {
            let ranges = read_hours(&what, value, findings);
            match Calendar::days(key.value) {
                Some(days) => {
                    for day in days {
                        if let Some(own) = calendar.weekly.get_mut(day) {
                            own.extend(&ranges);
                        }
                    }
                }
                None => {
                    let hint = "write mon, tue, wed, thu, fri, sat, sun, or a range as mon-fri".to_owned();
                    findings.error(key.span, format!("{what}: '{}' is no day of the week", key.value), hint);
                }
            }
        }
    }
    for text in table.texts("closed", findings).map(|texts| texts.value).unwrap_or_default() {
        if let Some(date) = read_date(&what, &text.value, text.span, findings) {
            calendar.exceptions.insert(date, Vec::new());
        }
    }
    if let Some(exceptions) = table.table("exceptions", findings) {
        for (key, value) in exceptions.all() {
            let ranges = read_hours(&what, value, findings);
            if let Some(date) = read_date(&what, key.value, key.span, findings) {
                calendar.exceptions.insert(date, ranges);
            }
        }
    }
    if calendar.exceptions.len() > MOST_EXCEPTIONS {
        findings.error(table.span.clone(), format!("{what} has more than {MOST_EXCEPTIONS} exceptions"), None);
    }
    read_holidays(&mut table, &mut calendar, findings);
    table.finish(findings);
    Some(CalendarDraft { calendar, id: id? })
}

/// The centre's own yearly days come before those of countries, so that one can give a legal holiday other hours.
fn read_holidays(table: &mut Table<'_>, calendar: &mut Calendar, findings: &mut Findings<'_>) {
    let what = table.what.clone();
    for own in table.tables("holiday", findings) {
        if let Some(holiday) = read_holiday(&what, own, &calendar.holidays, findings) {
            calendar.holidays.push(holiday);
        }
    }
    for country in table.texts("holidays", findings).map(|texts| texts.value).unwrap_or_default() {
        match of_country(&country.value) {
            Some(legal) => {
                for holiday in legal {
                    if calendar.holidays.iter().all(|known| known.name != holiday.name) {
                        calendar.holidays.push(holiday);
                    }
                }
            }
            None => {
                let message = format!("{what}: the holidays of '{}' are not known", country.value);
                let hint = suggest(&country.value, COUNTRIES).unwrap_or_default();
                let hint = format!("{hint}; write others as [[calendar.holiday]]").trim_start_matches("; ").to_owned();
                findings.error(country.span, message, hint);
            }
        }
    }
    for worked in table.texts("worked", findings).map(|texts| texts.value).unwrap_or_default() {
        let before = calendar.holidays.len();
        calendar.holidays.retain(|holiday| holiday.name != worked.value);
        if calendar.holidays.len() == before {
            let message = format!("{what}: worked: there is no holiday '{}'", worked.value);
            let hint = suggest(&worked.value, calendar.holidays.iter().map(|holiday| holiday.name.as_str()));
            findings.error(worked.span, message, hint);
        }
    }
    if calendar.holidays.len() > MOST_HOLIDAYS {
        findings.error(table.span.clone(), format!("{what} has more than {MOST_HOLIDAYS} holidays"), None);
    }
}

/// `[[calendar.holiday]]`: a name, a day of the year, and hours unless it is a day off.
fn read_holiday(what: &str, mut table: Table<'_>, others: &[Holiday], findings: &mut Findings<'_>) -> Option<Holiday> {
    table.what = format!("{what}: holiday");
    let name = table.required_text("name", findings);
    if let Some(name) = name.as_ref().filter(|name| others.iter().any(|other| other.name == name.value)) {
        findings.error(name.span.clone(), format!("{what}: there are two holidays '{}'", name.value), None);
    }
    let date = table.text("date", findings);
    let easter = table.integer("easter", -90..=200, findings);
    let weekday = table.text("weekday", findings);
    let nth = table.integer("nth", -5..=5, findings);
    let month = table.integer("month", 1..=12, findings);
    let hours = table.value("hours").map(|value| read_hours(what, value, findings)).unwrap_or_default();
    let span = table.span.clone();
    table.finish(findings);
    let small = |number: &At<i64>| i8::try_from(number.value).ok();
    let day = match (date, easter, weekday) {
        (Some(date), None, None) => {
            let day = month_and_day(&date.value).map(|(month, day)| YearlyDay::Date { month, day });
            if day.is_none() {
                let message = format!("{what}: '{}' is no day of a year", date.value);
                findings.error(date.span, message, "write month and day, as \"12-24\"".to_owned());
                return None;
            }
            day
        }
        (None, Some(easter), None) => i16::try_from(easter.value).ok().map(YearlyDay::Easter),
        (None, None, Some(weekday)) => {
            let only = Calendar::days(&weekday.value).filter(|days| days.len() == 1);
            let weekday = only.and_then(|days| days.first().and_then(|day| i8::try_from(day + 1).ok()));
            let nth = nth.as_ref().and_then(small).filter(|nth| *nth != 0);
            let month = month.as_ref().and_then(small);
            weekday.zip(nth).zip(month).map(|((weekday, nth), month)| YearlyDay::Weekday { nth, weekday, month })
        }
        _ => None,
    };
    if day.is_none() {
        let hint = "write date = \"12-24\", easter = 49 (days after Easter Sunday), or weekday = \"thu\", nth = 4 and \
                    month = 11";
        findings.error(span, format!("{what}: a holiday needs one day of the year"), hint.to_owned());
    }
    Some(Holiday { name: name?.value, day: day?, hours })
}

/// `12-24`; a leap year knows every day there is.
fn month_and_day(text: &str) -> Option<(i8, i8)> {
    let (month, day) = text.split_once('-').filter(|_| text.len() == 5)?;
    let (month, day) = (month.parse().ok()?, day.parse().ok()?);
    Date::new(2024, month, day).ok().map(|_| (month, day))
}

/// `time_zone` of the centre; where it is not given that of the first calendar, else UTC.
pub(super) fn read_centre_zone(
    table: &mut Table<'_>,
    calendars: &[CalendarDraft],
    findings: &mut Findings<'_>,
) -> String {
    let first = || calendars.first().map_or("UTC", |draft| draft.calendar.time_zone.as_str()).to_owned();
    let Some(zone) = table.text("time_zone", findings) else { return first() };
    if !Calendar::knows_zone(&zone.value) {
        let hint = "write the name of a zone, as \"Europe/Paris\"".to_owned();
        findings.error(zone.span, format!("there is no time zone '{}'", zone.value), hint);
    }
    zone.value
}

fn read_date(what: &str, text: &str, span: std::ops::Range<usize>, findings: &mut Findings<'_>) -> Option<Date> {
    let date = text.parse::<Date>().ok().filter(|_| text.len() == 10);
    if date.is_none() {
        findings.error(span, format!("{what}: '{text}' is no date"), "write it as \"2026-12-25\"".to_owned());
    }
    date
}

/// One range of hours or a list of them.
fn read_hours(what: &str, value: &Spanned<DeValue<'_>>, findings: &mut Findings<'_>) -> Vec<Hours> {
    let texts = match value_of(value.get_ref()) {
        Some(Value::Text(text)) => Some(vec![text]),
        Some(Value::List(items)) => items.iter().map(|item| item.as_text().map(str::to_owned)).collect(),
        _ => None,
    };
    let hint = "write \"09:00-18:00\", or a list of such".to_owned();
    let Some(texts) = texts else {
        findings.error(value.span(), format!("{what}: hours are {}", type_of(value.get_ref())), hint);
        return Vec::new();
    };
    let mut ranges = Vec::new();
    for text in texts {
        match Hours::parse(&text) {
            Some(hours) => ranges.push(hours),
            None => findings.error(value.span(), format!("{what}: '{text}' are no hours"), hint.clone()),
        }
    }
    ranges
}

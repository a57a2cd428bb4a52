//! `[[calendar]]`: opening hours.

use jiff::civil::Date;
use toml::Spanned;
use toml::de::DeValue;

use crate::dialplan::reader::{At, Table, type_of, value_of};
use crate::findings::Findings;
use crate::ivr::{Calendar, Hours, Value};

/// A year or two of exceptions, many times over.
const MOST_EXCEPTIONS: usize = 10_000;

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
    table.finish(findings);
    Some(CalendarDraft { calendar, id: id? })
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

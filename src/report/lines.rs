//! A report as JSON and as CSV.

use serde_json::{Map, Number, Value as Json, json};

use super::figures::{FIGURES, Value};
use super::sums::Sums;
use super::{By, Query};
use crate::time::Wall;

/// One interval of one queue, agent, skill or number.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub from: Wall,
    pub until: Wall,
    /// `None`: what belongs to no queue or agent, and the whole centre.
    pub key: Option<String>,
    pub sums: Sums,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub query: Query,
    /// By interval, then by name.
    pub lines: Vec<Line>,
    /// The whole time, by name.
    pub totals: Vec<Line>,
}

/// What stands above the columns of a CSV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heading {
    /// As the API names them.
    Names,
    English,
    French,
}

/// The figures of some sums, by name.
pub fn figures(sums: &Sums) -> Map<String, Json> {
    FIGURES
        .iter()
        .map(|figure| {
            let value = match figure.value(sums) {
                Some(Value::Whole(number)) => Json::from(number),
                Some(Value::Share(share)) => Number::from_f64(share).map_or(Json::Null, Json::Number),
                None => Json::Null,
            };
            (figure.name.to_owned(), value)
        })
        .collect()
}

impl Report {
    pub fn json(&self) -> Json {
        let definitions = FIGURES.iter().map(|figure| {
            json!({
                "name": figure.name,
                "unit": figure.unit.name(),
                "en": figure.english,
                "fr": figure.french,
                "formula": figure.formula,
            })
        });
        let Query { from, until, interval, by, terms, zone, .. } = &self.query;
        json!({
            "from": written(*from, self),
            "to": written(*until, self),
            "interval": interval.name(),
            "by": by.name(),
            "time_zone": zone.iana_name(),
            "within_ms": terms.within_ms,
            "short_ms": terms.short_ms,
            "rows": self.lines.iter().map(|line| self.object(line)).collect::<Vec<_>>(),
            "totals": self.totals.iter().map(|line| self.object(line)).collect::<Vec<_>>(),
            "figures": definitions.collect::<Vec<_>>(),
        })
    }

    fn object(&self, line: &Line) -> Json {
        let mut object = Map::new();
        object.insert("from".to_owned(), written(line.from, self).into());
        object.insert("to".to_owned(), written(line.until, self).into());
        if self.query.by != By::All {
            object.insert(self.query.by.name().to_owned(), line.key.clone().into());
        }
        object.extend(figures(&line.sums));
        Json::Object(object)
    }

    /// RFC 4180, the intervals only.
    pub fn csv(&self, heading: Heading) -> String {
        let by = (self.query.by != By::All).then(|| self.query.by.name());
        let mut head: Vec<&str> = ["from", "to"].into_iter().chain(by).collect();
        head.extend(FIGURES.iter().map(|figure| match heading {
            Heading::Names => figure.name,
            Heading::English => figure.english,
            Heading::French => figure.french,
        }));
        let mut text = record(head.into_iter().map(str::to_owned));
        for line in &self.lines {
            let mut fields = vec![written(line.from, self), written(line.until, self)];
            fields.extend(by.map(|_| line.key.clone().unwrap_or_default()));
            fields.extend(FIGURES.iter().map(|figure| match figure.value(&line.sums) {
                Some(Value::Whole(number)) => number.to_string(),
                Some(Value::Share(share)) => share.to_string(),
                None => String::new(),
            }));
            text += &record(fields.into_iter());
        }
        text
    }
}

/// RFC 3339, as the clocks of the centre show it.
fn written(at: Wall, report: &Report) -> String {
    let zoned = at.to_zoned_datetime(report.query.zone.clone());
    zoned.timestamp().display_with_offset(zoned.offset()).to_string()
}

fn record(fields: impl Iterator<Item = String>) -> String {
    let fields: Vec<String> = fields.map(field).collect();
    fields.join(",") + "\r\n"
}

/// Quoted where it must be. What a spreadsheet would run as a formula is made a text; a number with + is none.
fn field(text: String) -> String {
    let number = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit());
    let formula = match text.strip_prefix('+') {
        Some(rest) => !number(rest),
        None => text.starts_with(['=', '-', '@', '\t']),
    };
    let text = if formula { format!("'{text}") } else { text };
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

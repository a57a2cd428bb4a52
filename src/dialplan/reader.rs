//! Reads TOML tables key by key with the place of everything, and gathers what is wrong instead of stopping.

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::findings::{Findings, suggest};
use crate::ivr::Value;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct At<T> {
    pub value: T,
    pub span: Range<usize>,
}

impl<T> At<T> {
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> At<U> {
        At { value: change(self.value), span: self.span }
    }
}

/// The document of a source, or `None` with a finding for each fault of its syntax.
pub fn parse<'s>(findings: &mut Findings<'s>) -> Option<Spanned<DeTable<'s>>> {
    let (document, faults) = DeTable::parse_recoverable(&findings.source.text);
    if faults.is_empty() {
        return Some(document);
    }
    for fault in faults {
        let message = fault.message().split_whitespace().collect::<Vec<_>>().join(" ");
        findings.error(fault.span().unwrap_or(0..0), message, None);
    }
    None
}

/// A table being read. Ask for every key it may have, then call `finish`.
pub struct Table<'t> {
    /// How findings name it: `trunk 'acme'`.
    pub what: String,
    pub span: Range<usize>,
    entries: &'t DeTable<'t>,
    asked: BTreeSet<&'static str>,
}

impl<'t> Table<'t> {
    pub fn new(what: &str, entries: &'t DeTable<'t>, span: Range<usize>) -> Table<'t> {
        Table { what: what.to_owned(), span, entries, asked: BTreeSet::new() }
    }

    /// The table of a value, or a finding.
    pub fn of(what: &str, value: &'t Spanned<DeValue<'t>>, findings: &mut Findings<'_>) -> Option<Table<'t>> {
        match value.get_ref() {
            DeValue::Table(entries) => Some(Table::new(what, entries, value.span())),
            other => {
                findings.error(value.span(), format!("{what} is {}, not a table", type_of(other)), None);
                None
            }
        }
    }

    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Every entry, in the order of the keys' names: for tables whose keys are free.
    pub fn all(&self) -> impl Iterator<Item = (At<&'t str>, &'t Spanned<DeValue<'t>>)> {
        self.entries.iter().map(|(key, value)| (At { value: key.get_ref().as_ref(), span: key.span() }, value))
    }

    pub fn value(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.asked.insert(key);
        self.entries.get(key)
    }

    pub fn text(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Option<At<String>> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(At { value: text.clone().into_owned(), span: value.span() }),
            other => self.wrong_type(key, other, value.span(), "a text in quotes", findings),
        }
    }

    /// A text that may not be missing.
    pub fn required_text(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Option<At<String>> {
        if !self.has(key) {
            self.asked.insert(key);
            self.missing(key, findings);
            return None;
        }
        let text = self.text(key, findings)?;
        if text.value.trim().is_empty() {
            findings.error(text.span, format!("{}: {key} is empty", self.what), None);
            return None;
        }
        Some(text)
    }

    pub fn missing(&self, key: &str, findings: &mut Findings<'_>) {
        findings.error(self.span.clone(), format!("{}: {key} is missing", self.what), None);
    }

    pub fn flag(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Option<At<bool>> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(At { value: *flag, span: value.span() }),
            other => self.wrong_type(key, other, value.span(), "true or false", findings),
        }
    }

    pub fn integer(
        &mut self,
        key: &'static str,
        allowed: RangeInclusive<i64>,
        findings: &mut Findings<'_>,
    ) -> Option<At<i64>> {
        let value = self.value(key)?;
        let DeValue::Integer(_) = value.get_ref() else {
            return self.wrong_type(key, value.get_ref(), value.span(), "a whole number", findings);
        };
        match integer_of(value.get_ref()) {
            Some(integer) if allowed.contains(&integer) => Some(At { value: integer, span: value.span() }),
            _ => {
                let message = format!(
                    "{}: {key} is out of range; it goes from {} to {}",
                    self.what,
                    allowed.start(),
                    allowed.end()
                );
                findings.error(value.span(), message, None);
                None
            }
        }
    }

    pub fn texts(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Option<At<Vec<At<String>>>> {
        let value = self.value(key)?;
        let DeValue::Array(items) = value.get_ref() else {
            return self.wrong_type(key, value.get_ref(), value.span(), "a list of texts, as [\"a\", \"b\"]", findings);
        };
        let mut texts = Vec::new();
        for item in items.iter() {
            match item.get_ref() {
                DeValue::String(text) => texts.push(At { value: text.clone().into_owned(), span: item.span() }),
                other => {
                    self.wrong_type::<()>(key, other, item.span(), "texts in quotes", findings);
                }
            }
        }
        Some(At { value: texts, span: value.span() })
    }

    /// `[key]`.
    pub fn table(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Option<Table<'t>> {
        let value = self.value(key)?;
        Table::of(key, value, findings)
    }

    /// `[[key]]`.
    pub fn tables(&mut self, key: &'static str, findings: &mut Findings<'_>) -> Vec<Table<'t>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        match value.get_ref() {
            DeValue::Array(items) => items.iter().filter_map(|item| Table::of(key, item, findings)).collect(),
            _ => {
                let hint = format!("write [[{key}]]");
                findings.error(value.span(), format!("{key} is to be a list of tables"), hint);
                Vec::new()
            }
        }
    }

    /// Every key nobody asked for is a finding.
    pub fn finish(self, findings: &mut Findings<'_>) {
        #[cfg(test)]
        asked::note(&self.what, &self.asked);
        for key in self.entries.keys() {
            let name: &str = key.get_ref();
            if !self.asked.contains(name) {
                let hint = suggest(name, self.asked.iter().copied());
                findings.error(key.span(), format!("{}: unknown key '{name}'", self.what), hint);
            }
        }
    }

    fn wrong_type<T>(
        &self,
        key: &str,
        found: &DeValue<'_>,
        span: Range<usize>,
        wanted: &str,
        findings: &mut Findings<'_>,
    ) -> Option<T> {
        let message = format!("{}: {key} is {}; it is to be {wanted}", self.what, type_of(found));
        findings.error(span, message, None);
        None
    }
}

/// The number, where it is one and fits 64 bits.
pub fn integer_of(value: &DeValue<'_>) -> Option<i64> {
    match value {
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).ok(),
        _ => None,
    }
}

/// A type in words.
pub fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with decimals",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A value as plans know it; `None` for dates, which they do not know.
pub fn value_of(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Integer(_) => Value::Integer(integer_of(value)?),
        DeValue::Float(float) => Value::Double(float.as_str().parse().ok().filter(|double: &f64| double.is_finite())?),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Array(items) => Value::List(items.iter().map(|item| value_of(item.get_ref())).collect::<Option<_>>()?),
        DeValue::Table(entries) => Value::Map(
            entries
                .iter()
                .map(|(key, item)| Some((key.get_ref().clone().into_owned(), value_of(item.get_ref())?)))
                .collect::<Option<_>>()?,
        ),
        DeValue::Datetime(_) => return None,
    })
}

/// Where the contents of a quoted text begin, given the span with its quotes.
pub fn contents(source: &str, span: &Range<usize>) -> usize {
    let text = source.get(span.clone()).unwrap_or_default();
    let quotes = if text.starts_with("\"\"\"") || text.starts_with("'''") { 3 } else { 1 };
    let line_break = text.get(quotes..).map_or(0, |rest| match rest {
        rest if quotes == 3 && rest.starts_with("\r\n") => 2,
        rest if quotes == 3 && rest.starts_with('\n') => 1,
        _ => 0,
    });
    span.start + quotes + line_break
}

/// Which keys tables are asked for, so that a test can hold the schemas to it.
#[cfg(test)]
pub mod asked {
    use std::cell::RefCell;
    use std::collections::{BTreeMap, BTreeSet};

    type Asked = BTreeMap<String, BTreeSet<&'static str>>;

    thread_local! {
        static ASKED: RefCell<Asked> = RefCell::default();
    }

    /// `trunk 'acme': register` is a `trunk: register`, whatever its name.
    pub(super) fn note(what: &str, keys: &BTreeSet<&'static str>) {
        let kind: Vec<&str> = what.split('\'').step_by(2).map(str::trim).collect();
        ASKED.with_borrow_mut(|asked| asked.entry(kind.concat()).or_default().extend(keys));
    }

    /// What this thread's tables were asked for.
    pub fn all() -> Asked {
        ASKED.take()
    }
}

//! `[[slot]]`: what a bot asks for.

use std::collections::BTreeMap;

use super::texts::{optional, required};
use super::{Known, unknown};
use crate::callbot::bot::Slot;
use crate::callbot::slots::{Kind, Pattern};
use crate::dialplan::reader::{At, Table, value_of};
use crate::findings::{Findings, suggest};
use crate::ids::Language;
use crate::ivr::Value;

pub(super) fn names(tables: &[Table<'_>], findings: &mut Findings<'_>) -> Vec<String> {
    named(tables, "slot", findings)
}

/// The names of tables; they are small letters, digits and `_`, each once.
pub(super) fn named(tables: &[Table<'_>], kind: &str, findings: &mut Findings<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for table in tables {
        let name = table.all().find(|(key, _)| key.value == "name");
        let Some((text, span)) = name.and_then(|(_, value)| Some((value.get_ref().as_str()?.to_owned(), value.span())))
        else {
            continue;
        };
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if text.is_empty() || text.len() > 48 || !text.chars().all(fine) || text == super::NONE {
            let hint = "use small letters, digits and '_'".to_owned();
            findings.error(span, format!("'{text}' cannot be the name of a {kind}"), hint);
        } else if names.contains(&text) {
            findings.error(span, format!("there are two of {kind} '{text}'"), None);
        } else {
            names.push(text);
        }
    }
    names
}

pub(super) fn read_all(
    tables: Vec<Table<'_>>,
    known: &Known<'_>,
    findings: &mut Findings<'_>,
) -> BTreeMap<String, Slot> {
    tables.into_iter().filter_map(|table| read(table, known, findings)).collect()
}

fn read(mut table: Table<'_>, known: &Known<'_>, findings: &mut Findings<'_>) -> Option<(String, Slot)> {
    table.what = "slot".to_owned();
    let name = table.required_text("name", findings)?;
    table.what = format!("slot '{}'", name.value);
    let kind = read_kind(&mut table, known, findings);
    let slot = Slot {
        ask: required(&mut table, "ask", known, findings),
        invalid: optional(&mut table, "invalid", known, findings),
        confirm: optional(&mut table, "confirm", known, findings),
        private: table.flag("private", findings).is_some_and(|private| private.value),
        kind: kind.unwrap_or(Kind::Text),
    };
    table.finish(findings);
    Some((name.value, slot))
}

fn read_kind(table: &mut Table<'_>, known: &Known<'_>, findings: &mut Findings<'_>) -> Option<Kind> {
    let kind = table.required_text("kind", findings);
    let least = table.integer("least", 0..=1_000_000_000, findings);
    let most = table.integer("most", 1..=1_000_000_000, findings);
    let pattern = table.text("pattern", findings);
    let choices = read_choices(table, known, findings);
    let kind = kind?;
    let what = table.what.clone();
    let count = |bound: Option<At<i64>>, usual: u64| bound.map_or(usual, |bound| bound.value.unsigned_abs());
    let (low, high) = match kind.value.as_str() {
        "digits" => (1, 32),
        _ => (0, 1_000_000_000),
    };
    let (least, most) = (count(least, low), count(most, high));
    if least > most {
        findings.error(kind.span.clone(), format!("{what}: least is more than most"), None);
    }
    Some(match kind.value.as_str() {
        "digits" => {
            let size = |bound: u64| usize::try_from(bound.min(64)).unwrap_or(64);
            Kind::Digits { least: size(least), most: size(most) }
        }
        "number" => Kind::Number { least, most },
        "pattern" => {
            let Some(pattern) = pattern else {
                let hint = "write pattern = \"A?NNNNN\": N is a digit, L a letter".to_owned();
                findings.error(kind.span, format!("{what}: pattern is missing"), hint);
                return None;
            };
            match Pattern::parse(&pattern.value) {
                Ok(form) => Kind::Pattern(form),
                Err(fault) => {
                    findings.error(pattern.span, format!("{what}: pattern: {fault}"), None);
                    return None;
                }
            }
        }
        "choice" if choices.is_empty() => {
            let hint = "write choices = { fridge = { en = [\"fridge\", \"refrigerator\"] } }".to_owned();
            findings.error(kind.span, format!("{what}: choices is missing"), hint);
            return None;
        }
        "choice" => Kind::Choice(choices),
        "amount" => Kind::Amount,
        "date" => Kind::Date,
        "time" => Kind::Time,
        "yes_no" => Kind::YesNo,
        "email" => Kind::Email,
        "phone" => Kind::Phone,
        "text" => Kind::Text,
        other => {
            findings.error(kind.span, format!("{what}: there is no kind '{other}'"), suggest(other, Kind::NAMES));
            return None;
        }
    })
}

/// `choices = { fridge = { en = ["fridge"], fr = ["frigo"] } }`.
fn read_choices(
    table: &mut Table<'_>,
    known: &Known<'_>,
    findings: &mut Findings<'_>,
) -> BTreeMap<String, BTreeMap<Language, Vec<String>>> {
    let mut choices = BTreeMap::new();
    let what = table.what.clone();
    for (name, value) in table.table("choices", findings).iter().flat_map(Table::all) {
        let mut phrases = BTreeMap::new();
        for (language, texts) in Table::of(&what, value, findings).iter().flat_map(Table::all) {
            let tag = Language::from(language.value);
            if !known.languages.contains(&tag) {
                let languages: Vec<String> = known.languages.iter().map(ToString::to_string).collect();
                let place = At { value: language.value.to_owned(), span: language.span };
                unknown(&what, "language", &place, &languages, findings);
                continue;
            }
            let list = match value_of(texts.get_ref()) {
                Some(Value::List(items)) => items.iter().filter_map(Value::as_text).map(str::to_owned).collect(),
                _ => Vec::new(),
            };
            if list.is_empty() {
                let hint = "write { en = [\"fridge\", \"refrigerator\"] }".to_owned();
                findings.error(texts.span(), format!("{what}: choice '{}' has no phrases", name.value), hint);
            }
            phrases.insert(tag, list);
        }
        choices.insert(name.value.to_owned(), phrases);
    }
    choices
}

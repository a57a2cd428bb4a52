//! `[[test]]`: the test cases that stand in a plan file. Their form is checked when the file is loaded.

use super::reader::{Table, type_of, value_of};
use crate::bridge::Digit;
use crate::findings::{Findings, suggest};
use crate::ivr::Value;
use crate::time::Wall;

const CALL: [&str; 4] = ["from", "language", "to", "trunk"];
const EXPECT: [&str; 6] = ["language", "level", "module", "outcome", "path", "queue"];

pub(super) fn read_cases(plan: &mut Table<'_>, findings: &mut Findings<'_>) {
    let mut names: Vec<String> = Vec::new();
    for mut case in plan.tables("test", findings) {
        case.what = "test".to_owned();
        if let Some(name) = case.required_text("name", findings) {
            case.what = format!("test '{}'", name.value);
            if names.contains(&name.value) {
                findings.error(name.span, format!("there are two tests '{}'", name.value), None);
            }
            names.push(name.value);
        }
        read_words(&mut case, "call", &CALL, findings);
        if let Some(at) = case.text("at", findings).filter(|at| at.value.parse::<Wall>().is_err()) {
            let hint = "write it as \"2026-11-25T11:00:00+01:00\"".to_owned();
            findings.error(at.span, format!("{}: at is not a time", case.what), hint);
        }
        if let Some(digits) = case.text("digits", findings)
            && let Some(bad) = digits.value.chars().find(|c| *c != ' ' && Digit::new(*c).is_none())
        {
            let message = format!("{}: digits has '{bad}', which is no key of a telephone", case.what);
            findings.error(digits.span, message, "use 0-9, *, # and spaces".to_owned());
        }
        case.texts("say", findings);
        if let Some(lookups) = case.table("lookups", findings) {
            for (key, value) in lookups.all() {
                if value_of(value.get_ref()).is_none() {
                    let message = format!("{}: lookup {} is {}", case.what, key.value, type_of(value.get_ref()));
                    findings.error(value.span(), message, None);
                }
            }
        }
        if case.has("expect") {
            read_words(&mut case, "expect", &EXPECT, findings);
        } else {
            case.value("expect");
            case.missing("expect", findings);
        }
        case.finish(findings);
    }
}

/// A table whose keys are known and whose values are texts, or lists of texts.
fn read_words(case: &mut Table<'_>, key: &'static str, known: &[&'static str], findings: &mut Findings<'_>) {
    let Some(words) = case.table(key, findings) else { return };
    for (word, value) in words.all() {
        if !known.contains(&word.value) {
            let hint = suggest(word.value, known.iter().copied());
            findings.error(word.span, format!("{}: {key} has no '{}'", case.what, word.value), hint);
        }
        let fine = match value_of(value.get_ref()) {
            Some(Value::Text(_)) => true,
            Some(Value::List(items)) => items.iter().all(|item| item.as_text().is_some()),
            _ => false,
        };
        if !fine {
            let message =
                format!("{}: {key}: {} is {}; it is to be a text", case.what, word.value, type_of(value.get_ref()));
            findings.error(value.span(), message, None);
        }
    }
}

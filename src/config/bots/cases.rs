//! `[[test]]` in a bot's file.

use std::collections::BTreeMap;

use super::{Known, unknown};
use crate::callbot::case::{Case, Expectation, Input};
use crate::callbot::dialogue::Reason;
use crate::dialplan::reader::{At, Table, value_of};
use crate::findings::{Findings, suggest};
use crate::ids::Language;
use crate::time::Wall;

/// When a test takes place that does not say it: a Saturday.
const USUAL_TIME: &str = "2026-11-28T11:00:00+01:00";

pub(super) fn read_all(bot: &mut Table<'_>, known: &Known<'_>, findings: &mut Findings<'_>) -> Vec<Case> {
    let tables = bot.tables("test", findings);
    tables.into_iter().map(|table| read(table, known, findings)).collect()
}

fn read(mut table: Table<'_>, known: &Known<'_>, findings: &mut Findings<'_>) -> Case {
    table.what = "test".to_owned();
    let name = table.required_text("name", findings).map(|name| name.value).unwrap_or_default();
    table.what = format!("test '{name}'");
    let language = table.text("language", findings).map(|language| {
        let tag = Language::from(language.value.as_str());
        if !known.languages.contains(&tag) {
            let languages: Vec<String> = known.languages.iter().map(ToString::to_string).collect();
            unknown(&table.what, "language", &language, &languages, findings);
        }
        tag
    });
    let usual: Wall = USUAL_TIME.parse().unwrap_or_default();
    let at = table.text("at", findings).map_or(usual, |at| {
        at.value.parse().unwrap_or_else(|_| {
            let hint = format!("write it as \"{USUAL_TIME}\"");
            findings.error(at.span, format!("{}: at is not a time", table.what), hint);
            usual
        })
    });
    let recogniser = table.flag("recogniser", findings).is_none_or(|there| there.value);
    let mut inputs = Vec::new();
    for line in table.texts("say", findings).into_iter().flat_map(|texts| texts.value) {
        match Input::parse(&line.value) {
            Ok(input) => inputs.push(input),
            Err(fault) => findings.error(line.span, format!("{}: say: {fault}", table.what), None),
        }
    }
    let look_ups = read_look_ups(&mut table, findings);
    let expect = read_expectation(&mut table, known, findings);
    let case = Case {
        line: findings.position(table.span.start).0,
        file: findings.source.path.clone(),
        language: language.or_else(|| known.languages.first().cloned()).unwrap_or_else(|| Language::from("en")),
        name,
        at,
        recogniser,
        inputs,
        look_ups,
        expect,
    };
    table.finish(findings);
    case
}

/// `look_ups = { orders = { state = "shipped" } }`.
fn read_look_ups(table: &mut Table<'_>, findings: &mut Findings<'_>) -> BTreeMap<String, BTreeMap<String, String>> {
    let what = format!("{}: look_ups", table.what);
    let mut answers = BTreeMap::new();
    for (service, value) in table.table("look_ups", findings).iter().flat_map(Table::all) {
        let mut fields = BTreeMap::new();
        for (name, value) in Table::of(&what, value, findings).iter().flat_map(Table::all) {
            let text = value_of(value.get_ref()).map(|value| value.to_string()).unwrap_or_default();
            fields.insert(name.value.to_owned(), text);
        }
        answers.insert(service.value.to_owned(), fields);
    }
    answers
}

fn read_expectation(table: &mut Table<'_>, known: &Known<'_>, findings: &mut Findings<'_>) -> Expectation {
    let mut expectation = Expectation::default();
    if !table.has("expect") {
        table.value("expect");
        table.missing("expect", findings);
        return expectation;
    }
    let what = table.what.clone();
    let Some(mut own) = table.table("expect", findings) else { return expectation };
    own.what = format!("{what}: expect");
    if let Some(intent) = own.text("intent", findings) {
        let names: Vec<String> = known.intents.iter().cloned().chain([super::NONE.to_owned()]).collect();
        if !names.contains(&intent.value) {
            unknown(&own.what, "intent", &intent, &names, findings);
        }
        expectation.intent = Some(intent.value);
    }
    for (name, value) in own.table("slots", findings).iter().flat_map(Table::all) {
        if !known.slots.iter().any(|slot| slot == name.value) {
            let place = At { value: name.value.to_owned(), span: name.span.clone() };
            unknown(&what, "slot", &place, &known.slots, findings);
        }
        let value = value_of(value.get_ref()).map(|value| value.to_string()).unwrap_or_default();
        expectation.slots.insert(name.value.to_owned(), value);
    }
    if let Some(ending) = own.text("ending", findings) {
        let words = ["none", "served"].into_iter().chain(Reason::ALL.map(Reason::word));
        if !words.clone().any(|word| word == ending.value) {
            let hint = suggest(&ending.value, words);
            findings.error(ending.span, format!("{}: no conversation ends as '{}'", own.what, ending.value), hint);
        }
        expectation.ending = Some(ending.value);
    }
    let heard = own.texts("heard", findings).map(|texts| texts.value).unwrap_or_default();
    expectation.heard = heard.into_iter().map(|prompt| prompt.value).collect();
    expectation.misses = own.integer("misses", 0..=100, findings).map(|misses| misses.value.unsigned_abs() as usize);
    expectation.language = own.text("language", findings).map(|language| Language::from(language.value.as_str()));
    own.finish(findings);
    expectation
}

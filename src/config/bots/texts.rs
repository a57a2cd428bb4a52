//! What a bot says: names of prompts, and values among them.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Known;
use crate::callbot::bot::{Piece, Text, Texts};
use crate::dialplan::reader::{Table, type_of, value_of};
use crate::findings::{Findings, suggest};
use crate::ivr::{SAY_KEYS, Value, said_of};
use crate::spoken;

const MOST_PIECES: usize = 50;

/// `[texts]`.
pub(super) fn general(table: &mut Table<'_>, known: &Known<'_>, findings: &mut Findings<'_>) -> Texts {
    let mut texts = Texts::default();
    if !table.has("texts") {
        table.value("texts");
        table.missing("texts", findings);
        return texts;
    }
    let Some(mut own) = table.table("texts", findings) else { return texts };
    texts.greeting = required(&mut own, "greeting", known, findings);
    texts.not_understood = required(&mut own, "not_understood", known, findings);
    texts.still_there = required(&mut own, "still_there", known, findings);
    texts.moment = required(&mut own, "moment", known, findings);
    texts.go_ahead = required(&mut own, "go_ahead", known, findings);
    texts.anything_else = required(&mut own, "anything_else", known, findings);
    texts.goodbye = required(&mut own, "goodbye", known, findings);
    texts.hand_over = required(&mut own, "hand_over", known, findings);
    texts.keypad = optional(&mut own, "keypad", known, findings);
    texts.type_it = optional(&mut own, "type_it", known, findings);
    texts.one_or_two = optional(&mut own, "one_or_two", known, findings);
    own.finish(findings);
    texts
}

pub(super) fn required(
    table: &mut Table<'_>,
    key: &'static str,
    known: &Known<'_>,
    findings: &mut Findings<'_>,
) -> Text {
    if !table.has(key) {
        table.value(key);
        table.missing(key, findings);
    }
    optional(table, key, known, findings)
}

/// One prompt, one value, or a list of such; empty where the key is not there.
pub(super) fn optional(
    table: &mut Table<'_>,
    key: &'static str,
    known: &Known<'_>,
    findings: &mut Findings<'_>,
) -> Text {
    let Some(value) = table.value(key) else { return Text::new() };
    let what = format!("{}: {key}", table.what);
    match value.get_ref() {
        DeValue::Array(items) if items.is_empty() || items.len() > MOST_PIECES => {
            findings.error(value.span(), format!("{what} is to have 1 to {MOST_PIECES} entries"), None);
            Text::new()
        }
        DeValue::Array(items) => items.iter().filter_map(|item| piece(&what, item, known, findings)).collect(),
        _ => piece(&what, value, known, findings).into_iter().collect(),
    }
}

fn piece(what: &str, item: &Spanned<DeValue<'_>>, known: &Known<'_>, findings: &mut Findings<'_>) -> Option<Piece> {
    match item.get_ref() {
        DeValue::String(prompt) => {
            let default = known.names.default_language.as_ref().and_then(|language| known.names.prompts.get(language));
            for language in &known.languages {
                let own = known.names.prompts.get(language);
                let there = [own, default].into_iter().flatten().any(|prompts| prompts.contains(&**prompt));
                if !there {
                    let all = own.into_iter().flatten().map(String::as_str);
                    let hint = suggest(prompt, all)
                        .unwrap_or_else(|| format!("write [{prompt}] into prompts.toml and run deploy/make-prompts"));
                    findings.error(item.span(), format!("{what}: there is no prompt '{prompt}' in {language}"), hint);
                    break;
                }
            }
            Some(Piece::Prompt(prompt.clone().into_owned()))
        }
        DeValue::Table(entry) => said(what, entry, item, known, findings),
        other => {
            let message = format!("{what} is {}; it is to be a prompt or a list of prompts and values", type_of(other));
            findings.error(item.span(), message, None);
            None
        }
    }
}

/// `{ say = "digits", value = "order_number" }`.
fn said(
    what: &str,
    entry: &DeTable<'_>,
    item: &Spanned<DeValue<'_>>,
    known: &Known<'_>,
    findings: &mut Findings<'_>,
) -> Option<Piece> {
    for key in entry.keys().filter(|key| !SAY_KEYS.contains(&key.get_ref().as_ref())) {
        let hint = suggest(key.get_ref(), SAY_KEYS);
        findings.error(key.span(), format!("{what}: a value has no '{}'", key.get_ref()), hint);
    }
    let Some(Value::Map(values)) = value_of(item.get_ref()) else { return None };
    let Some(said) = said_of(&values) else {
        let kinds = spoken::Kind::ALL.map(spoken::Kind::name).join(", ");
        let hint = format!("write {{ say = \"digits\", value = \"order_number\" }}; say is one of {kinds}");
        findings.error(item.span(), format!("{what}: it is not said how the value is said"), hint);
        return None;
    };
    let of = values.get("value").and_then(Value::as_text).unwrap_or_default().to_owned();
    let names = known.slots.iter().chain(&known.fields);
    if !names.clone().any(|name| *name == of) {
        let place = entry.get("value").map_or_else(|| item.span(), Spanned::span);
        let hint = suggest(&of, names.map(String::as_str));
        findings.error(place, format!("{what}: value names no slot and no field of a look-up: '{of}'"), hint);
    }
    for language in &known.languages {
        let lacks = match known.names.spoken(language) {
            Some(table) => table.lacks(said.kind, said.set.as_deref()),
            None => vec!["spoken.toml".to_owned()],
        };
        if !lacks.is_empty() {
            let message = format!("{what}: this cannot be said in {language}: {} is missing", lacks.join(", "));
            findings.error(item.span(), message, None);
        }
    }
    Some(Piece::Value { said, of })
}

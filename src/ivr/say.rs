//! Values in lists of prompts: `["you-are-number", { say = "number", value = 3 }]`.

use std::collections::BTreeMap;

use super::inputs::{Inputs, Names, Value};
use super::spec::Kind as InputKind;
use crate::ids::Language;
use crate::spoken::{Amount, Kind, Said};
use crate::time::Wall;

/// The keys of a value to be said.
pub const KEYS: [&str; 4] = ["currency", "of", "say", "value"];

/// What an entry of a list says, where it is a value and no name: `{ say = …, value = …, of = …, currency = … }`.
pub fn said_of(entry: &BTreeMap<String, Value>) -> Option<Said> {
    let text = |key: &str| entry.get(key).and_then(Value::as_text);
    let kind = Kind::from_name(text("say")?)?;
    let set = match kind {
        Kind::Money => text("currency").map(str::to_ascii_lowercase),
        _ => text("of").map(str::to_owned),
    };
    Some(Said { kind, set })
}

/// A plan's value as one that can be said.
pub fn amount_of(value: &Value) -> Option<Amount<'_>> {
    match value {
        Value::Integer(number) => Some(Amount::Integer(*number)),
        Value::Text(text) => Some(Amount::Text(text)),
        _ => None,
    }
}

impl Inputs {
    /// Puts the fragments of values into the places of the values. A value that is not there, or cannot be said, is
    /// left out: the caller hears the rest.
    pub fn spell_out(mut self, names: &Names, language: &Language, now: Wall) -> Inputs {
        let spec = self.module.spec();
        for (name, value) in &mut self.values {
            let Value::List(items) = value else { continue };
            let prompts = spec.input(name).is_some_and(|input| input.kind == InputKind::Prompt);
            if prompts && items.iter().any(|item| matches!(item, Value::Map(_))) {
                let said = std::mem::take(items).into_iter().flat_map(|item| match item {
                    Value::Map(entry) => fragments(&entry, names, language, now).into_iter().map(Value::Text).collect(),
                    item => vec![item],
                });
                *items = said.collect();
            }
        }
        self
    }
}

fn fragments(entry: &BTreeMap<String, Value>, names: &Names, language: &Language, now: Wall) -> Vec<String> {
    let said = || -> Option<Vec<String>> {
        let amount = amount_of(entry.get("value")?)?;
        said_of(entry)?.prompts(amount, names.spoken(language)?, now)
    };
    said().unwrap_or_default()
}

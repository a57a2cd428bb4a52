//! Reading what an operator wants said to those who wait.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Names, Value};
use crate::comfort::{Comfort, MOST_COMFORTS, Words};
use crate::ids::Language;
use crate::spoken::Kind;

/// The latest first time, and the longest interval.
const LATEST_S: i64 = 86_400;
/// What is said more often leaves no music.
const SHORTEST_S: i64 = 5;
/// Prompts one after the other.
const MOST_PROMPTS: usize = 10;

const COMFORT: &str = "{ prompt = \"please-wait\", after_s = 20, every_s = 60 }, or say = \"position\" or \"estimate\" \
                       in place of the prompt";

/// `[{ prompt = "please-wait", after_s = 20, every_s = 60 }, { say = "estimate", after_s = 45 }]`. Else what is wrong.
pub fn comforts(value: &Value) -> Result<Vec<Comfort>, String> {
    let Value::List(items) = value else { return Err(format!("is {}; it is to be a list", value.describe())) };
    if items.len() > MOST_COMFORTS {
        return Err(format!("has {} entries; {MOST_COMFORTS} are the most", items.len()));
    }
    items.iter().map(comfort).collect()
}

/// Why a language cannot say it, prompts apart; `None` where it can.
pub fn unsayable(words: &Words, language: &Language, names: &Names) -> Option<String> {
    if *words != Words::Estimate {
        return None;
    }
    let lacks = match names.spoken(language) {
        Some(table) => table.lacks(Kind::Number, Some("minutes")),
        None => vec!["all rules".to_owned()],
    };
    let lacks = lacks.first()?;
    Some(format!("an estimate cannot be said in language '{language}': {language}/spoken.toml lacks {lacks}"))
}

fn comfort(item: &Value) -> Result<Comfort, String> {
    let Value::Map(entry) = item else { return Err(format!("has {} as an entry; write {COMFORT}", item.describe())) };
    let known = |key: &&String| matches!(key.as_str(), "prompt" | "say" | "after_s" | "every_s");
    if let Some(other) = entry.keys().find(|key| !known(key)) {
        return Err(format!("has an entry with '{other}'; write {COMFORT}"));
    }
    let after =
        seconds(entry, "after_s", 0)?.ok_or_else(|| format!("has an entry without after_s; write {COMFORT}"))?;
    Ok(Comfort { words: words(entry)?, after, every: seconds(entry, "every_s", SHORTEST_S)? })
}

fn seconds(entry: &BTreeMap<String, Value>, key: &str, least: i64) -> Result<Option<Duration>, String> {
    match entry.get(key) {
        None => Ok(None),
        Some(Value::Integer(integer)) if (least..=LATEST_S).contains(integer) => {
            Ok(Some(Duration::from_secs(integer.unsigned_abs())))
        }
        Some(_) => Err(format!("has an entry whose {key} is no whole number from {least} to {LATEST_S}")),
    }
}

fn words(entry: &BTreeMap<String, Value>) -> Result<Words, String> {
    match (entry.get("prompt"), entry.get("say")) {
        (Some(Value::Text(prompt)), None) => Ok(Words::Prompts(vec![prompt.clone()])),
        (Some(Value::List(items)), None) if (1..=MOST_PROMPTS).contains(&items.len()) => {
            let names: Option<Vec<String>> = items.iter().map(|item| item.as_text().map(str::to_owned)).collect();
            names.map(Words::Prompts).ok_or_else(|| "has an entry whose prompt is not a list of names".to_owned())
        }
        (Some(_), None) => {
            Err(format!("has an entry whose prompt is neither a name nor a list of 1 to {MOST_PROMPTS} names"))
        }
        (None, Some(Value::Text(say))) if say == "position" => Ok(Words::Position),
        (None, Some(Value::Text(say))) if say == "estimate" => Ok(Words::Estimate),
        (None, Some(_)) => Err("has an entry that says neither \"position\" nor \"estimate\"".to_owned()),
        (Some(_), Some(_)) | (None, None) => {
            Err(format!("has an entry with both or none of prompt and say; write {COMFORT}"))
        }
    }
}

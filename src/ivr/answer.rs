//! Answers of HTTP services: what a plan takes out of them, each with a type and a value that stands in for it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::inputs::Value;

/// Bounds of what a plan takes out of an answer.
const LONGEST_TEXT: usize = 2_000;
const MOST_ITEMS: usize = 100;
const DEEPEST: usize = 4;
const MOST_FIELDS: usize = 50;

/// How a look-up went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookUpResult {
    Ok,
    /// 404 or 410 (RFC 9110 §15.5.5): the service works, and does not know.
    NotFound,
    TimedOut,
    /// No answer, another status, or no JSON.
    Failed,
    /// As many look-ups as the service is given were under way.
    Busy,
}

impl LookUpResult {
    pub const WORDS: &[&str] = &["ok", "not_found", "timed_out", "failed", "busy"];

    pub fn word(self) -> &'static str {
        match self {
            LookUpResult::Ok => "ok",
            LookUpResult::NotFound => "not_found",
            LookUpResult::TimedOut => "timed_out",
            LookUpResult::Failed => "failed",
            LookUpResult::Busy => "busy",
        }
    }

    fn from_word(word: &str) -> Option<LookUpResult> {
        use LookUpResult::*;
        [Ok, NotFound, TimedOut, Failed, Busy].into_iter().find(|result| result.word() == word)
    }
}

/// What a service answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub result: LookUpResult,
    /// The HTTP status; 0 without an answer.
    pub status: u16,
    /// The fields that were there and of their type.
    pub values: BTreeMap<String, Value>,
    /// Why it is not `Ok`, for people; else empty.
    pub reason: String,
}

impl Answer {
    pub fn without(result: LookUpResult, reason: impl Into<String>) -> Answer {
        Answer { result, status: 0, values: BTreeMap::new(), reason: reason.into() }
    }

    /// The answer that a test case states: a result's word, or a table of the fields (`{ tier = "gold" }`), which may
    /// hold `result` and `status` as well.
    pub fn stated(stated: &Value, fields: &Fields) -> Result<Answer, String> {
        let known = |word: &str| {
            LookUpResult::from_word(word)
                .ok_or_else(|| format!("'{word}' is no result of a look-up: {}", LookUpResult::WORDS.join(", ")))
        };
        match stated {
            Value::Text(word) => {
                let result = known(word)?;
                let status = if result == LookUpResult::NotFound { 404 } else { 0 };
                Ok(Answer { status, ..Answer::without(result, "") })
            }
            Value::Map(entries) => {
                let mut answer = Answer { status: 200, ..Answer::without(LookUpResult::Ok, "") };
                for (name, value) in entries {
                    match (name.as_str(), value) {
                        ("result", Value::Text(word)) => answer.result = known(word)?,
                        ("status", Value::Integer(status)) => {
                            answer.status =
                                u16::try_from(*status).map_err(|_| format!("{status} is no HTTP status"))?;
                        }
                        (name, value) if fields.0.contains_key(name) => {
                            answer.values.insert(name.to_owned(), value.clone());
                        }
                        (name, _) => return Err(format!("the look-up has no field '{name}'")),
                    }
                }
                Ok(answer)
            }
            other => Err(format!("{} is no answer; write a result's word or a table of fields", other.describe())),
        }
    }
}

/// One value to be taken out of a JSON answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// A JSON Pointer (RFC 6901).
    pointer: String,
    /// Stands where the answer has nothing of its type there; so it says which type.
    pub default: Value,
}

/// The fields of a look-up, by their names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fields(pub BTreeMap<String, Field>);

impl Fields {
    /// Reads the input `fields`: `{ tier = "customer.tier", orders = { path = "orders.open", default = 0 } }`. `Err` names
    /// the field and what is wrong with it.
    pub fn read(input: &Value) -> Result<Fields, (String, String)> {
        let Value::Map(entries) = input else { return Ok(Fields::default()) };
        if entries.len() > MOST_FIELDS {
            return Err((String::new(), format!("there are more than {MOST_FIELDS} fields")));
        }
        let mut fields = BTreeMap::new();
        for (name, entry) in entries {
            let wrong = |fault: &str| (name.clone(), fault.to_owned());
            let (path, default) = match entry {
                Value::Text(path) => (path, Value::from("")),
                Value::Map(entry) => {
                    let unknown = entry.keys().find(|key| !matches!(key.as_str(), "path" | "default"));
                    if let Some(unknown) = unknown {
                        return Err((name.clone(), format!("has an unknown key '{unknown}'; it has path and default")));
                    }
                    let Some(Value::Text(path)) = entry.get("path") else {
                        return Err(wrong("needs a path, as { path = \"customer.tier\", default = \"none\" }"));
                    };
                    (path, entry.get("default").cloned().unwrap_or_else(|| Value::from("")))
                }
                _ => return Err(wrong("is to be a path in the answer, as \"customer.tier\"")),
            };
            let pointer = pointer(path).ok_or_else(|| wrong("has an empty step in its path"))?;
            fields.insert(name.clone(), Field { pointer, default });
        }
        Ok(Fields(fields))
    }

    /// Takes the fields out of an answer. What is missing or of another type is left out.
    pub fn take(&self, answer: &serde_json::Value) -> BTreeMap<String, Value> {
        let found = self.0.iter().filter_map(|(name, field)| {
            let value = answer.pointer(&field.pointer)?;
            Some((name.clone(), fit(value, &field.default)?))
        });
        found.collect()
    }
}

/// `customer.tier`, `orders.0.id`, or a JSON Pointer (`/customer/tier`) for names with dots in them.
fn pointer(path: &str) -> Option<String> {
    if path.starts_with('/') {
        return Some(path.to_owned());
    }
    let mut pointer = String::new();
    for step in path.split('.') {
        if step.is_empty() {
            return None;
        }
        pointer.push('/');
        pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
    }
    Some(pointer)
}

/// The JSON value as one of the type of `default`.
fn fit(json: &serde_json::Value, default: &Value) -> Option<Value> {
    use serde_json::Value as Json;
    match (default, json) {
        (Value::Text(_), Json::String(text)) => bounded(text),
        (Value::Text(_), Json::Number(number)) => bounded(&number.to_string()),
        (Value::Text(_), Json::Bool(flag)) => Some(Value::Text(flag.to_string())),
        (Value::Integer(_), Json::Number(number)) => whole(number).map(Value::Integer),
        (Value::Integer(_), Json::String(text)) => text.trim().parse().ok().map(Value::Integer),
        (Value::Double(_), Json::Number(number)) => double(number),
        (Value::Flag(_), Json::Bool(flag)) => Some(Value::Flag(*flag)),
        (Value::List(_), Json::Array(_)) | (Value::Map(_), Json::Object(_)) => value_of(json, DEEPEST),
        _ => None,
    }
}

fn bounded(text: &str) -> Option<Value> {
    (text.len() <= LONGEST_TEXT).then(|| Value::from(text))
}

fn double(number: &serde_json::Number) -> Option<Value> {
    number.as_f64().filter(|double| double.is_finite()).map(Value::Double)
}

/// `12` and `12.0`, as JSON knows no difference.
fn whole(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let float = number.as_f64()?;
        // Up to 2^53 every whole number is a float of its own.
        (float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0).then_some(float as i64)
    })
}

/// Any JSON value within the bounds. Nulls in lists and tables are left out: plans know none.
fn value_of(json: &serde_json::Value, depth: usize) -> Option<Value> {
    use serde_json::Value as Json;
    let depth = depth.checked_sub(1)?;
    Some(match json {
        Json::Null => return None,
        Json::Bool(flag) => Value::Flag(*flag),
        Json::Number(number) => whole(number).map(Value::Integer).or_else(|| double(number))?,
        Json::String(text) => bounded(text)?,
        Json::Array(items) if items.len() <= MOST_ITEMS => Value::List(
            items.iter().filter(|item| !item.is_null()).map(|item| value_of(item, depth)).collect::<Option<_>>()?,
        ),
        Json::Object(entries) if entries.len() <= MOST_ITEMS => Value::Map(
            entries
                .iter()
                .filter(|(_, item)| !item.is_null())
                .map(|(key, item)| Some((key.clone(), value_of(item, depth)?)))
                .collect::<Option<_>>()?,
        ),
        Json::Array(_) | Json::Object(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        let table: BTreeMap<String, Value> = toml::from_str(text).unwrap();
        Fields::read(&Value::Map(table)).unwrap()
    }

    #[test]
    fn values_are_taken_by_their_paths_and_types() {
        let fields = fields(
            "tier = 'customer.tier'\nage = { path = 'customer.age', default = 0 }\nvip = { path = 'vip', default = false }\n\
             first = 'orders.0.id'\nodd = '/a.b/c~1d'\ntags = { path = 'tags', default = [] }\n\
             address = { path = 'address', default = {} }\nstringly = { path = 's', default = 0 }",
        );
        let answer = serde_json::json!({
            "customer": { "tier": "gold", "age": 42.0 }, "vip": true, "orders": [{ "id": 17 }],
            "a.b": { "c/d": "odd" }, "tags": ["x", null, 2], "address": { "city": "Lyon", "floor": null }, "s": " 12 "
        });
        let found = fields.take(&answer);
        let shown: Vec<String> = found.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            shown,
            [
                "address={city = Lyon}",
                "age=42",
                "first=17",
                "odd=odd",
                "stringly=12",
                "tags=[x, 2]",
                "tier=gold",
                "vip=true"
            ]
        );
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_left_to_its_default() {
        let fields = fields(
            "text = 'text'\nnumber = { path = 'number', default = 1 }\nflag = { path = 'flag', default = true }\n\
             list = { path = 'list', default = [] }\ntable = { path = 'table', default = {} }",
        );
        let long = "x".repeat(LONGEST_TEXT + 1);
        let many = vec![1; MOST_ITEMS + 1];
        let deep = serde_json::json!({ "a": { "a": { "a": { "a": { "a": 1 } } } } });
        for answer in [
            serde_json::json!(null),
            serde_json::json!([]),
            serde_json::json!("text"),
            serde_json::json!({}),
            serde_json::json!({ "text": null, "number": null, "flag": null, "list": null, "table": null }),
            serde_json::json!({ "text": {}, "number": 1.5, "flag": 1, "list": {}, "table": [] }),
            serde_json::json!({ "text": long, "number": 1e300, "flag": "true", "list": many, "table": deep }),
            serde_json::json!({ "text": [], "number": "12x", "flag": [], "list": "a", "table": 1.5 }),
        ] {
            assert_eq!(fields.take(&answer), BTreeMap::new(), "{answer:.80}");
        }
    }

    #[test]
    fn numbers_with_decimals_are_taken() {
        let fields = fields("share = { path = 'share', default = 0.5 }\nall = { path = 'all', default = [] }");
        let taken = fields.take(&serde_json::json!({ "share": 2, "all": [1, 1.5] }));
        assert_eq!(taken["share"], Value::Double(2.0));
        assert_eq!(taken["all"], Value::List(vec![Value::Integer(1), Value::Double(1.5)]));
    }

    #[test]
    fn faults_of_fields_are_named() {
        let cases = [
            ("a = 1", "is to be a path"),
            ("a = 'b..c'", "empty step"),
            ("a = { default = 1 }", "needs a path"),
            ("a = { path = 'b', defualt = 1 }", "unknown key 'defualt'"),
        ];
        for (text, expected) in cases {
            let table: BTreeMap<String, Value> = toml::from_str(text).unwrap();
            let (field, fault) = Fields::read(&Value::Map(table)).unwrap_err();
            assert_eq!(field, "a");
            assert!(fault.contains(expected), "{fault}");
        }
    }

    #[test]
    fn a_test_case_states_answers() {
        let fields = fields("tier = 'tier'");
        let word = Answer::stated(&Value::from("timed_out"), &fields).unwrap();
        assert_eq!((word.result, word.status), (LookUpResult::TimedOut, 0));
        let table = Value::Map([("tier".to_owned(), Value::from("gold"))].into());
        let answer = Answer::stated(&table, &fields).unwrap();
        assert_eq!(
            (answer.result, answer.status, &answer.values["tier"]),
            (LookUpResult::Ok, 200, &Value::from("gold"))
        );
        assert!(Answer::stated(&Value::from("timeout"), &fields).is_err());
        assert!(Answer::stated(&Value::Map([("teir".to_owned(), Value::from("x"))].into()), &fields).is_err());
    }
}

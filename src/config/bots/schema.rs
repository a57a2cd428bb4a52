//! The form of bots' files and of their examples, for editors. The readers of this folder decide; a test holds the two
//! together.
#![expect(dead_code, reason = "these types are only described, never made")]

use std::collections::BTreeMap;

use schemars::JsonSchema;

/// A callbot of Relais: what callers may want of it, and what it does then.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Bot {
    /// The file's name where it is not given.
    name: Option<String>,
    /// The languages it speaks, the first one where nothing else is said; the centre's own where none is given.
    languages: Option<Vec<String>>,
    /// Files of what callers say, by name or with `*`; one a language.
    examples: Option<Vec<String>>,
    /// Whose days "tomorrow" is one of, as "Europe/Paris"; the centre's where it is not given.
    time_zone: Option<String>,
    /// Not understood so often in a row, and a person takes over. 2 where it is not given.
    #[schemars(range(min = 1, max = 10))]
    misses: Option<u32>,
    thresholds: Option<Thresholds>,
    times: Option<Times>,
    texts: Texts,
    slot: Option<Vec<Slot>>,
    intent: Vec<Intent>,
    test: Option<Vec<Test>>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Thresholds {
    /// From this confidence on an intent is believed; worked out from the examples where it is not given.
    #[schemars(range(max = 100))]
    accept_percent: Option<u32>,
    /// Below it the bot asks back; so it does where not what was heard is a wish, but only what it may have been instead. 60
    /// where it is not given; with 0 it never asks.
    #[schemars(range(max = 100))]
    sure_percent: Option<u32>,
    /// Words that the recogniser is less sure of are not looked at. 20 where it is not given.
    #[schemars(range(max = 100))]
    heard_percent: Option<u32>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Times {
    /// Nobody speaks: "are you still there?"
    #[schemars(range(min = 1_000, max = 60_000))]
    silence_ms: Option<u32>,
    /// After the caller's "one moment".
    #[schemars(range(min = 1_000, max = 120_000))]
    moment_ms: Option<u32>,
    /// Between two keys of a number.
    #[schemars(range(min = 500, max = 20_000))]
    between_keys_ms: Option<u32>,
    /// From the beginning of speech to its text; then the keypad takes over.
    #[schemars(range(min = 2_000, max = 60_000))]
    recogniser_ms: Option<u32>,
    /// The whole conversation.
    #[schemars(range(min = 30, max = 3_600))]
    longest_s: Option<u32>,
    /// So many times the caller may say or type something.
    #[schemars(range(min = 2, max = 200))]
    turns: Option<u32>,
}

/// What the bot says whatever is wanted.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Texts {
    greeting: Text,
    not_understood: Text,
    still_there: Text,
    /// After the caller's "one moment".
    moment: Text,
    go_ahead: Text,
    anything_else: Text,
    goodbye: Text,
    hand_over: Text,
    /// The menu of the intents' keys, where nobody understands speech.
    keypad: Option<Text>,
    /// Before a question that is now answered by key.
    type_it: Option<Text>,
    /// Behind a question that is answered by 1 or 2.
    one_or_two: Option<Text>,
}

/// A prompt, a value, or a list of such.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Text {
    One(Piece),
    Several(Vec<Piece>),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Piece {
    /// The name of a prompt.
    Prompt(String),
    Value(Said),
}

/// The value of a slot or of a field that was looked up, in words.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Said {
    say: SaidAs,
    /// The name of the slot or field.
    value: String,
    of: Option<String>,
    currency: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum SaidAs {
    Number,
    Ordinal,
    Position,
    Digits,
    Phone,
    Money,
    Date,
    Day,
    Weekday,
    Time,
    When,
    Duration,
}

/// Something that the bot asks for.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Slot {
    name: String,
    kind: Kind,
    /// The question.
    ask: Text,
    /// Said when the answer was none.
    invalid: Option<Text>,
    /// The question whether it was heard right.
    confirm: Option<Text>,
    /// Never in a transcript; recordings pause while it is asked for.
    private: Option<bool>,
    /// Fewest digits, or the lowest number.
    least: Option<u32>,
    /// Most digits, or the highest number.
    most: Option<u32>,
    /// Of kind pattern: N is a digit, L a letter; what stands before ? may be missing.
    pattern: Option<String>,
    /// Of kind choice: what callers say for each value, by language.
    choices: Option<BTreeMap<String, BTreeMap<String, Vec<String>>>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum Kind {
    Amount,
    Choice,
    Date,
    Digits,
    Email,
    Number,
    Pattern,
    Phone,
    Text,
    Time,
    YesNo,
}

/// Something that callers want.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Intent {
    name: String,
    /// Asks back where the bot is not sure.
    confirm: Option<Text>,
    /// Chooses it by keypad; 0 always leads to a person.
    #[schemars(regex(pattern = "^[1-9]$"))]
    key: Option<String>,
    step: Vec<Step>,
}

/// One of ask, confirm, look_up, answer, offer, hand_over, end.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Step {
    /// Slots or fields and the values, one or several, that they must have.
    when: Option<BTreeMap<String, Values>>,
    /// A slot, unless it has a value.
    ask: Option<String>,
    /// A slot: was it heard right?
    confirm: Option<String>,
    look_up: Option<LookUp>,
    answer: Option<Text>,
    /// A question that is answered by yes or no.
    offer: Option<Text>,
    /// What the offer leads to: go_on, hand_over, end, or an intent.
    yes: Option<String>,
    no: Option<String>,
    /// A person goes on; true, or what is said before.
    hand_over: Option<LastWords>,
    /// The conversation is over; true, or what is said before.
    end: Option<LastWords>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum LastWords {
    Usual(bool),
    Own(Text),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Values {
    One(String),
    Several(Vec<String>),
}

/// A question to a service of the configuration.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct LookUp {
    service: String,
    /// What follows the service's base URL, with slots in braces.
    url: Option<String>,
    /// Slots that are posted as a JSON object.
    body: Option<Vec<String>>,
    #[schemars(range(min = 50, max = 30_000))]
    timeout_ms: Option<u32>,
    /// Said meanwhile.
    text: Option<Text>,
    /// What is taken out of the answer: its path, or { path, default }.
    fields: Option<BTreeMap<String, Field>>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Field {
    Path(String),
    WithDefault { path: String, default: Option<String> },
}

/// A conversation and what is to come of it.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Test {
    name: String,
    language: Option<String>,
    /// When it takes place, as "2026-11-28T11:00:00+01:00".
    at: Option<String>,
    /// Whether speech recognition is at hand.
    recogniser: Option<bool>,
    /// What the caller says; `/keys 12#`, `/silence`, `/noise`, `/failure` besides.
    say: Option<Vec<String>>,
    /// What services answer.
    look_ups: Option<BTreeMap<String, BTreeMap<String, String>>>,
    expect: Expect,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Expect {
    intent: Option<String>,
    slots: Option<BTreeMap<String, String>>,
    /// served, none, or the reason of a hand-over.
    ending: Option<String>,
    /// Prompts in this order, maybe with others between.
    heard: Option<Vec<String>>,
    misses: Option<u32>,
    language: Option<String>,
}

/// What callers say in one language.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Examples {
    language: String,
    /// Sentences by intent; `none` is what is no wish.
    examples: Option<BTreeMap<String, Vec<String>>>,
    /// Short sentences by intent, which are examples too, and which a recogniser that can (Vosk) listens for beside free
    /// speech.
    listen_for: Option<BTreeMap<String, Vec<String>>>,
    words: Option<Words>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Words {
    /// What callers say who are angry.
    anger: Option<Vec<String>>,
}

/// The schema (draft 7) of a bot's file.
pub fn bot_schema() -> serde_json::Value {
    crate::config::schema::draft_7::<Bot>()
}

/// The schema (draft 7) of a file of examples.
pub fn examples_schema() -> serde_json::Value {
    crate::config::schema::draft_7::<Examples>()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::dialplan::reader::asked;

    #[test]
    fn the_schemas_know_every_key_that_is_read_and_no_other() {
        asked::all();
        super::super::tests::read_every_table();
        let (bot, examples) = (bot_schema(), examples_schema());
        let mut seen = 0;
        for (kind, keys) in asked::all() {
            let (schema, pointer) = match kind.as_str() {
                "bot" => (&bot, "/properties"),
                "texts" => (&bot, "/definitions/Texts/properties"),
                "thresholds" => (&bot, "/definitions/Thresholds/properties"),
                "times" => (&bot, "/definitions/Times/properties"),
                "slot" => (&bot, "/definitions/Slot/properties"),
                "intent" => (&bot, "/definitions/Intent/properties"),
                "intent: step: look_up" => (&bot, "/definitions/LookUp/properties"),
                "test: expect" => (&bot, "/definitions/Expect/properties"),
                "examples" => (&examples, "/properties"),
                "words" => (&examples, "/definitions/Words/properties"),
                _ => continue,
            };
            seen += 1;
            let described = schema.pointer(pointer).and_then(|keys| keys.as_object()).expect(&kind);
            let described: BTreeSet<&str> = described.keys().map(String::as_str).collect();
            assert_eq!(keys, described, "the keys of '{kind}' as read, and as its schema says");
        }
        assert_eq!(seen, 10, "every kind of table was read");
    }
}

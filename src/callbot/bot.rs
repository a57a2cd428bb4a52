//! A bot as an operator's file describes it. `config/bots` reads it; everything it names is there.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::matching::Example;
use super::slots::Kind;
use crate::bridge::Digit;
use crate::ids::Language;
use crate::spoken::Said;

/// A bot: what callers may want of it, and what it does then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bot {
    pub name: String,
    /// The first one is spoken where nothing else is said.
    pub languages: Vec<Language>,
    /// Whose days "tomorrow" is one of: an IANA name.
    pub time_zone: String,
    /// So many in a row, and a person takes over.
    pub misses: u32,
    pub thresholds: Thresholds,
    pub times: Times,
    pub texts: Texts,
    pub slots: BTreeMap<String, Slot>,
    pub intents: Vec<Intent>,
    /// What callers say who are angry.
    pub anger: BTreeMap<Language, Vec<String>>,
    /// What callers say, by language.
    pub examples: BTreeMap<Language, Vec<Example>>,
    /// Short ones among them, which a recogniser listens for beside free speech.
    pub listen_for: BTreeMap<Language, ListenFor>,
}

/// Sentences for a recogniser, in plain letters, with what they stand for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ListenFor {
    pub phrases: Vec<Example>,
    /// Others of the examples, by which it tells what is none of the phrases.
    pub also: Vec<Example>,
}

/// Probabilities, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// From here on an intent is believed; worked out from the examples where it is not given.
    pub accept: Option<f32>,
    /// Below it the bot asks back before it acts.
    pub sure: f32,
    /// The recogniser's confidence below which its words are not looked at.
    pub heard: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// Nobody speaks: "are you still there?"
    pub silence: Duration,
    /// After the caller's "one moment".
    pub moment: Duration,
    /// Between two keys of a number.
    pub between_keys: Duration,
    /// From the beginning of speech to its text.
    pub recogniser: Duration,
    /// The whole conversation.
    pub longest: Duration,
    /// What the caller says or types, so many times.
    pub turns: u32,
}

/// What is said, as prompts and values.
pub type Text = Vec<Piece>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Piece {
    Prompt(String),
    /// The value of a slot or of a field that was looked up, in words.
    Value {
        said: Said,
        of: String,
    },
}

/// What the bot says whatever the intent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Texts {
    pub greeting: Text,
    pub not_understood: Text,
    pub still_there: Text,
    pub moment: Text,
    pub go_ahead: Text,
    pub anything_else: Text,
    pub goodbye: Text,
    pub hand_over: Text,
    /// The menu of the intents' keys, for when nobody understands speech.
    pub keypad: Text,
    /// Said before a question that is now to be answered by key.
    pub type_it: Text,
    /// Behind a question to be answered by 1 or 2.
    pub one_or_two: Text,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    pub kind: Kind,
    pub ask: Text,
    /// Said when the answer was none; the general text where it is empty.
    pub invalid: Text,
    /// The question whether it was heard right.
    pub confirm: Text,
    /// Never in a transcript; recordings pause while it is asked for.
    pub private: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    pub name: String,
    /// The question whether this is what is wanted.
    pub confirm: Text,
    /// Chooses it by keypad.
    pub key: Option<Digit>,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// All of these must hold: a slot or field has one of these values.
    pub when: Vec<(String, Vec<String>)>,
    pub act: Act,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Act {
    /// Asks for a slot unless it has a value.
    Ask(String),
    /// Asks whether a slot's value is right.
    Confirm(String),
    LookUp(Box<Question>),
    Answer(Text),
    /// A question that is answered by yes or no.
    Offer {
        text: Text,
        yes: Then,
        no: Then,
    },
    /// A person goes on.
    HandOver(Text),
    End(Text),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Then {
    GoOn,
    HandOver,
    End,
    /// Another intent, by its place.
    Intent(usize),
}

/// A question to a service outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// The name of a service of the configuration.
    pub service: String,
    /// What follows the service's base URL, with slots in braces.
    pub url: String,
    /// Slots sent as a JSON object by POST; by GET where there are none.
    pub body: Vec<String>,
    /// Fields of the answer: their path in it, and what stands for them where they are missing.
    pub fields: BTreeMap<String, (String, String)>,
    pub timeout: Duration,
    /// Said meanwhile.
    pub text: Text,
}

impl Bot {
    /// For those who converse and have what a sentence is taken for from elsewhere.
    pub fn without_examples(&self) -> Bot {
        Bot { examples: BTreeMap::new(), ..self.clone() }
    }

    pub fn intent(&self, name: &str) -> Option<usize> {
        self.intents.iter().position(|intent| intent.name == name)
    }

    /// The bot's own form of a language: `fr` for `fr-CA`.
    pub fn language(&self, wanted: &Language) -> Option<&Language> {
        let main = |language: &Language| language.as_str().split('-').next().unwrap_or_default().to_owned();
        let same = self.languages.iter().find(|language| *language == wanted);
        same.or_else(|| self.languages.iter().find(|language| main(language) == main(wanted)))
    }

    /// Every text and the place it is used at, for checks.
    pub fn texts(&self) -> impl Iterator<Item = &Text> {
        let general = [
            &self.texts.greeting,
            &self.texts.not_understood,
            &self.texts.still_there,
            &self.texts.moment,
            &self.texts.go_ahead,
            &self.texts.anything_else,
            &self.texts.goodbye,
            &self.texts.hand_over,
            &self.texts.keypad,
            &self.texts.type_it,
            &self.texts.one_or_two,
        ];
        let slots = self.slots.values().flat_map(|slot| [&slot.ask, &slot.invalid, &slot.confirm]);
        let steps = self.intents.iter().flat_map(|intent| &intent.steps).filter_map(|step| match &step.act {
            Act::Ask(_) | Act::Confirm(_) => None,
            Act::LookUp(question) => Some(&question.text),
            Act::Answer(text) | Act::Offer { text, .. } | Act::HandOver(text) | Act::End(text) => Some(text),
        });
        general.into_iter().chain(slots).chain(self.intents.iter().map(|intent| &intent.confirm)).chain(steps)
    }
}

//! What the tests of this room share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use super::bot::{Act, Bot, Intent, Piece, Question, Slot, Step, Text, Texts, Then, Thresholds, Times};
use super::encoder::{Encoder, FILES};
use super::slots::Kind;
use crate::bridge::Digit;
use crate::ids::Language;

/// The sentence encoder where `deploy/fetch-encoder` has put it; says so once where it is not there.
pub fn encoder() -> Option<&'static Encoder> {
    static ENCODER: OnceLock<Option<Encoder>> = OnceLock::new();
    let read = || {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("var/models/sentence-encoder");
        let files: Option<BTreeMap<String, Vec<u8>>> =
            FILES.into_iter().map(|name| Some((name.to_owned(), std::fs::read(folder.join(name)).ok()?))).collect();
        match files {
            Some(files) => Some(Encoder::read(&files).expect("the encoder's files are whole")),
            None => {
                println!("skipped: no sentence encoder in {}; deploy/fetch-encoder gets it", folder.display());
                None
            }
        }
    };
    ENCODER.get_or_init(read).as_ref()
}

fn text(name: &str) -> Text {
    vec![Piece::Prompt(name.to_owned())]
}

fn step(act: Act) -> Step {
    Step { when: Vec::new(), act }
}

/// Two intents, a private slot, a look-up.
pub fn small_bot() -> Bot {
    let look_up = Question {
        service: "crm".to_owned(),
        url: "/cards/{card}".to_owned(),
        body: Vec::new(),
        fields: BTreeMap::from([("state".to_owned(), ("state".to_owned(), "unknown".to_owned()))]),
        timeout: Duration::from_secs(2),
        text: text("looking"),
    };
    let card = Slot {
        kind: Kind::Digits { least: 4, most: 16 },
        ask: text("ask-card"),
        invalid: Text::new(),
        confirm: text("confirm-card"),
        private: true,
    };
    let intent = |name: &str, key: char, steps: Vec<Act>| Intent {
        name: name.to_owned(),
        confirm: text("sure"),
        key: Digit::new(key),
        steps: steps.into_iter().map(step).collect(),
    };
    let pay = vec![
        Act::Ask("card".to_owned()),
        Act::LookUp(Box::new(look_up)),
        Act::Answer(text("paid")),
        Act::Offer { text: text("receipt"), yes: Then::HandOver, no: Then::GoOn },
    ];
    let english = Language::from("en");
    let examples = [
        ("I want to pay my bill", Some(0)),
        ("how can I pay the bill", Some(0)),
        ("pay by card please", Some(0)),
        ("can I pay the invoice", Some(0)),
        ("when are you open", Some(1)),
        ("what are your opening hours", Some(1)),
        ("are you open on sunday", Some(1)),
        ("when do you close", Some(1)),
        ("nice weather today", None),
        ("how are you", None),
        ("tell me a joke", None),
    ];
    Bot {
        name: "test".to_owned(),
        languages: vec![english.clone()],
        time_zone: "Europe/Paris".to_owned(),
        misses: 2,
        thresholds: Thresholds { accept: Some(0.5), sure: 0.0, heard: 0.2 },
        times: Times {
            silence: Duration::from_secs(6),
            moment: Duration::from_secs(20),
            between_keys: Duration::from_secs(3),
            recogniser: Duration::from_secs(10),
            longest: Duration::from_secs(300),
            turns: 30,
        },
        texts: Texts {
            greeting: text("greeting"),
            not_understood: text("not-understood"),
            still_there: text("still-there"),
            moment: text("moment"),
            go_ahead: text("go-ahead"),
            anything_else: text("anything-else"),
            goodbye: text("goodbye"),
            hand_over: text("hand-over"),
            keypad: text("keypad"),
            type_it: text("type-it"),
            one_or_two: text("one-or-two"),
        },
        slots: BTreeMap::from([("card".to_owned(), card)]),
        intents: vec![intent("payment", '1', pay), intent("hours", '2', vec![Act::Answer(text("hours"))])],
        listen_for: BTreeMap::new(),
        anger: BTreeMap::from([(english.clone(), vec!["damn".to_owned()])]),
        examples: BTreeMap::from([(english, examples.map(|(text, intent)| (text.to_owned(), intent)).into())]),
    }
}

//! Callers who speak with bots: what recognisers tell of them, rightly, wrongly, late or not at all, and what services answer
//! that bots ask.

use std::collections::BTreeMap;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use relais::bridge::{Listening, MediaCommand};
use relais::callbot::matching::Guess;
use relais::callbot::understanding::Understood;
use relais::dialplan::{Answer, Value};
use relais::engine::Input;
use relais::heard::{Heard, Hearing, SpeechFailure};
use relais::ids::{CallId, Language, LegId};
use relais::ivr::LookUpResult;
use relais::time::Instant;

use crate::network::{below, below_one_of};

/// Intents of the shipped bot that a sentence may be taken for.
const INTENTS: u32 = 10;
const LANGUAGES: [&str; 3] = ["en", "fr", "ko"];
const SENTENCES: [&str; 24] = [
    "where is my order",
    "A 4 7 1 1 2",
    "quatre sept un un deux",
    "사칠일일이",
    "when are you open on Saturdays",
    "my washing machine is broken",
    "on Tuesday at ten",
    "mardi à dix heures",
    "화요일 세 시",
    "tomorrow",
    "half past two",
    "yes",
    "no thank you",
    "oui",
    "non merci",
    "네",
    "아니요 괜찮습니다",
    "one moment please",
    "agent",
    "je veux parler à quelqu'un",
    "this is the third time I ask you, it is a disgrace",
    "4111 1111 1111 1111",
    "uh",
    "",
];

/// What is listened to, and what will come of it.
#[derive(Default)]
pub struct Bots {
    open: BTreeMap<LegId, Listening>,
    agenda: BTreeMap<(Instant, u64), Due>,
    sequence: u64,
}

enum Due {
    /// The caller begins to speak, if that listening is still open.
    Speaks(LegId, u64),
    Told(Box<Input>),
}

impl Bots {
    pub fn handle(&mut self, command: &MediaCommand, now: Instant, rng: &mut ChaCha12Rng) -> Result<(), String> {
        match command {
            MediaCommand::Listen { leg, listening } => {
                self.open.insert(*leg, (**listening).clone());
                if below(rng, 12) == 0 {
                    let failure = SpeechFailure::Busy { engine: "e".to_owned(), streams: 2 };
                    self.tell(*leg, listening.listen, Hearing::Failed(failure), None, now, below(rng, 20));
                } else {
                    self.tell(*leg, listening.listen, Hearing::Ready { engine: "e".to_owned() }, None, now, 1);
                    self.speaks(*leg, listening.listen, now, 200 + below_one_of(rng, [300, 3_000, 12_000]));
                }
            }
            MediaCommand::Expect { leg, .. } if !self.open.contains_key(leg) => {
                return Err(format!("leg {leg} is told what to expect, and nobody listens to it"));
            }
            MediaCommand::StopListening { leg } => {
                self.open.remove(leg).ok_or(format!("leg {leg} is listened to no more, and was not"))?;
            }
            MediaCommand::Close { leg } => drop(self.open.remove(leg)),
            _ => {}
        }
        Ok(())
    }

    pub fn listens(&self, leg: LegId) -> bool {
        self.open.contains_key(&leg)
    }

    pub fn listened_to(&self) -> impl Iterator<Item = LegId> {
        self.open.keys().copied()
    }

    /// A service answers in time, too late, wrongly or never.
    pub fn ask(&mut self, call: CallId, look_up: u64, now: Instant, rng: &mut ChaCha12Rng) {
        let answer = match below(rng, 10) {
            0 => return,
            1 => Answer::without(LookUpResult::NotFound, "it is not there"),
            2 => Answer::without(LookUpResult::Failed, "status 500"),
            _ => {
                let states = ["shipped", "preparing", "delivered", "unknown", "strange"];
                let state = Value::Text(states[below(rng, 5) as usize].to_owned());
                let mut values = BTreeMap::from([("state".to_owned(), state)]);
                if below(rng, 5) > 0 {
                    values.insert("delivery_day".to_owned(), Value::Text("2026-12-01".to_owned()));
                }
                Answer { result: LookUpResult::Ok, status: 200, values, reason: String::new() }
            }
        };
        let ms = 20 + below_one_of(rng, [100, 1_000, 6_000]);
        self.later(now, ms, Due::Told(Box::new(Input::LookedUp { call, look_up, answer: Box::new(answer) })));
    }

    pub fn next(&self) -> Option<Instant> {
        self.agenda.keys().next().map(|(at, _)| *at)
    }

    /// The next thing that is told and due. A recogniser that was closed may tell what it had under way.
    pub fn poll(&mut self, now: Instant, rng: &mut ChaCha12Rng) -> Option<Input> {
        while self.next()? <= now {
            match self.agenda.pop_first()?.1 {
                Due::Told(input) => return Some(*input),
                Due::Speaks(leg, listen) => {
                    let listening = self.open.get(&leg).filter(|open| open.listen == listen).cloned();
                    if let Some(listening) = listening {
                        self.speak(leg, &listening, now, rng);
                    }
                }
            }
        }
        None
    }

    /// One utterance and what is told of it.
    fn speak(&mut self, leg: LegId, listening: &Listening, now: Instant, rng: &mut ChaCha12Rng) {
        let listen = listening.listen;
        let begun = below(rng, 16);
        if begun == 0 {
            // Says nothing more.
            return;
        }
        self.tell(leg, listen, Hearing::Started, None, now, 0);
        let spoken = 100 + below_one_of(rng, [300, 2_000, 9_000]);
        match begun {
            // The recogniser owes the text.
            1 => return,
            2 => {
                let failure = match below(rng, 3) {
                    0 => SpeechFailure::Died { engine: "e".to_owned() },
                    1 => SpeechFailure::TooSlow { engine: "e".to_owned() },
                    _ => SpeechFailure::Late { engine: "e".to_owned(), after_ms: 5_000 },
                };
                self.tell(leg, listen, Hearing::Failed(failure), None, now, spoken);
                return;
            }
            3 | 4 => self.tell(leg, listen, Hearing::Nothing, None, now, 160),
            _ => {
                let text = misheard(SENTENCES[below(rng, SENTENCES.len() as u32) as usize], rng);
                self.tell(leg, listen, Hearing::Partial { text: text.clone() }, None, now, spoken / 2);
                self.tell(leg, listen, Hearing::Ended, None, now, spoken);
                let confidence = [0.0, 0.2, 0.6, 0.9, 1.0][below(rng, 5) as usize];
                let heard = Heard { text, confidence, engine: "e".to_owned(), ..Heard::default() };
                let found = understood(&listening.language, rng);
                let answered = spoken + below_one_of(rng, [100, 800, 3_000]);
                self.tell(leg, listen, Hearing::Final(heard), found, now, answered);
                self.speaks(leg, listen, now, answered + 50 + below_one_of(rng, [400, 4_000, 15_000]));
                return;
            }
        }
        self.speaks(leg, listen, now, 200 + below_one_of(rng, [400, 4_000, 15_000]));
    }

    fn speaks(&mut self, leg: LegId, listen: u64, now: Instant, ms: u32) {
        self.later(now, ms, Due::Speaks(leg, listen));
    }

    fn tell(&mut self, leg: LegId, listen: u64, hearing: Hearing, found: Option<Understood>, now: Instant, ms: u32) {
        let hearing = Box::new(hearing);
        self.later(now, ms, Due::Told(Box::new(Input::Heard { leg, listen, hearing, understood: found })));
    }

    fn later(&mut self, now: Instant, ms: u32, due: Due) {
        self.sequence += 1;
        self.agenda.insert((now + Duration::from_millis(ms.into()), self.sequence), due);
    }
}

/// What the sentence is taken for, as often as not wrongly; nothing where too many wait to be understood.
fn understood(spoken: &Language, rng: &mut ChaCha12Rng) -> Option<Understood> {
    if below(rng, 12) == 0 {
        return None;
    }
    let language = match below(rng, 10) {
        0 => Language::from(LANGUAGES[below(rng, 3) as usize]),
        _ => spoken.clone(),
    };
    let guess = (below(rng, 4) > 0).then(|| Guess {
        intent: below(rng, INTENTS) as usize,
        confidence: below(rng, 101) as f32 / 100.0,
        second: (below(rng, 2) == 0).then(|| (below(rng, INTENTS) as usize, 0.1)),
        accepted: below(rng, 4) > 0,
        indirect: below(rng, 4) == 0,
    });
    Some(Understood { language, guess, known: below(rng, 5) == 0, likelier: None })
}

/// Words dropped, doubled or turned round.
fn misheard(text: &str, rng: &mut ChaCha12Rng) -> String {
    let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    if words.is_empty() || below(rng, 3) > 0 {
        return text.to_owned();
    }
    let at = below(rng, words.len() as u32) as usize;
    match below(rng, 3) {
        0 => drop(words.remove(at)),
        1 => words.insert(at, words[at].clone()),
        _ => words[at] = words[at].chars().rev().collect(),
    }
    words.join(" ")
}

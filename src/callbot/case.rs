//! Test cases that stand in a bot's file, and playing one without a telephone or a clock.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::dialogue::{Action, Conversation, Dialogue, Ending, Event, LookUp, Mind, Utterance};
use crate::bridge::Digit;
use crate::ids::Language;
use crate::time::{Instant, Now, Wall};

/// What a caller does next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    Say(String),
    Keys(String),
    Silence,
    /// A sound that is no speech.
    Noise,
    /// The recogniser fails.
    Failure,
}

impl Input {
    /// A line of a test or of `relais talk`: what is said, or `/keys 12#`, `/silence`, `/noise`, `/failure`.
    pub fn parse(line: &str) -> Result<Input, String> {
        let Some(command) = line.trim().strip_prefix('/') else { return Ok(Input::Say(line.to_owned())) };
        match command.split_once(' ').unwrap_or((command, "")) {
            ("silence", "") => Ok(Input::Silence),
            ("noise", "") => Ok(Input::Noise),
            ("failure", "") => Ok(Input::Failure),
            ("keys", keys) if !keys.is_empty() => match keys.chars().find(|key| Digit::new(*key).is_none()) {
                None => Ok(Input::Keys(keys.to_owned())),
                Some(bad) => Err(format!("'{bad}' is no key of a telephone; use 0-9, * and #")),
            },
            _ => Err(format!("'/{command}' is none of /keys KEYS, /silence, /noise, /failure")),
        }
    }
}

/// What is expected of a test.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Expectation {
    pub intent: Option<String>,
    pub slots: BTreeMap<String, String>,
    /// `served`, or a hand-over's reason.
    pub ending: Option<String>,
    /// Prompts, in this order, maybe with others between.
    pub heard: Vec<String>,
    pub misses: Option<usize>,
    pub language: Option<Language>,
}

/// A test case of a bot's file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    pub name: String,
    pub file: String,
    pub line: usize,
    pub language: Language,
    pub at: Wall,
    /// Whether speech recognition is there at the beginning.
    pub recogniser: bool,
    pub inputs: Vec<Input>,
    /// What services answer, by their names; they give no answer where nothing is said.
    pub look_ups: BTreeMap<String, BTreeMap<String, String>>,
    pub expect: Expectation,
}

/// One thing that was expected and did not come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Miss {
    pub what: String,
    pub expected: String,
    pub got: String,
}

/// A conversation without a telephone: time goes on by itself, and what is said is heard to its end.
pub struct Talk<'a> {
    mind: Mind<'a>,
    pub dialogue: Dialogue,
    now: Now,
    look_ups: BTreeMap<String, BTreeMap<String, String>>,
    /// What was said since it was last taken.
    pub heard: Vec<String>,
    pub end: Option<(Ending, Conversation)>,
}

/// How long a caller thinks and speaks.
const A_TURN: Duration = Duration::from_secs(3);
const A_PROMPT: Duration = Duration::from_secs(2);

impl<'a> Talk<'a> {
    pub fn begin(
        mind: Mind<'a>,
        language: &Language,
        recogniser: bool,
        at: Wall,
        look_ups: BTreeMap<String, BTreeMap<String, String>>,
    ) -> Talk<'a> {
        let now = Now { instant: Instant(0), wall: at };
        let dialogue = Dialogue::start(mind, language, recogniser, now);
        let mut talk = Talk { mind, dialogue, now, look_ups, heard: Vec::new(), end: None };
        talk.settle();
        talk
    }

    pub fn now(&self) -> Now {
        self.now
    }

    /// The caller does something; then the bot does what follows, up to its next question.
    pub fn input(&mut self, input: &Input) {
        match input {
            Input::Say(text) => {
                self.give(Event::SpeechStarted);
                self.pass(A_TURN);
                self.give(Event::Heard(Utterance { text: text.clone(), ..Utterance::default() }));
            }
            Input::Noise => {
                self.give(Event::SpeechStarted);
                self.give(Event::Heard(Utterance::default()));
            }
            Input::Keys(keys) => {
                for digit in keys.chars().filter_map(Digit::new) {
                    self.give(Event::Digit(digit));
                }
                if let Some(deadline) = self.dialogue.poll_timeout().filter(|_| !keys.ends_with('#')) {
                    // A pause ends a number; a bot that has asked something new in the meantime is still speaking.
                    if !self.is_speaking() {
                        self.pass(deadline.since(self.now.instant));
                        self.give(Event::Timeout);
                    }
                }
            }
            Input::Silence => {
                if let Some(deadline) = self.dialogue.poll_timeout() {
                    self.pass(deadline.since(self.now.instant));
                    self.give(Event::Timeout);
                }
            }
            Input::Failure => self.give(Event::Recogniser { there: false }),
        }
        self.settle();
    }

    fn is_speaking(&mut self) -> bool {
        let before = self.heard.len();
        self.settle();
        self.heard.len() > before || self.end.is_some()
    }

    /// Plays what is to be played to its end and answers what is asked, until the bot waits for the caller.
    fn settle(&mut self) {
        let mut playing = None;
        loop {
            while let Some(action) = self.dialogue.poll_action() {
                match action {
                    Action::Say { say, prompts, .. } => {
                        self.heard.extend(prompts);
                        playing = Some(say);
                    }
                    Action::StopSaying(_) => playing = None,
                    Action::LookUp { look_up, request } => {
                        let fields = self.answer(&request);
                        self.dialogue.handle(Event::LookedUp { look_up, fields }, self.mind, self.now);
                    }
                    Action::End { ending, packet } => self.end = Some((ending, *packet)),
                    Action::Listen { .. } | Action::StopListening | Action::PauseRecording(_) => {}
                }
            }
            let Some(say) = playing.take() else { break };
            self.pass(A_PROMPT);
            self.dialogue.handle(Event::Said(say), self.mind, self.now);
        }
    }

    fn answer(&self, request: &LookUp) -> Option<BTreeMap<String, String>> {
        self.look_ups.get(&request.service).cloned()
    }

    fn give(&mut self, event: Event) {
        self.dialogue.handle(event, self.mind, self.now);
    }

    fn pass(&mut self, time: Duration) {
        self.now.instant = self.now.instant + time;
        let time = jiff::SignedDuration::try_from(time).unwrap_or_default();
        self.now.wall = self.now.wall.checked_add(time).unwrap_or(self.now.wall);
    }
}

impl Case {
    /// Plays the case; what was expected and did not come.
    pub fn run(&self, mind: Mind<'_>) -> Vec<Miss> {
        let mut talk = Talk::begin(mind, &self.language, self.recogniser, self.at, self.look_ups.clone());
        for input in &self.inputs {
            if talk.end.is_none() {
                talk.input(input);
            }
        }
        self.expect.check(mind, &talk)
    }
}

impl Expectation {
    fn check(&self, mind: Mind<'_>, talk: &Talk<'_>) -> Vec<Miss> {
        let mut misses = Vec::new();
        let mut compare = |what: &str, expected: String, got: String| {
            if expected != got {
                misses.push(Miss { what: what.to_owned(), expected, got });
            }
        };
        let ending = match &talk.end {
            None => "none",
            Some((Ending::Served, _)) => "served",
            Some((Ending::HandOver(reason), _)) => reason.word(),
        };
        let packet = talk.dialogue.packet(mind, None, talk.now);
        if let Some(intent) = &self.intent {
            compare("intent", intent.clone(), packet.intent.clone().unwrap_or_else(|| "none".to_owned()));
        }
        for (name, value) in &self.slots {
            let got = talk.dialogue.slots().get(name).cloned().unwrap_or_else(|| "nothing".to_owned());
            compare(name, value.clone(), got);
        }
        if let Some(expected) = &self.ending {
            compare("ending", expected.clone(), ending.to_owned());
        }
        if let Some(count) = self.misses {
            compare("misses", count.to_string(), packet.misses.len().to_string());
        }
        if let Some(language) = &self.language {
            compare("language", language.to_string(), packet.language.to_string());
        }
        let mut rest = talk.heard.iter();
        if let Some(missing) = self.heard.iter().find(|wanted| !rest.any(|heard| heard == *wanted)) {
            compare("heard", missing.clone(), talk.heard.join(" "));
        }
        misses
    }
}

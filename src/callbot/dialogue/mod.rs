//! One conversation: what is heard and typed goes in, what is to be said and done comes out. Like a plan's modules it has
//! no clock and no I/O, and its state can be written down at any moment.
//!
//! It never insists: every way through it ends, in an answer or with a person. Misses, silences, turns and the time are
//! bounded, and each time-out leads on.

mod flow;
mod hear;
mod say;
#[cfg(test)]
mod tests;
mod typed;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bot::{Act, Bot, Text};
use super::matching::Guess;
use super::understanding::Understand;
use crate::bridge::Digit;
use crate::ids::Language;
use crate::spoken::Table;
use crate::time::{Instant, Now, Wall};
use typed::Breath;

pub use crate::conversation::{By, Conversation, Ending, Reason, Turn};
pub use flow::RESULT;

/// What a dialogue is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The caller began to speak: what is being said stops.
    SpeechStarted,
    /// What was heard, once the caller has ended. An empty text was no speech after all.
    Heard(Utterance),
    Digit(Digit),
    /// What was being said ran to its end. One that was stopped or replaced reports nothing.
    Said(u64),
    /// The time asked for by `poll_timeout` has come.
    Timeout,
    /// Speech recognition is there, or is not, or no longer.
    Recogniser {
        there: bool,
    },
    /// What a service answered; `None` where it gave no answer.
    LookedUp {
        look_up: u64,
        fields: Option<BTreeMap<String, String>>,
    },
}

/// A recogniser's final text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Utterance {
    pub text: String,
    /// 0 to 1, where the recogniser tells it.
    pub confidence: Option<f32>,
    /// What it may have been instead, likeliest first, where the recogniser says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<String>,
}

/// What a dialogue asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// Play these prompts one after the other, in place of what is being played.
    Say {
        say: u64,
        prompts: Vec<String>,
        language: Language,
    },
    StopSaying(u64),
    /// Listen to the caller from now on, also while something is said, and expect this.
    Listen {
        language: Language,
        expect: Expect,
    },
    StopListening,
    /// Ask a service; the answer is `Event::LookedUp` with the same number, unless it comes too late.
    LookUp {
        look_up: u64,
        request: LookUp,
    },
    /// Recordings pause while what is said is private.
    PauseRecording(bool),
    /// The conversation is over: the last action.
    End {
        ending: Ending,
        packet: Box<Conversation>,
    },
}

/// What the next answer will be like, as a hint to the recogniser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    Anything,
    /// What a caller may want, in their own words.
    Wish,
    YesOrNo,
    /// Digits and letters.
    Spelled,
    /// One of these phrases, probably.
    Phrases(Vec<String>),
}

/// A request to a service of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LookUp {
    pub service: String,
    /// With slots in braces, and their values beside it, so that each can be encoded.
    pub url: String,
    pub values: BTreeMap<String, String>,
    /// Posted as a JSON object; by GET where it is empty.
    pub body: BTreeMap<String, String>,
    /// The fields wanted: their path, and what stands for one that is missing.
    pub fields: BTreeMap<String, (String, String)>,
    pub timeout: Duration,
}

/// What a dialogue works with and does not own.
#[derive(Clone, Copy)]
pub struct Mind<'a> {
    pub bot: &'a Bot,
    pub understanding: &'a dyn Understand,
    /// How values are said, by language.
    pub spoken: &'a BTreeMap<Language, Table>,
}

/// Where a conversation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    /// What does the caller want?
    Wish,
    /// Is it this that is wanted?
    SureOf(usize),
    Asking(String),
    Confirming(String),
    LookingUp(u64),
    /// The offer of the step before `step`.
    Offered,
    /// Anything else?
    More,
    /// The last words are being said.
    Ending(Ending),
    Over,
}

/// One conversation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Dialogue {
    state: State,
    language: Language,
    /// Nobody understands speech: questions are answered by key.
    by_keys: bool,
    /// What the caller wants, how likely that is, and the step that comes next.
    intent: Option<usize>,
    confidence: f32,
    step: usize,
    /// The words that are being asked back about.
    wish: String,
    /// Texts that are said together with the next question.
    pending: Vec<String>,
    /// What was asked last, for who did not hear it.
    question: Vec<String>,
    expect: Expect,
    slots: BTreeMap<String, String>,
    fields: BTreeMap<String, String>,
    /// The intent that was answered last, for who asks for it again.
    answered: Option<usize>,
    misses: u32,
    missed: Vec<String>,
    silences: u32,
    /// Sounds that were no speech, since the caller last said something.
    noises: u32,
    turns: u32,
    keys: String,
    #[serde(default)]
    breath: Breath,
    saying: Option<u64>,
    /// Speech has begun and its text has not come.
    speaking: bool,
    /// The caller asked for time.
    paused: bool,
    private: bool,
    /// A private value was given: whatever value is said from then on may be that one.
    holds_private: bool,
    /// Slots whose values turned out to be private.
    #[serde(default)]
    hidden: BTreeSet<String>,
    next_say: u64,
    next_look_up: u64,
    deadline: Option<Instant>,
    began: Now,
    transcript: Vec<Turn>,
    omitted: u32,
    #[serde(skip)]
    guess: Option<(Option<usize>, f32)>,
    actions: VecDeque<Action>,
}

/// More than any conversation within its bounds has.
const MOST_TURNS_KEPT: usize = 400;
const MOST_MISSES_KEPT: usize = 50;

/// What is said takes no longer; a player that never reports its end is taken as done.
const LONGEST_SAYING: Duration = Duration::from_secs(90);

/// A cough, a door: so often the question is asked again before it counts as silence.
const MOST_NOISES: u32 = 3;

impl Dialogue {
    /// Begins a conversation in `language`, or in the bot's first one; `there` where speech recognition is at hand.
    pub fn start(mind: Mind<'_>, language: &Language, there: bool, now: Now) -> Dialogue {
        let bot = mind.bot;
        let language = bot.language(language).or(bot.languages.first()).unwrap_or(language).clone();
        let mut dialogue = Dialogue {
            state: State::Wish,
            language,
            by_keys: !there,
            intent: None,
            confidence: 0.0,
            step: 0,
            wish: String::new(),
            pending: Vec::new(),
            question: Vec::new(),
            expect: Expect::Anything,
            slots: BTreeMap::new(),
            fields: BTreeMap::new(),
            answered: None,
            misses: 0,
            missed: Vec::new(),
            silences: 0,
            noises: 0,
            turns: 0,
            keys: String::new(),
            breath: Breath::default(),
            saying: None,
            speaking: false,
            paused: false,
            private: false,
            holds_private: false,
            hidden: BTreeSet::new(),
            next_say: 1,
            next_look_up: 1,
            deadline: None,
            began: now,
            transcript: Vec::new(),
            omitted: 0,
            guess: None,
            actions: VecDeque::new(),
        };
        if there {
            dialogue.ask(mind, &bot.texts.greeting, State::Wish, now);
            // Nobody wants to be greeted twice.
            dialogue.question = dialogue.prompts(mind, &bot.texts.go_ahead, now);
        } else if dialogue.can_go_on_by_keys(mind) {
            dialogue.ask_for_wish(mind, now);
        } else {
            dialogue.hand_over(mind, Reason::Recogniser, now);
        }
        dialogue
    }

    /// Continues the conversation with what happened.
    pub fn handle(&mut self, event: Event, mind: Mind<'_>, now: Now) {
        self.guess = None;
        if self.state == State::Over {
            return;
        }
        match event {
            Event::SpeechStarted => self.speech_started(mind, now),
            Event::Heard(utterance) => self.heard(&utterance, mind, now),
            Event::Digit(digit) => self.digit(digit, mind, now),
            Event::Said(say) => {
                if self.saying == Some(say) {
                    self.said(mind, now);
                }
            }
            Event::Timeout => self.timeout(mind, now),
            Event::Recogniser { there } => self.recogniser(there, mind, now),
            Event::LookedUp { look_up, fields } => self.looked_up(look_up, fields, mind, now),
        }
        if let Some(deadline) = self.deadline {
            self.deadline = Some(deadline.min(self.last_moment(mind)));
        }
    }

    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When `Event::Timeout` is to be given. There always is such a time until the conversation is over.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    pub fn language(&self) -> &Language {
        &self.language
    }

    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// What the last event's words were taken for: the intent, `None` where they were not understood, and how likely it
    /// is; `None` where they were no wish but an answer.
    pub fn last_guess(&self, bot: &Bot) -> Option<(Option<String>, f32)> {
        let (intent, confidence) = self.guess?;
        Some((intent.and_then(|intent| bot.intents.get(intent)).map(|intent| intent.name.clone()), confidence))
    }

    /// The intent being worked on or answered last.
    pub fn intent<'b>(&self, bot: &'b Bot) -> Option<(&'b str, f32)> {
        let intent = bot.intents.get(self.intent?)?;
        Some((intent.name.as_str(), self.confidence))
    }

    /// Whether it is known what the caller wants.
    pub fn has_understood(&self) -> bool {
        self.intent.is_some()
    }

    /// Whether something was answered that the caller wanted.
    pub fn has_served(&self) -> bool {
        self.answered.is_some()
    }

    /// What was given, private values too.
    pub fn slots(&self) -> &BTreeMap<String, String> {
        &self.slots
    }

    /// What is left of the conversation; `ending` is `None` where the caller hung up.
    pub fn packet(&self, mind: Mind<'_>, ending: Option<Ending>, now: Now) -> Conversation {
        let hidden =
            |name: &String| self.hidden.contains(name) || mind.bot.slots.get(name).is_some_and(|slot| slot.private);
        let shown = |(name, value): (&String, &String)| {
            let value =
                if hidden(name) || self.is_of_card(value) { super::privacy::HIDDEN.to_owned() } else { value.clone() };
            (name.clone(), value)
        };
        let known = self.intent.and_then(|intent| mind.bot.intents.get(intent));
        Conversation {
            bot: mind.bot.name.clone(),
            language: self.language.clone(),
            served: ending == Some(Ending::Served) || (ending.is_none() && self.has_served()),
            reason: match ending {
                Some(Ending::HandOver(reason)) => Some(reason),
                _ => None,
            },
            intent: known.map(|intent| intent.name.clone()),
            confidence: known.map(|_| self.confidence),
            slots: self.slots.iter().map(shown).collect(),
            misses: self.missed.clone(),
            began: self.began.wall,
            lasted_ms: self.at_ms(now),
            transcript: self.transcript.clone(),
            omitted: self.omitted,
        }
    }

    fn at_ms(&self, now: Now) -> u64 {
        u64::try_from(now.instant.since(self.began.instant).as_millis()).unwrap_or(u64::MAX)
    }

    fn last_moment(&self, mind: Mind<'_>) -> Instant {
        match self.state {
            // The last words are said out.
            State::Ending(_) => Instant(u64::MAX),
            _ => self.began.instant + mind.bot.times.longest,
        }
    }

    fn can_go_on_by_keys(&self, mind: Mind<'_>) -> bool {
        mind.bot.intents.iter().any(|intent| intent.key.is_some()) && !mind.bot.texts.keypad.is_empty()
    }
}

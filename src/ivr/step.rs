//! What a module may do while it handles one event.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::inputs::{Names, Value};
use super::survey::Survey;
use super::{Action, Event, Queues};
use crate::bridge::{Digit, PlayItem};
use crate::ids::{Language, PlayId};
use crate::record::Outcome;
use crate::time::{Instant, Wall};

/// How a module ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Done {
    /// The next level runs. `result` goes into the record's path; `outputs` are what `out` may name.
    Next { result: String, outputs: Vec<(&'static str, Value)> },
    /// As `Next`, with outputs whose names the rule itself declares.
    Found { result: String, outputs: BTreeMap<String, Value> },
    /// Variables to set; the next level runs.
    Set(Vec<(String, Value)>),
    /// Go on at this level, unless this rule has jumped `times` before.
    Jump { level: String, times: u32 },
    /// The plan is over and the call is to be ended.
    HangUp { status: u16, q850: u8, outcome: Outcome, result: String },
}

impl Done {
    pub fn next(result: &str) -> Done {
        Done::Next { result: result.to_owned(), outputs: vec![("result", Value::from(result))] }
    }
}

/// Keys pressed before anybody asked for them; the next menu takes them. Bounded: further keys are dropped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TypeAhead(VecDeque<Digit>);

impl TypeAhead {
    pub const CAPACITY: usize = 32;

    pub fn push(&mut self, digit: Digit) {
        if self.0.len() < Self::CAPACITY {
            self.0.push_back(digit);
        }
    }

    pub fn take(&mut self) -> Option<Digit> {
        self.0.pop_front()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Who calls, as the modules that judge callers see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// As it came in.
    pub from: String,
    /// How long ago the earlier calls of this number came in, in seconds, the latest first; bounded.
    pub earlier_s: Vec<u64>,
}

/// The part of a run that its modules share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Desk {
    pub language: Language,
    pub answered: bool,
    /// When the plan began, when the call was answered, and when the caller first came to a queue.
    pub began_at: Option<Instant>,
    pub answered_at: Option<Instant>,
    pub queued_at: Option<Instant>,
    /// The caller chose something of a menu or typed something that was asked for.
    pub chose: bool,
    /// The caller has been given what they called for, and is with nobody.
    pub served: bool,
    /// The caller was told that nobody can take the call.
    pub deterred: bool,
    /// The caller does not want to be recorded.
    pub recording_refused: bool,
    /// What is asked once an agent has talked with the caller.
    pub survey: Option<Box<Survey>>,
    pub typed: TypeAhead,
    /// The final status and Q.850 cause for a call that was never answered: why nobody took it.
    pub refusal: (u16, u8),
    pub deadline: Option<Instant>,
    pub next_play: u64,
    pub next_look_up: u64,
    pub caller: Caller,
    pub actions: VecDeque<Action>,
}

impl Desk {
    pub fn new(language: Language) -> Desk {
        Desk {
            language,
            answered: false,
            began_at: None,
            answered_at: None,
            queued_at: None,
            chose: false,
            served: false,
            deterred: false,
            recording_refused: false,
            survey: None,
            typed: TypeAhead::default(),
            refusal: (480, 31),
            deadline: None,
            next_play: 1,
            next_look_up: 1,
            caller: Caller::default(),
            actions: VecDeque::new(),
        }
    }
}

/// One event being handled: what the modules of a call share, and the time.
pub struct Step<'a> {
    pub now: Instant,
    pub wall: Wall,
    pub names: &'a Names,
    pub queues: &'a dyn Queues,
    pub desk: &'a mut Desk,
}

/// A play that never reports its end is taken as ended after this.
const LONGEST_PLAY: Duration = Duration::from_secs(900);

impl Step<'_> {
    pub fn ask(&mut self, action: Action) {
        self.desk.actions.push_back(action);
    }

    /// Answers the call unless it is.
    pub fn answer(&mut self) {
        if !self.desk.answered {
            self.desk.answered = true;
            self.desk.answered_at = Some(self.now);
            self.ask(Action::Answer);
        }
    }

    /// Answers, and plays prompts one after the other: in the caller's language, or in one of their own as `fr:hello`.
    pub fn play(&mut self, prompts: &[String], repeat: bool) -> PlayId {
        let language = self.desk.language.clone();
        self.play_items(prompts.iter().map(|prompt| PlayItem::prompt(prompt, &language)).collect(), repeat)
    }

    pub fn play_items(&mut self, items: Vec<PlayItem>, repeat: bool) -> PlayId {
        self.answer();
        let play = PlayId(self.desk.next_play);
        self.desk.next_play += 1;
        self.ask(Action::Play { play, items, repeat });
        if repeat {
            self.stop_waiting();
        } else {
            self.wait(LONGEST_PLAY);
        }
        play
    }

    pub fn stop(&mut self, play: PlayId) {
        self.ask(Action::StopPlay(play));
        self.stop_waiting();
    }

    /// Whether `play` is over with this event: it ended, or it never said so.
    pub fn is_end_of(&mut self, play: PlayId, event: &Event) -> bool {
        match event {
            Event::PlayEnded(ended) if *ended == play => {
                self.stop_waiting();
                true
            }
            Event::Timeout => {
                self.stop(play);
                true
            }
            _ => false,
        }
    }

    /// Asks for `Event::Timeout`, in place of an earlier wish.
    pub fn wait(&mut self, time: Duration) {
        self.desk.deadline = Some(self.now + time);
    }

    pub fn stop_waiting(&mut self) {
        self.desk.deadline = None;
    }
}

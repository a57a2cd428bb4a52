//! `voicemail`: the caller leaves a message.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::http::{self, HttpRequest, Method};
use super::spec::{Ends, Input, Kind, Need, Spec};
use super::step::{Done, Step};
use super::{Action, Event, Inputs, MessageEvent};
use crate::bridge::{Digit, PlayItem};
use crate::ids::PlayId;
use crate::record::Outcome;

pub const SPEC: Spec = Spec {
    name: "voicemail",
    summary: "Greets, beeps, and records a message of the caller's, with outcome voicemail. A caller who hangs up in the \
              middle leaves what was said, where it is long enough.",
    inputs: &[
        Input {
            name: "prompt",
            kind: Kind::Prompt,
            need: Need::Text("voicemail-greeting"),
            doc: "what is said before the beep; a key of end_keys skips it",
        },
        Input {
            name: "mailbox",
            kind: Kind::Text,
            need: Need::Optional,
            doc: "whose message it is, for those who listen to it: a queue, a team, a number; the number dialled where \
                  it is not given",
        },
        Input {
            name: "max_s",
            kind: Kind::Integer { min: 5, max: 3_600 },
            need: Need::Integer(180),
            doc: "how long a message may be",
        },
        Input {
            name: "min_ms",
            kind: Kind::Integer { min: 0, max: 60_000 },
            need: Need::Integer(1_000),
            doc: "how long somebody must have spoken for it to be a message",
        },
        Input {
            name: "silence_s",
            kind: Kind::Integer { min: 1, max: 60 },
            need: Need::Integer(5),
            doc: "silence that ends the message",
        },
        Input {
            name: "end_keys",
            kind: Kind::Keys,
            need: Need::Text("#"),
            doc: "keys that end the message; may be empty",
        },
        Input {
            name: "review",
            kind: Kind::Flag,
            need: Need::Flag(false),
            doc: "asks at the end: 1 sends the message, 2 records it again; silence sends it",
        },
        Input {
            name: "review_prompt",
            kind: Kind::Prompt,
            need: Need::Text("voicemail-review"),
            doc: "what the keys of the review do",
        },
        Input {
            name: "too_short",
            kind: Kind::Prompt,
            need: Need::Text("voicemail-too-short"),
            doc: "said where nothing was heard, before the beep comes again",
        },
        Input {
            name: "tries",
            kind: Kind::Integer { min: 1, max: 20 },
            need: Need::Integer(3),
            doc: "beeps a caller gets in all, silences and repetitions counted",
        },
        Input {
            name: "thanks",
            kind: Kind::Prompt,
            need: Need::Text("voicemail-thanks"),
            doc: "said when the message is taken, before the call ends",
        },
        Input {
            name: "service",
            kind: Kind::Service,
            need: Need::Optional,
            doc: "the service of the configuration that is told of each message, by an event `voicemail` with its \
                  recording_id, mailbox, from, to, started_at and duration_ms",
        },
        Input {
            name: "url",
            kind: Kind::Template,
            need: Need::Text(""),
            doc: "what follows the service's base_url, with expressions in braces",
        },
    ],
    outputs: &[],
    ends: Ends::Always,
    free_inputs: false,
};

/// ITU-T E.180 knows no tone for it; a short one of 1000 Hz is what callers expect.
const BEEP: PlayItem =
    PlayItem::Tone { frequencies_hz: [1000, 0], on: Duration::from_millis(400), off: Duration::ZERO };

/// How long after its own limits a recording may take to tell that it has ended.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long the caller may think about the review.
const REVIEW: Duration = Duration::from_secs(6);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Stage {
    /// The greeting (or why again) and the beep.
    Greeting(PlayId),
    Recording,
    /// Told to stop; its figures are to come.
    Stopping,
    /// The review is read out, and after it the caller thinks.
    Review(PlayId),
    Thinking,
    /// The last words, and what the call is then.
    Farewell(PlayId, Outcome),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Voicemail {
    prompt: Vec<String>,
    mailbox: Option<String>,
    longest: Duration,
    shortest: Duration,
    silence: Duration,
    end_keys: Vec<Digit>,
    review: bool,
    review_prompt: Vec<String>,
    too_short: Vec<String>,
    tries: usize,
    thanks: Vec<String>,
    /// How the message is told to a service.
    tell: Option<Box<HttpRequest>>,
    stage: Stage,
    /// The greeting was skipped: the beep alone plays.
    beeping: bool,
    /// Beeps given.
    beeps: usize,
}

pub(super) fn start(inputs: &Inputs, step: &mut Step<'_>) -> Voicemail {
    let prompt = inputs.prompts("prompt");
    // What was typed before was meant for something else.
    while step.desk.typed.take().is_some() {}
    let mut voicemail = Voicemail {
        stage: Stage::Recording,
        mailbox: inputs.text("mailbox").map(str::to_owned),
        longest: inputs.seconds("max_s").unwrap_or_default(),
        shortest: inputs.millis("min_ms").unwrap_or_default(),
        silence: inputs.seconds("silence_s").unwrap_or_default(),
        end_keys: inputs.keys("end_keys"),
        review: inputs.flag("review").unwrap_or(false),
        review_prompt: inputs.prompts("review_prompt"),
        too_short: inputs.prompts("too_short"),
        tries: inputs.count("tries").max(1),
        thanks: inputs.prompts("thanks"),
        tell: inputs.text("service").and_then(|_| http::request(inputs, Method::Post, None).ok()).map(Box::new),
        beeping: false,
        beeps: 0,
        prompt,
    };
    let prompt = voicemail.prompt.clone();
    voicemail.greet(&prompt, step);
    voicemail
}

impl Voicemail {
    /// The caller is asked whether the message is good.
    pub(super) fn listens(&self) -> bool {
        matches!(self.stage, Stage::Review(_) | Stage::Thinking)
    }

    pub(super) fn handle(&mut self, event: &Event, step: &mut Step<'_>) -> Option<Done> {
        match (self.stage, event) {
            (Stage::Greeting(play), Event::Digit(digit)) if self.end_keys.contains(digit) && !self.beeping => {
                step.stop(play);
                self.greet(&[], step);
            }
            (Stage::Greeting(play), event) if step.is_end_of(play, event) => self.record(step),
            (Stage::Recording, Event::Digit(digit)) if self.end_keys.contains(digit) => self.stop(step),
            (Stage::Recording, Event::Message(MessageEvent::Silence | MessageEvent::Full)) => self.stop(step),
            (Stage::Recording, Event::Timeout) => self.stop(step),
            (Stage::Recording | Stage::Stopping, Event::Message(MessageEvent::Ended { voiced })) => {
                self.judge(*voiced, step);
            }
            (Stage::Recording | Stage::Stopping, Event::Message(MessageEvent::Failed)) => self.fail(step),
            (Stage::Stopping, Event::Timeout) => self.fail(step),
            (Stage::Review(_) | Stage::Thinking, Event::Digit(digit)) => self.choose(*digit, step),
            (Stage::Review(play), event) if step.is_end_of(play, event) => {
                self.stage = Stage::Thinking;
                step.wait(REVIEW);
            }
            (Stage::Thinking, Event::Timeout) => self.take(step),
            (Stage::Farewell(play, outcome), event) if step.is_end_of(play, event) => return Some(over(outcome)),
            _ => {}
        }
        None
    }

    /// Says something, then beeps.
    fn greet(&mut self, prompts: &[String], step: &mut Step<'_>) {
        let language = step.desk.language.clone();
        let prompt = |name: &String| PlayItem::Prompt { name: name.clone(), language: language.clone() };
        let items = prompts.iter().map(prompt).chain([BEEP]).collect();
        self.beeping = prompts.is_empty();
        self.stage = Stage::Greeting(step.play_items(items, false));
    }

    fn record(&mut self, step: &mut Step<'_>) {
        self.beeps += 1;
        self.stage = Stage::Recording;
        step.ask(Action::RecordMessage {
            mailbox: self.mailbox.clone(),
            longest: self.longest,
            shortest: self.shortest,
            silence: self.silence,
            tell: self.tell.clone(),
        });
        step.wait(self.longest + PATIENCE);
    }

    fn stop(&mut self, step: &mut Step<'_>) {
        self.stage = Stage::Stopping;
        step.ask(Action::StopMessage);
        step.wait(PATIENCE);
    }

    fn judge(&mut self, voiced: Duration, step: &mut Step<'_>) {
        if voiced < self.shortest {
            step.ask(Action::DropMessage);
            if self.beeps < self.tries {
                let too_short = self.too_short.clone();
                self.greet(&too_short, step);
            } else {
                let outcome = if step.desk.deterred { Outcome::Deterred } else { Outcome::Abandoned };
                self.part(&["goodbye".to_owned()], outcome, step);
            }
        } else if self.review && self.beeps < self.tries {
            self.stage = Stage::Review(step.play(&self.review_prompt.clone(), false));
        } else {
            self.take(step);
        }
    }

    /// The caller has listened to what the keys of the review do, or knows it.
    fn choose(&mut self, digit: Digit, step: &mut Step<'_>) {
        if let Stage::Review(play) = self.stage {
            step.stop(play);
        }
        match digit.key() {
            '2' => {
                step.ask(Action::DropMessage);
                self.greet(&[], step);
            }
            '1' => self.take(step),
            key if self.end_keys.iter().any(|end| end.key() == key) => self.take(step),
            _ => self.stage = Stage::Review(step.play(&self.review_prompt.clone(), false)),
        }
    }

    fn take(&mut self, step: &mut Step<'_>) {
        self.part(&self.thanks.clone(), Outcome::Voicemail, step);
    }

    fn fail(&mut self, step: &mut Step<'_>) {
        self.part(&["technical-difficulty".to_owned()], Outcome::Failed, step);
    }

    fn part(&mut self, prompts: &[String], outcome: Outcome, step: &mut Step<'_>) {
        self.stage = Stage::Farewell(step.play(prompts, false), outcome);
    }
}

fn over(outcome: Outcome) -> Done {
    let result = match outcome {
        Outcome::Voicemail => "recorded",
        Outcome::Failed => "failed",
        _ => "no_message",
    };
    Done::HangUp { status: 480, q850: 16, outcome, result: result.to_owned() }
}
